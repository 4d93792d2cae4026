# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m demo.bad_version``: switches to a green that fails records, is too slow, or skips a partition.

Each has to roll itself back within the bake and a few seconds, with nothing lost and nothing twice. ``--good N`` switches to a
good green N times as well, under a rate that rises and falls by half; none of these may be rolled back.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import signal
import sys
from typing import Any

from demo.environment import BUILD, DemoError, find_environment, new_names
from demo.playbooks import Finished
from demo.sandbox import Sandbox, sandboxed

OUT = BUILD / "bad-version"
RATE = 400
"""Records a second over all partitions."""
BAKE = 30
BACK_WITHIN = 8.0
"""Seconds after the bake in which the source has to be at work again."""
FAULTS = {
    "fails 5 % of its records": ("errors:0.05", "failed records"),
    "does half the throughput": ("slow:0.02", "throughput"),  # four pods of 50 records a second
    "never reads a partition": ("stuck:0", "every partition moves"),
}
NO_FAULT = ""


def say(text: str) -> None:
    """One line of progress."""
    print(f"demo: {text}", flush=True)


def perform(sandbox: Sandbox, good: int) -> dict[str, Any]:
    """Play every run under load, then audit all of them."""
    say(f"application deployed, {RATE} records a second on the way, 50 % more and less in turn")
    producer = sandbox.produce(RATE, linger=50, vary=0.5, seconds=300 + 120 * (len(FAULTS) + 2 * good))
    try:
        bad = [_bad(sandbox, name, fault, gate) for name, (fault, gate) in FAULTS.items()]
        fine = [_good(sandbox, number) for number in range(good)]
    finally:
        produced = producer.stop()
    say(f"producer stopped after {produced['records']} records; audit")
    whole = sandbox.audits.audit("all", None, None, wait=120)
    audit = {key: whole[name]["count"] for key, name in (("lost", "lost"), ("duplicated", "duplicated"))}
    return {
        "bake": BAKE,
        "bad": bad,
        "good": fine,
        "records": whole["processed"],
        "produced": produced["records"],
        **audit,
    }


def _switch(sandbox: Sandbox, name: str) -> Finished:
    arguments = ("-e", "bg_confirm=order-consumer", "-e", "bg_target=green", "-e", f"bg_bake={BAKE}")
    return sandbox.operator.attempt("switch", *arguments, name=name)


def _prepare(sandbox: Sandbox, fault: str) -> None:
    """Green stopped, in the version that is wanted."""
    sandbox.app.scale("green", 0)
    sandbox.app.set_variable("green", "BG_FAULT", fault)
    sandbox.app.wait_ready("green", 60)


def _bad(sandbox: Sandbox, name: str, fault: str, gate: str) -> dict[str, Any]:
    _prepare(sandbox, fault)
    say(f"switch to a green that {name} ...")
    finished = _switch(sandbox, fault.partition(":")[0])
    record = sandbox.app.data("order-consumer-active-version") or {}
    failed = [row["name"] for row in finished.report.get("bake", {}).get("gates", []) if row["verdict"] == "NO-GO"]
    seconds = _seconds_back(finished)
    found = {
        "name": name,
        "exit_code": finished.code,
        "active": record.get("active"),
        "phase": record.get("phase"),
        "gates": failed,
        "seconds_from_flip_to_blue": seconds,
        "ok": finished.code == 2
        and (record.get("active"), record.get("phase")) == ("blue", "stable")
        and gate in failed
        and seconds is not None
        and seconds <= BAKE + BACK_WITHIN,
    }
    say(
        f"exit code {finished.code}, {record.get('active')} is active, {seconds} s after the flip; NO-GO: {', '.join(failed)}"
    )
    return found


def _seconds_back(finished: Finished) -> float | None:
    """From the flip to green until blue was seen at work again; None where one of the two never was."""
    flips = [
        step["finished"] for step in finished.report.get("handover", {}).get("steps", []) if step["name"] == "flip"
    ]
    backs = [
        step["finished"]
        for step in finished.report.get("rollback", {}).get("steps", [])
        if step["name"] == "activate target"
    ]
    if not flips or not backs:
        return None
    flip, back = (datetime.datetime.fromisoformat(moment) for moment in (flips[0], backs[-1]))
    return round((back - flip).total_seconds(), 1)


def _good(sandbox: Sandbox, number: int) -> dict[str, Any]:
    _prepare(sandbox, NO_FAULT)
    finished = _switch(sandbox, f"good-{number}")
    gates = {row["name"]: row["value"] for row in finished.report.get("bake", {}).get("gates", [])}
    say(f"good version {number + 1}: exit code {finished.code}, {gates.get('throughput', 'not watched')}")
    back = sandbox.operator.attempt("rollback", "-e", "bg_confirm=order-consumer", name=f"back-{number}")
    return {"exit_code": finished.code, "gates": gates, "rollback": back.code, "ok": finished.code == back.code == 0}


def main() -> int:
    """Run it; 0 when every bad version was rolled back in time, no good one was, and nothing was lost or processed twice."""
    parser = argparse.ArgumentParser(prog="python -m demo.bad_version", description=__doc__)
    parser.add_argument("--good", type=int, default=0, help="switches to a good version as well (default 0)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        environment, names = find_environment(), new_names()
        shutil.rmtree(OUT, ignore_errors=True)
        with sandboxed(environment, names, OUT) as sandbox:
            result = perform(sandbox, options.good)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    path = BUILD / "demo-bad-version.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    ok = all(run["ok"] for run in (*result["bad"], *result["good"])) and not result["lost"] and not result["duplicated"]
    say(
        f"{sum(run['ok'] for run in result['bad'])} of {len(result['bad'])} bad versions were rolled back in time, "
        f"{sum(not run['ok'] for run in result['good'])} of {len(result['good'])} good ones were not left alone, {result['lost']} lost, "
        f"{result['duplicated']} twice of {result['records']} records: {path}"
    )
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
