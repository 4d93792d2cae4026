# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the playbooks take from the command to its end, here and, by turns, with another checkout of the collection.

On a real application with a little traffic; one playbook at a time. Writes build/bench/start.json. Needs the test bed; a round
takes about a minute for each checkout.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.spread import spread
from demo.application import APP
from demo.environment import BUILD, DemoError, find_environment, new_names
from demo.sandbox import Sandbox, sandboxed

OUT = BUILD / "bench/start.json"
REAL = ("-e", f"bg_confirm={APP}")
PLAYBOOKS = {
    "status": ("status",),
    "plan": ("switch", "--check"),
    "hot switch": ("switch", *REAL),
    "hot rollback": ("rollback", *REAL),
}
"""In this order, so that a round ends where it began."""
PAUSE = 3.0
"""Seconds between two runs: a run leaves the brokers and pods with work."""


def measure(sandbox: Sandbox, runs: int, checkouts: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """Seconds of each playbook with each checkout; checkouts: what is searched for collections first, further arguments."""
    seconds: dict[str, dict[str, list[float]]] = {name: {way: [] for way in checkouts} for name in PLAYBOOKS}
    # The first round of all pays for files that are not in the page cache yet, and for the target's first start.
    for run in range(runs + 1):
        for way, (path, *further) in checkouts.items():
            env = {"ANSIBLE_COLLECTIONS_PATH": path}
            for name, command in PLAYBOOKS.items():
                time.sleep(PAUSE)
                log = f"{name}-{way}".replace(" ", "-")
                began = time.monotonic()
                done = sandbox.operator.attempt(*command, *further, name=log, env=env)
                took = time.monotonic() - began
                if done.code:
                    raise DemoError(f"{name} of {way} ended with {done.code}:\n{done.output[-3000:]}")
                if run:
                    seconds[name][way].append(took)
        print(f"benchmark: round {run} of {runs}", flush=True)
    return {name: {way: spread(values) for way, values in ways.items()} for name, ways in seconds.items()}


def main() -> int:
    """Measure and print; 0 when every playbook ended well."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="rounds that count")
    parser.add_argument("--beside", type=Path, help="another checkout, after `make collections` there")
    parser.add_argument("--arguments", default="", help="further arguments for the other checkout's playbooks")
    options = parser.parse_args()
    here = os.environ.get("ANSIBLE_COLLECTIONS_PATH", "")
    checkouts: dict[str, tuple[str, ...]] = {"here": (here,)}
    if options.beside:
        checkouts["beside"] = (str(options.beside / ".cache/collections"), *options.arguments.split())
    environment = find_environment(bring_up=False)
    try:
        with sandboxed(environment, new_names(), BUILD / "bench" / "start") as sandbox:
            producer = sandbox.produce(100)
            try:
                result = measure(sandbox, options.runs, checkouts)
            finally:
                producer.stop()
    except DemoError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    OUT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
