# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An alert rolls back only what it is about, only after the flip, only within the window; all others are told why not."""

from __future__ import annotations

import json
import typing as t
import urllib.parse
from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal, Run
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.alert_guard import (
    MOST_CAUSE,
    AlertVerdict,
    faults_of_labels,
    judge_alerts,
    read_alerts,
)

NOW = "2026-01-01T00:30:00.000000Z"
FLIP = "2026-01-01T00:00:00.250000Z"
SWITCHED = ActiveRecord("green", 7, 7, "stable", "blue", FLIP)
NEVER = "0001-01-01T00:00:00Z"


def alert(labels: dict[str, t.Any] | None = None, **own: t.Any) -> dict[str, t.Any]:
    """An alert that is a reason, in the form in which Alertmanager sends it."""
    known = {"alertname": "BGActiveColourFailing", "bg_action": "rollback", "severity": "critical"}
    about = {"app": "orders", "namespace": "shop", "colour": "green"}
    return {
        "status": "firing",
        "labels": {**known, **about, **(labels or {})},
        "annotations": {"summary": "green of orders fails 5 % of its records"},
        "startsAt": "2026-01-01T00:10:00.123456789Z",
        "endsAt": NEVER,
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "0123456789abcdef",
        **own,
    }


def run(direction: str = "switch", status: str = "done") -> Run:
    source, target = ("blue", "green") if direction == "switch" else ("green", "blue")
    return Run("r-1", direction, "hot", source, target, "me", "now", 5, status=status)


DONE = Journal(run())


def judge(*alerts: dict[str, t.Any], record: ActiveRecord = SWITCHED, journal: Journal = DONE) -> AlertVerdict:
    return judge_alerts(read_alerts(json.dumps(alerts)), "orders", "shop", record, journal, NOW)


def test_labels_that_tell_clusters_apart() -> None:
    def verdict(**labels: str) -> AlertVerdict:
        alerts = read_alerts(json.dumps([alert(labels)]))
        return judge_alerts(alerts, "orders", "shop", SWITCHED, DONE, NOW, {"cluster": "east"})

    assert verdict(cluster="east").rollback
    assert not verdict(cluster="west").rollback
    assert "its label cluster is 'west', not 'east'" in verdict(cluster="west").reason
    assert "its label cluster is '', not 'east'" in verdict().reason


@pytest.mark.parametrize(
    ("received", "told"),
    [("2026-01-01T00:27:59Z", "came 121 s ago"), ("yesterday", "no RFC 3339"), ("2026-01-01T00:29:00", "no RFC")],
)
def test_a_message_that_waited_is_not_believed(received: str, told: str) -> None:
    alerts = read_alerts(json.dumps([alert()]))
    verdict = judge_alerts(alerts, "orders", "shop", SWITCHED, DONE, NOW, received=received)
    assert not verdict.rollback
    assert told in verdict.reason
    assert judge_alerts(alerts, "orders", "shop", SWITCHED, DONE, NOW, received="2026-01-01T00:28:01.5+00:00").rollback


@pytest.mark.parametrize("phase", ["stable", "rolling-back"])
def test_a_rollback_that_died_is_finished(phase: str) -> None:
    """One that lives holds the lock, and the record has another epoch when that is free."""
    assert judge(alert(), record=replace(SWITCHED, phase=phase), journal=Journal(run("rollback", "running"))).rollback


@pytest.mark.parametrize("value", ["", 1, True, None])
def test_a_label_that_no_alert_can_have(value: t.Any) -> None:
    assert faults_of_labels({"cluster": value})
    assert faults_of_labels({"cluster": "east"}) == []


def test_a_reason() -> None:
    verdict = judge(alert())
    assert verdict.rollback
    assert verdict.cause == "BGActiveColourFailing: green of orders fails 5 % of its records"
    assert "2026-01-01T00:10:00.123456789Z" in verdict.reason


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (alert({"app": "orders2"}), "not about orders in shop but about orders2 in shop"),
        (alert({"namespace": "shop2"}), "not about orders in shop but about orders in shop2"),
        (alert({"app": None}), "about none in shop"),
        (alert({"app": ["orders"]}), "about none in shop"),
        (alert(labels={"bg_action": "page"}), "bg_action is 'page', not 'rollback'"),
        (alert(labels={"bg_action": None}), "bg_action is ''"),
        (alert(status="resolved"), "is resolved, not firing"),
        (alert(status=None), "is without a status, not firing"),
        (alert({"colour": "blue"}), "is about colour 'blue', and green is active"),
        (alert({"colour": "GREEN"}), "is about colour 'GREEN', and green is active"),
        (alert({"colour": None}), "is about colour '', and green is active"),
        (alert(labels=None) | {"labels": "orders"}, "about none in none"),
        ({}, "about none in none"),
    ],
)
def test_no_reason(changed: dict[str, t.Any], told: str) -> None:
    verdict = judge(changed)
    assert not verdict.rollback
    assert told in verdict.reason
    assert verdict.reason.startswith("No rollback: ")
    assert verdict.cause == ""


@pytest.mark.parametrize(
    ("starts", "after"),
    [
        ("2026-01-01T00:00:00.250000Z", False),  # the very moment of the flip
        ("2026-01-01T00:00:00.250001Z", True),
        ("2026-01-01T00:00:00.250001999Z", True),
        ("2026-01-01T00:00:00.25Z", False),
        ("2025-12-31T23:59:59.999999999Z", False),
        # As texts these would be after and before the flip.
        ("2026-01-01T01:00:00+02:00", False),
        ("2025-12-31T23:00:01-05:00", True),
        ("2026-01-01T00:00:01Z", True),
        (NEVER, False),
        ("0001-01-01T00:00:00+14:00", False),
        ("9999-12-31T23:59:59-14:00", True),
    ],
)
def test_times_are_compared_as_times(starts: str, after: bool) -> None:
    verdict = judge(alert(startsAt=starts))
    assert verdict.rollback == after
    assert after or f"began at {starts}, not after the flip at {FLIP}" in verdict.reason


@pytest.mark.parametrize(
    "starts", ["", "yesterday", "2026-01-01T00:10:00", "2026-01-01", "1767226200", 1767226200, None]
)
def test_what_is_no_time_is_no_reason(starts: object) -> None:
    verdict = judge(alert(startsAt=starts))
    assert not verdict.rollback
    assert "not two RFC 3339 times" in verdict.reason


def test_a_flip_that_is_no_time_is_no_reason() -> None:
    assert "not two RFC 3339 times" in judge(alert(), record=replace(SWITCHED, switch_timestamp="soon")).reason


@pytest.mark.parametrize(
    ("record", "journal", "told"),
    [
        (ActiveRecord.first("green"), Journal(), "nothing was ever switched"),
        (replace(SWITCHED, rollback_window=60), DONE, "the rollback window of 60 s closed 1739 s ago"),
        (replace(SWITCHED, phase="verifying", rollback_window=60), Journal(run(status="running")), "closed 1739 s ago"),
        (replace(SWITCHED, rollback_allowed=False), DONE, "somebody set rollback-allowed to false"),
        # Green is what a rollback restored.
        (
            replace(SWITCHED, rollback_allowed=False, activated_epoch=5),
            Journal(run("rollback")),
            "a rollback would leave green active",
        ),
        (
            replace(SWITCHED, phase="switching", epoch=8),
            Journal(run(status="running")),
            "run r-1 (switch to green) is under way",
        ),
        (replace(SWITCHED, phase="switching", epoch=8), Journal(), "a hand-over is under way"),
        (replace(SWITCHED, previous=""), DONE, "the record has no previous-version"),
    ],
)
def test_the_application_can_not_go_back(record: ActiveRecord, journal: Journal, told: str) -> None:
    verdict = judge(alert(), record=record, journal=journal)
    assert not verdict.rollback
    assert told in verdict.reason


def test_a_bake_is_no_obstacle() -> None:
    baking = replace(SWITCHED, phase="verifying")
    assert judge(alert(), record=baking, journal=Journal(run(status="running"))).rollback


def test_each_alert_of_a_message_is_judged() -> None:
    fine, old = alert(), alert(startsAt="2025-01-01T00:00:00Z")
    other = alert({"app": "other"})
    assert judge(other, old, fine).rollback
    assert judge(fine, fine).rollback
    verdict = judge(other, old, alert(status="resolved"))
    assert not verdict.rollback
    assert "not after the flip" in verdict.reason
    assert "is resolved" in verdict.reason
    assert "other" not in verdict.reason


def test_a_label_in_another_alert_does_not_count() -> None:
    """What they have in common is not what each of them says."""
    assert not judge(alert({"colour": "blue"}), alert({"app": "other"}), alert(status="resolved")).rollback


def test_an_empty_message() -> None:
    assert judge().reason == "No rollback: the message is not about orders in shop but about nothing."


def test_many_alerts_are_a_short_message() -> None:
    reason = judge(*[alert({"alertname": f"a{number}", "colour": "blue"}) for number in range(40)]).reason
    assert "; 35 more" in reason
    assert len(reason) < 500


def test_text_from_outside_is_one_short_line() -> None:
    nasty = "x\n\x1b[31m{{ lookup('pipe', 'id') }}\u2028" + "y" * 5000
    verdict = judge(alert({"alertname": nasty}, annotations={"summary": nasty}))
    assert verdict.rollback
    assert len(verdict.cause) == MOST_CAUSE
    assert verdict.cause.isprintable()
    refused = judge(alert({"app": nasty})).reason
    assert refused.isprintable()
    assert len(refused) < 300


def test_percent_encoded_or_not() -> None:
    text = json.dumps([alert(annotations={"summary": "5 % %41 {{ ä }}"})])
    assert read_alerts(urllib.parse.quote(text)) == read_alerts(text)
    assert "{" not in urllib.parse.quote(text)
    assert read_alerts(text)[0].summary == "5 % %41 {{ ä }}"


@pytest.mark.parametrize(
    "text", ["nonsense", "{}", "[1]", "null", '"[]"', "%ff", "[" * 100_000, json.dumps({"alerts": [alert()]}), "[{]"]
)
def test_what_is_no_list_of_alerts_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettingsError) as raised:
        read_alerts(text)
    [fault] = raised.value.faults
    assert "it must be the list 'alerts' of a message of Alertmanager's webhook" in fault
    assert len(fault) < 400
