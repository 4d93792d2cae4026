# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m demo``: bed up, a producer at work, status, plan, hot switch, hot rollback, cold switch, audit."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import time
from typing import Any

import testbed
from demo.audits import Offsets
from demo.environment import BUILD, OUT, DemoError, Environment, find_environment, new_names
from demo.playbooks import Finished
from demo.report import as_text
from demo.sandbox import Sandbox, sandboxed

RATE = 1000
"""Records a second over all partitions."""
SETTLE = 3.0
"""Seconds between two runs, so that each audit window holds records of both colours."""
WARM = 28.0
"""Processor seconds after which a broker of the test bed has compiled most of what it runs often: three quarters or more of
all that it compiled, in the demonstration that was looked at."""
TRAFFIC = 75.0
"""Seconds of traffic after which the runs begin in any case: a faster machine needs less processor time."""
RUNS = (
    ("hot switch", "switch", "hot"),
    ("hot rollback", "rollback", "hot"),
    ("cold switch", "switch", "cold"),
)

Done = tuple[str, str, str, Finished, Offsets]


def say(text: str) -> None:
    """One line of progress."""
    print(f"demo: {text}", flush=True)


def perform(sandbox: Sandbox) -> dict[str, Any]:
    """Play every run under load and audit each; returns the content of demo.json."""
    say(f"application deployed, {RATE} records a second on the way")
    producer, started = sandbox.produce(RATE, linger=50), time.monotonic()
    done: list[Done] = []
    try:
        say("status")
        sandbox.operator.play("status", name="status")
        say("plan (--check --diff)")
        sandbox.operator.play("switch", "--check", "--diff", name="plan")
        wait_warm(sandbox.environment, since=started)
        for name, playbook, mode in RUNS:
            start = sandbox.audits.end_offsets()
            say(f"{name} ...")
            finished = sandbox.operator.real(playbook, "-e", f"bg_mode={mode}", name=name.replace(" ", "-"))
            say(f"{name} took {finished.seconds:.1f} s")
            done.append((name, playbook, mode, finished, start))
            time.sleep(SETTLE)
            sandbox.audits.wait_caught_up(finished.report["decision"]["target"], 60)
    finally:
        produced = producer.stop()
    say(f"producer stopped after {produced['records']} records; audit")
    return assess(sandbox, produced, done)


def wait_warm(environment: Environment, since: float) -> None:
    """Let the traffic that began at ``since`` go on until the brokers of the test bed are warm.

    Until then they keep both processors of a small machine busy with compiling, and what is measured is that. No broker at
    work is that young.
    """
    if not environment.own_bed or testbed.broker_seconds() >= WARM:
        return
    say("the brokers have just started; the runs begin when they have compiled what they run often ...")
    while testbed.broker_seconds() < WARM and time.monotonic() - since < TRAFFIC:
        time.sleep(0.5)
    say(f"{time.monotonic() - since:.0f} s of traffic")


def assess(sandbox: Sandbox, produced: dict[str, Any], done: list[Done]) -> dict[str, Any]:
    """Audit the whole and each run, and hear the witness."""
    audits = sandbox.audits
    whole = audits.audit("all", None, None, wait=90)
    ends = [*(start for *_rest, start in done[1:]), audits.end_offsets()]
    runs = []
    for (name, playbook, mode, finished, start), end in zip(done, ends, strict=True):
        found = audits.audit(name.replace(" ", "-"), start, end, wait=10)
        runs.append(_run_result(name, playbook, mode, finished, found))
    active = done[-1][3].report["decision"]["target"]
    seen = audits.witness(active)
    audited = {tp.rsplit("-", 1)[1]: window["end"] for tp, window in whole["window"].items()}
    return {
        "produced": produced["records"],
        "rate": produced["perSecond"],
        "partitions": len(audited),
        "runs": runs,
        "audit": {
            "ok": whole["ok"],
            "records": whole["processed"],
            **{name: whole[key]["count"] for name, key in AUDITED},
        },
        "witness": {
            "tool": "ConsumerGroupCommand" if seen else "none at hand",
            "group": sandbox.names.group(active),
            "partitions": seen,
            "agrees": {number: row["current"] for number, row in seen.items()} == audited if seen else None,
        },
    }


AUDITED = (("lost", "lost"), ("duplicated", "duplicated"), ("out_of_order", "outOfOrder"))


def _run_result(name: str, playbook: str, mode: str, finished: Finished, found: dict[str, Any]) -> dict[str, Any]:
    changes = found["changes"]
    gap = changes[0]["gapMs"] if len(changes) == 1 else None
    return {
        "name": name,
        "mode": mode,
        "direction": playbook,
        "records": found["processed"],
        **{field: found[key]["count"] for field, key in AUDITED},
        "changes_of_colour": len(changes),
        "partitions_moved": changes[0]["partitions"] if changes else 0,
        "gap_ms": {key: gap[key] for key in ("p50", "p99", "max")} if gap else None,
        "playbook_seconds": round(finished.seconds, 2),
        "handover_ms": {step["name"]: step["ms"] for step in finished.report["handover"]["steps"]},
    }


def main() -> int:
    """Run the demonstration; 0 when nothing was lost or duplicated and the witness agrees."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the application and its topics where they are")
    options = parser.parse_args()
    # As Ctrl-C does: the producer is ended and everything is taken away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        environment, names = find_environment(), new_names()
        shutil.rmtree(OUT, ignore_errors=True)
        say(f"namespace {names.namespace}, topic {names.topic}, output in {OUT}")
        with sandboxed(environment, names, OUT, keep=options.keep) as sandbox:
            result = perform(sandbox)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    path = BUILD / "demo.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(as_text(result, path))
    return 0 if passed(result) else 1


def passed(result: dict[str, Any]) -> bool:
    """Nothing lost, nothing twice, every run moved every partition once, and the witness does not object."""
    runs_good = all(
        run["lost"] == run["duplicated"] == 0
        and run["changes_of_colour"] == 1
        and run["partitions_moved"] == result["partitions"]
        for run in result["runs"]
    )
    return bool(result["audit"]["ok"]) and runs_good and result["witness"]["agrees"] is not False


if __name__ == "__main__":
    sys.exit(main())
