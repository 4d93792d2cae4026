# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook that a rulebook starts, without Prometheus: what Alertmanager would send is handed to it as the rulebook does."""

from __future__ import annotations

import datetime
import json
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from demo.application import APP
from demo.playbooks import Finished
from demo.sandbox import Sandbox
from tests.bed.playbooks.watching import JOURNAL, RECORD, PlaybookRun, recap, said_of, written

pytestmark = pytest.mark.bed

PLAYBOOK = "rollback_on_alert"
NOW = datetime.datetime.now(datetime.UTC)


def alert(namespace: str, labels: dict[str, Any] | None = None, **own: Any) -> dict[str, Any]:
    """An alert that is a reason once green was made active, as Alertmanager sends it."""
    known = {"alertname": "BGActiveColourFailing", "bg_action": "rollback"}
    starts = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f789Z")
    return {
        "status": "firing",
        "labels": {**known, "app": APP, "namespace": namespace, "colour": "green", **(labels or {})},
        "annotations": {"summary": "green fails 5 % of its records"},
        "startsAt": starts,
        "endsAt": "0001-01-01T00:00:00Z",
        **own,
    }


def encoded(*alerts: dict[str, Any]) -> str:
    """As the rulebook hands them over."""
    return urllib.parse.quote(json.dumps(alerts))


def send(sandbox: Sandbox, *alerts: dict[str, Any], name: str = "alert") -> Finished:
    return sandbox.operator.attempt(PLAYBOOK, "-e", f"bg_alerts={encoded(*alerts)}", name=name)


@pytest.fixture(scope="module")
def namespace(sandbox: Sandbox) -> str:
    return sandbox.names.namespace


@pytest.fixture(scope="module")
def never_switched(sandbox: Sandbox, namespace: str) -> tuple[Finished, bool]:
    """What became of an alert before the first switch, and whether anything was written."""
    before = written(sandbox)
    done = send(sandbox, alert(namespace, {"colour": "blue"}), name="never-switched")
    return done, written(sandbox) == before


@pytest.fixture(scope="module")
def switched(sandbox: Sandbox, never_switched: object) -> None:
    """Green is active."""
    sandbox.operator.real("switch", "-e", "bg_target=green", name="to-green")


def test_an_application_that_was_never_switched(never_switched: tuple[Finished, bool]) -> None:
    done, untouched = never_switched
    assert done.code == 0, done.output
    assert "nothing was ever switched" in said_of(done.output)[APP]
    assert untouched


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "other-application": ({"app": "other"}, {}, f"not about {APP}"),
    "longer-name": ({"app": f"{APP}-2"}, {}, f"not about {APP} in"),
    "other-namespace": ({"namespace": "elsewhere"}, {}, "but about order-consumer in elsewhere"),
    "other-colour": ({"colour": "blue"}, {}, "is about colour 'blue', and green is active"),
    "only-a-page": ({"bg_action": "page"}, {}, "does not ask for it"),
    "resolved": ({}, {"status": "resolved"}, "is resolved, not firing"),
    "before-the-flip": ({}, {"startsAt": (NOW - datetime.timedelta(days=1)).isoformat()}, "not after the flip"),
    "no-time": ({}, {"startsAt": ""}, "not two RFC 3339 times"),
}


@pytest.fixture(scope="module")
def refused(sandbox: Sandbox, namespace: str, switched: None) -> tuple[Finished, dict[str, str]]:
    """One run over the application with every alert that is no reason, each as a host of its own."""
    [described] = yaml.safe_load(sandbox.operator.inventory.read_text(encoding="utf-8"))["bluegreen"]["hosts"].values()
    hosts = {
        case: {**described, "bg_app": APP, "bg_alerts": encoded(alert(namespace, labels, **own))}
        for case, (labels, own, _expected) in REFUSED.items()
    }
    inventory = sandbox.out / "refused.yml"
    inventory.write_text(yaml.safe_dump({"refused": {"hosts": hosts}}), encoding="utf-8")
    before = written(sandbox)
    done = sandbox.operator.attempt(PLAYBOOK, "-i", str(inventory), "-e", "bg_hosts=refused", name="refused")
    assert written(sandbox) == before, "a no has changed something"
    return done, said_of(done.output)


@pytest.mark.parametrize("case", REFUSED)
def test_a_no_is_a_sentence_and_no_error(refused: tuple[Finished, dict[str, str]], case: str) -> None:
    done, said = refused
    assert done.code == 0, done.output
    assert recap(done.output, case)["failed"] == 0
    assert REFUSED[case][2] in said[case], said[case]


def test_nonsense_is_an_error(sandbox: Sandbox, switched: None) -> None:
    before = written(sandbox)
    for given, told in (("", "bg_alerts is not set"), ("order-consumer", "alerts is not JSON")):
        done = sandbox.operator.attempt(PLAYBOOK, "-e", f"bg_alerts={given}", name="nonsense")
        assert done.code != 0
        assert told in said_of(done.output)[APP], done.output
    assert written(sandbox) == before


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"rollback-window": "0"}, "the rollback window of 0 s closed"),
        ({"rollback-allowed": "false"}, "set rollback-allowed to false"),
    ],
)
def test_outside_of_the_window(
    sandbox: Sandbox, namespace: str, switched: None, data: dict[str, str], told: str
) -> None:
    known = sandbox.app.data(RECORD) or {}
    sandbox.app.patch_data(RECORD, data)
    try:
        before = written(sandbox)
        done = send(sandbox, alert(namespace), name="closed")
        assert done.code == 0, done.output
        assert told in said_of(done.output)[APP]
        assert written(sandbox) == before
    finally:
        sandbox.app.patch_data(RECORD, {key: known[key] for key in data})


def test_check_mode_changes_nothing(sandbox: Sandbox, namespace: str, switched: None) -> None:
    before = written(sandbox)
    done = sandbox.operator.attempt(PLAYBOOK, "--check", "-e", f"bg_alerts={encoded(alert(namespace))}", name="check")
    assert done.code == 0, done.output
    assert "the alert began after green became active" in said_of(done.output)[APP]
    assert written(sandbox) == before


@pytest.fixture(scope="module")
def rolled_back(sandbox: Sandbox, namespace: str, switched: None) -> tuple[Finished, dict[str, Any], Finished]:
    """One message with alerts of two applications and two of ours, with templates in it; then the same once more."""
    epoch = int((sandbox.app.data(RECORD) or {})["epoch"])
    trace = sandbox.out / "template-was-run"
    nasty = "{{ lookup('pipe', 'touch " + str(trace) + "') }}"
    ours = alert(namespace, annotations={"summary": nasty})
    message = (alert(namespace, {"app": "other"}), ours, alert(namespace, {"alertname": nasty}))
    done = send(sandbox, *message, name="reason")
    found = {
        "record": sandbox.app.data(RECORD) or {},
        "run": json.loads((sandbox.app.data(JOURNAL) or {})["run"]),
        "epochs": int((sandbox.app.data(RECORD) or {})["epoch"]) - epoch,
        "trace": trace.exists(),
        "summary": nasty,
    }
    before = written(sandbox)
    again = send(sandbox, *message, name="twice")
    assert written(sandbox) == before, "the second message has changed something"
    return done, found, again


def test_a_reason_rolls_back_once(rolled_back: tuple[Finished, dict[str, Any], Finished]) -> None:
    done, found, again = rolled_back
    assert done.code == again.code == 0, done.output
    assert (found["record"]["active"], found["record"]["phase"]) == ("blue", "stable")
    assert found["epochs"] == 2  # armed and flipped, once
    assert found["run"]["direction"] == "rollback"
    assert "is about colour 'green', and blue is active" in said_of(again.output)[APP]


def test_what_an_alert_says_is_text(rolled_back: tuple[Finished, dict[str, Any], Finished]) -> None:
    _done, found, _again = rolled_back
    assert not found["trace"], "a template in an alert was run"
    assert found["run"]["note"] == f"BGActiveColourFailing: {found['summary']}"


def test_two_rulebooks_at_once_roll_back_once(
    sandbox: Sandbox, namespace: str, rolled_back: tuple[Finished, dict[str, Any], Finished]
) -> None:
    """The later one is told that it is done already, or that the record it judged has moved on."""
    sandbox.operator.real("switch", "-e", "bg_target=green", name="to-green-again")
    epoch = int((sandbox.app.data(RECORD) or {})["epoch"])
    message = alert(namespace)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda number: send(sandbox, message, name=f"at-once-{number}"), range(2)))
    record = sandbox.app.data(RECORD) or {}
    assert (record["active"], record["phase"], int(record["epoch"]) - epoch) == ("blue", "stable", 2)
    late = [finished.output for finished in done if finished.code != 0]
    assert len(late) < 2
    assert all("Nothing was changed: this run was decided at epoch" in " ".join(output.split()) for output in late)


def test_during_a_bake_it_takes_over_at_once(
    sandbox: Sandbox, namespace: str, rolled_back: tuple[Finished, dict[str, Any], Finished]
) -> None:
    with PlaybookRun(sandbox, "switch", "-e", "bg_target=green", "-e", "bg_bake=600") as watching:
        watching.wait_for("green at work", lambda: (sandbox.app.data(RECORD) or {})["phase"] == "verifying")
        done = send(sandbox, alert(namespace), name="in-the-bake")
        assert done.code == 0, done.output
        record = sandbox.app.data(RECORD) or {}
        assert (record["active"], record["phase"]) == ("blue", "stable")
        code, output = watching.wait()
        assert code != 0, output
