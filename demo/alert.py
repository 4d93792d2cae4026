# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m demo.alert``: a version that begins to fail after its switch was closed is rolled back by an alert.

The consumers' own counters in a real Prometheus, a rule that fires, Alertmanager, the rulebook of the collection, the rollback. Then
everything that must not roll anything back: another application, a resolved alert, a wrong token, the same message twice, an alert
outside of the rollback window.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import shutil
import signal
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

import testbed
from demo.application import APP
from demo.environment import BUILD, DemoError, Environment, find_environment, new_names
from demo.receiver import Monitoring, Receiver, wait_for
from demo.sandbox import Sandbox, sandboxed

OUT = BUILD / "alert"
RATE = 100
"""Records a second over all partitions."""
FAILS_AFTER = 8
"""Seconds after its first record: by then the switch is closed."""
FAULT = f"errors:0.05@{FAILS_AFTER}"
BACK_WITHIN = 10.0
"""Seconds from the first evaluation in which the alert fires until blue is at work, in the median."""
ALERT = "BGActiveColourFailing"
RECORD = f"{APP}-active-version"
JOURNAL = f"{APP}-bg-journal"
RULES = {"monitoring_failing_seconds": 10, "monitoring_failing_for": "0s"}
"""What the rules are rendered with: a demonstration has seconds where a real one has minutes. Prometheus looks once a second."""
PATIENCE = 120.0
"""Seconds for anything that has to come by itself."""


def say(text: str) -> None:
    """One line of progress."""
    print(f"demo: {text}", flush=True)


def seconds_of(moment: str) -> float:
    """Unix time of RFC 3339."""
    return datetime.datetime.fromisoformat(moment).timestamp()


@contextlib.contextmanager
def _rules(sandbox: Sandbox, monitoring: Monitoring, env: Mapping[str, str]) -> Iterator[None]:
    """The rules of the collection with other windows, in place of those that the Prometheus of the bed has."""
    place = Path(env["TESTBED_RULES_FILE"])
    rendered = sandbox.out / "rules"
    rendered.mkdir()
    variables = {**RULES, "monitoring_directory": str(rendered)}
    sandbox.operator.play("alert_rules", "-e", json.dumps(variables), name="rules")
    usual = place.read_bytes()
    shutil.copy(rendered / "rules.yml", place)
    try:
        monitoring.reload()
        yield
    finally:
        place.write_bytes(usual)
        monitoring.reload()


class Stage:
    """The application, and what watches it."""

    def __init__(self, sandbox: Sandbox, monitoring: Monitoring, receiver: Receiver, reports: Path) -> None:
        self.sandbox = sandbox
        self.monitoring = monitoring
        self.receiver = receiver
        self._reports = reports
        self._namespace = sandbox.names.namespace
        self._matchers = f'alertname="{ALERT}",namespace="{self._namespace}",app="{APP}"'

    def state(self) -> dict[str, Any]:
        """All that a run writes."""
        return {name: self.sandbox.app.data(name) for name in (RECORD, JOURNAL)}

    def record(self) -> dict[str, str]:
        """The active record."""
        return self.sandbox.app.data(RECORD) or {}

    def to_green(self, fault: str, name: str) -> dict[str, str]:
        """Switch to a green with a fault; the record after it."""
        self.sandbox.app.scale("green", 0)
        self.sandbox.app.set_variable("green", "BG_FAULT", fault)
        self.sandbox.app.wait_ready("green", 60)
        self.sandbox.operator.real("switch", "-e", "bg_target=green", name=name)
        return self.record()

    def quiet(self) -> None:
        """Until Alertmanager has forgotten the last alert: a new one is then told at once, like the first one."""
        wait_for("the end of the alert", lambda: not self.monitoring.groups(self._namespace), PATIENCE)

    def fires(self, after: str) -> float:
        """Unix time at which the alert begins to fire, after a moment."""
        since = seconds_of(after)
        return float(
            wait_for("a firing alert", lambda: self.monitoring.firing_since(self._matchers, since), PATIENCE, 0.5)
        )

    def rolled_back(self, number: int) -> dict[str, Any]:
        """The report of the rollback of that number."""

        def found() -> list[Path]:
            paths = sorted(self._reports.glob("*.json"), key=lambda path: path.stat().st_mtime)
            return paths if len(paths) > number else []

        path = wait_for(f"the report of rollback {number + 1}", found, PATIENCE)[-1]
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return report

    def message(self, labels: Mapping[str, str] | None = None, status: str = "firing") -> dict[str, Any]:
        """A message as Alertmanager would send it now, about green of this application."""
        known = {"alertname": ALERT, "bg_action": "rollback", "colour": "green"}
        about = {**known, "app": APP, "namespace": self._namespace, **(labels or {})}
        now = datetime.datetime.now(datetime.UTC).isoformat()
        alert = {"status": status, "labels": about, "annotations": {"summary": "sent by hand"}, "startsAt": now}
        return {"version": "4", "groupKey": f"by hand {now}", "status": status, "alerts": [alert]}


def _once(stage: Stage, number: int) -> dict[str, Any]:
    """One version that begins to fail, until blue is back."""
    before, played = stage.record(), stage.receiver.played()
    switched = stage.to_green(FAULT, f"switch-{number}")
    firing = stage.fires(switched["switch-timestamp"])
    report = stage.rolled_back(number)
    steps = report["handover"]["steps"]
    back = next(seconds_of(step["finished"]) for step in steps if step["name"] == "activate target")
    begun = seconds_of(steps[0]["started"])
    # Messages that an earlier alert has ended come before.
    received = min((moment for moment in map(seconds_of, stage.receiver.received()) if moment > firing), default=firing)
    wait_for("the end of the playbook", lambda: stage.receiver.played() > played, PATIENCE)
    after = stage.record()
    found = {
        "from_flip_to_firing": round(firing - seconds_of(switched["switch-timestamp"]), 2),
        "from_firing_to_message": round(received - firing, 2),
        "from_message_to_hand_over": round(begun - received, 2),
        "from_hand_over_to_blue": round(back - begun, 2),
        "from_firing_to_blue": round(back - firing, 2),
        "reason": json.loads((stage.sandbox.app.data(JOURNAL) or {})["run"])["note"],
        "active": after["active"],
        # A switch and a rollback arm and flip once each: more would be a second rollback.
        "epochs": int(after["epoch"]) - int(before["epoch"]),
    }
    found["ok"] = found["active"] == "blue" and found["epochs"] == 4 and ALERT in found["reason"]
    say(f"alert {number + 1}: {found['from_firing_to_blue']} s from firing to blue at work: {found['reason']}")
    stage.quiet()
    return found


def _changes_nothing(stage: Stage, name: str, message: Mapping[str, Any], told: str, token: str | None = None) -> bool:
    """Send a message and wait until the playbook it starts has ended: the state is what it was, and the reason is told."""
    before, played, already = stage.state(), stage.receiver.played(), len(stage.receiver.said())
    status = stage.receiver.post(message, token)
    wait_for(f"the answer to {name}", lambda: stage.receiver.played() > played, PATIENCE)
    same = stage.state() == before and told in " ".join(stage.receiver.said()[already:].split())
    say(f"{name}: {status}, {'nothing changed' if same else 'NOT AS IT SHOULD BE'}")
    return same and status == 200


def _ignored(stage: Stage, name: str, message: Mapping[str, Any], status: int, token: str | None = None) -> bool:
    """Send a message that starts no playbook. One that does is sent after it, so that it had its time."""
    before, played = stage.state(), stage.receiver.played()
    seen = stage.receiver.post(message, token)
    other = _changes_nothing(stage, f"another application, after {name}", stage.message({"app": "other"}), "")
    same = stage.state() == before and stage.receiver.played() == played + 1 and seen == status and other
    say(f"{name}: {seen}, {'nothing changed' if same else 'NOT AS IT SHOULD BE'}")
    return same


def _negative(stage: Stage) -> dict[str, bool]:
    """All that must not roll back, while green is at work and does well; last a real alert outside of the window."""
    twice = _changes_nothing(
        stage, "the alert once more after its rollback", stage.message(), "is about colour 'green', and blue is"
    )
    stage.to_green("", "switch-good")
    found = {
        "twice": twice,
        "other_application": _changes_nothing(
            stage, "another application", stage.message({"app": f"{APP}-2"}), f"not about {APP} in"
        ),
        "other_namespace": _changes_nothing(
            stage, "another namespace", stage.message({"namespace": "elsewhere"}), "in elsewhere"
        ),
        "standby_colour": _changes_nothing(
            stage, "the colour that stands by", stage.message({"colour": "blue"}), "is about colour 'blue'"
        ),
        "wrong_token": _ignored(stage, "a wrong token", stage.message(), 401, "wrong"),
        "resolved": _ignored(stage, "resolved", stage.message(status="resolved"), 200),
    }
    stage.sandbox.operator.real("rollback", name="rollback-good")
    found["outside_of_the_window"] = _outside(stage)
    return found


def _outside(stage: Stage) -> bool:
    """A version that fails in earnest, and an alert that comes when the window is over."""
    window, played = stage.record()["rollback-window"], stage.receiver.played()
    switched = stage.to_green(FAULT, "switch-late")
    stage.sandbox.app.patch_data(RECORD, {"rollback-window": "1"})
    before = stage.state()
    stage.fires(switched["switch-timestamp"])
    wait_for("the answer to an alert outside of the window", lambda: stage.receiver.played() > played, PATIENCE)
    same = stage.state() == before and "the rollback window of 1 s closed" in " ".join(stage.receiver.said().split())
    say(f"outside of the window: {'nothing changed' if same else 'NOT AS IT SHOULD BE'}")
    stage.sandbox.app.patch_data(RECORD, {"rollback-window": window})
    return same


def _inventories(sandbox: Sandbox, env: Mapping[str, str], reports: Path) -> Path:
    """Let every run publish its metrics, which the rules need, and write the inventory of the rulebook."""
    inventory = sandbox.out / "receiver.yml"
    described = yaml.safe_load(sandbox.operator.inventory.read_text(encoding="utf-8"))
    host = described["bluegreen"]["hosts"][APP]
    host["bg_metrics"] = {"pushgateway": {"url": env["PUSHGATEWAY_URL"]}}
    sandbox.operator.inventory.write_text(yaml.safe_dump(described), encoding="utf-8")
    host["bg_report_dir"] = str(reports)
    inventory.write_text(yaml.safe_dump(described), encoding="utf-8")
    return inventory


def perform(sandbox: Sandbox, env: Mapping[str, str], times: int, within: float) -> dict[str, Any]:
    """Play everything under load, then audit all of it. within: seconds that are wanted in the median."""
    monitoring, reports = Monitoring(env), sandbox.out / "reports"
    inventory, log = _inventories(sandbox, env, reports), sandbox.out / "rulebook.log"
    with (
        _rules(sandbox, monitoring, env),
        Receiver(env, sandbox.operator.env, inventory, log) as receiver,
        monitoring.published(APP, sandbox.names.namespace),
    ):
        say(f"Prometheus watches, the rulebook listens; {RATE} records a second on the way")
        stage = Stage(sandbox, monitoring, receiver, reports)
        producer = sandbox.produce(RATE, linger=50, seconds=600 + 120 * times)
        try:
            found = [_once(stage, number) for number in range(times)]
            negative = _negative(stage)
        finally:
            produced = producer.stop()
        say(f"producer stopped after {produced['records']} records; audit")
    whole = sandbox.audits.audit("all", None, None, wait=120)
    return {
        "alerts": found,
        "median": statistics.median(run["from_firing_to_blue"] for run in found),
        "wanted": within,
        "negative": negative,
        "records": whole["processed"],
        "produced": produced["records"],
        "lost": whole["lost"]["count"],
        "duplicated": whole["duplicated"]["count"],
    }


def is_fine(result: Mapping[str, Any]) -> bool:
    """Whether everything is as it has to be."""
    return bool(
        result["alerts"]
        and all(run["ok"] for run in result["alerts"])
        and result["median"] <= result["wanted"]
        and all(result["negative"].values())
        and result["records"]
        and not result["lost"]
        and not result["duplicated"]
    )


def _environment() -> tuple[Environment, dict[str, str]]:
    environment = find_environment()
    if not environment.own_bed:
        raise DemoError(
            "Nothing was changed. The Prometheus of this demonstration is that of the test bed: unset KUBECONFIG"
        )
    return environment, testbed.up(["monitoring"])


def main() -> int:
    """Run it; 0 when every alert rolled back in time, nothing else did, and nothing was lost or processed twice."""
    parser = argparse.ArgumentParser(prog="python -m demo.alert", description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="alerts (default 5)")
    parser.add_argument(
        "--within",
        type=float,
        default=BACK_WITHIN,
        help="seconds from firing to blue at work that are good enough in the median (default %(default)s)",
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started = time.monotonic()
    try:
        environment, env = _environment()
        shutil.rmtree(OUT, ignore_errors=True)
        with sandboxed(environment, new_names(), OUT, replicas=2) as sandbox:
            result = perform(sandbox, env, options.times, options.within)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    path = BUILD / "demo-alert.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    ok = is_fine(result)
    say(
        f"{sum(run['ok'] for run in result['alerts'])} of {len(result['alerts'])} alerts rolled back, {result['median']} s from firing "
        f"to blue at work in the median (<= {options.within:g}), {sum(result['negative'].values())} of {len(result['negative'])} "
        f"others changed nothing, {result['lost']} lost, {result['duplicated']} twice of {result['records']} records, "
        f"{time.monotonic() - started:.0f} s: {path}"
    )
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
