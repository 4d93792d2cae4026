# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long playbooks take whose modules run in a fork of the worker, and whose modules are packed as usual.

On a real application at rest; one playbook at a time, the two ways by turns. Writes build/bench/direct.json. Needs the test bed;
takes about two minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

from benchmarks.spread import spread
from demo.place import BUILD, DemoError, find_place, new_names
from demo.stage import Stage, staged

OUT = BUILD / "bench/direct.json"
PLAYBOOKS = {"status": ("status",), "plan": ("switch", "--check")}
WAYS = {"direct": True, "packed": False}


def measure(stage: Stage, runs: int) -> dict[str, Any]:
    """Seconds of each playbook in each way, and how many times as long the packed one takes (of the medians)."""
    seconds: dict[str, dict[str, list[float]]] = {name: {way: [] for way in WAYS} for name in PLAYBOOKS}
    # The first run of all pays for files that are not in the page cache yet.
    for run in range(runs + 1):
        for name, command in PLAYBOOKS.items():
            for way, direct in WAYS.items():
                began = time.monotonic()
                stage.operator.play(*command, "-e", f"bg_direct_execution={direct}", name=f"{name}-{way}")
                if run:
                    seconds[name][way].append(time.monotonic() - began)
        print(f"benchmark: round {run} of {runs}", flush=True)
    return {
        name: {
            **{way: spread(values) for way, values in ways.items()},
            "ratio": round(statistics.median(ways["packed"]) / statistics.median(ways["direct"]), 2),
        }
        for name, ways in seconds.items()
    }


def main() -> int:
    """Measure; 0 when the direct way is the faster one in every playbook."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.direct", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="runs of each playbook in each way")
    options = parser.parse_args()
    place = find_place(bring_up=False)
    try:
        with staged(place, new_names(), BUILD / "bench" / "direct") as stage:
            stage.produce(100).stop()  # until blue has joined its group and works
            result = measure(stage, options.runs)
    except DemoError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    OUT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    return 0 if all(found["ratio"] > 1 for found in result.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
