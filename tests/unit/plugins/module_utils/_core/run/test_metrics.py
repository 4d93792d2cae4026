# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of an application in each state that a run can leave, and when each phase is said to have begun."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import HandoffSnapshot
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal, Run
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import (
    Application,
    parse_application,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metrics import Begin, State, metrics_of
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.samples import HELP, Sample

APP = parse_application(
    {
        "name": "orders",
        "namespace": "shop",
        "topics": ["order-events"],
        "blue": {"group": "cc_blue"},
        "green": {"group": "cc_green", "workload": "orders-new"},
    }
)
MINE = {"app": "orders", "namespace": "shop"}
NOON = 1767268800.0
"""2026-01-01T12:00:00Z."""


def at(seconds: float) -> str:
    """A time after noon, as the journal writes it."""
    minutes, rest = divmod(seconds, 60)
    return f"2026-01-01T12:{int(minutes):02d}:{rest:09.6f}Z"


def told(
    record: ActiveRecord,
    journal: Journal | None = None,
    judged: t.Any = None,
    begins: Begin | None = None,
    app: Application = APP,
    **more: t.Any,
) -> dict[tuple[str, ...], float]:
    """Name and values of the labels beside app and namespace, and the value."""
    found = metrics_of(app, State(record, journal or Journal(), **more), judged, begins)
    assert all(sample.labels["app"] == app.name and sample.labels["namespace"] == app.namespace for sample in found)
    series = {
        (sample.name, *(value for name, value in sample.labels.items() if name not in MINE)): sample.value
        for sample in found
    }
    assert len(series) == len(found), "one value for each series"
    assert {sample.name for sample in found} <= set(HELP)
    return series


def phase(series: dict[tuple[str, ...], float]) -> tuple[str, float, float]:
    """The phase, seconds from noon to its begin, and whether a run is under way."""
    [(label, since)] = [
        (key[1], value) for key, value in series.items() if key[0] == "bg_phase_since_timestamp_seconds"
    ]
    return label, since - NOON, series["bg_switch_in_progress",]


def last(series: dict[tuple[str, ...], float]) -> list[tuple[str, float]]:
    return [(key[1], value - NOON) for key, value in series.items() if key[0] == "bg_switch_last_timestamp_seconds"]


FIRST = ActiveRecord.first("blue")
SWITCH = Run("r1", "switch", "hot", "blue", "green", "jane", at(10), base_epoch=1)


def hand_over(run: Run, began: float) -> Run:
    """The run as it is in the journal when it arms."""
    return run.begin("hand over", at(began))


def flipped(run: Run, began: float) -> Run:
    """The run as it is in the journal once its target is at work: the steps that it took, in milliseconds."""
    took = {
        "target joins": 3000.0,
        "arm": 20.0,
        "quiesce source": 80.0,
        "snapshot": 15.5,
        "flip": 10.0,
        "activate target": 40.5,
    }
    done = hand_over(run, began).end("hand over", at(began + 3.2), sum(took.values()))
    for name, ms in took.items():
        done = done.begin(name, at(began)).end(name, at(began), ms)
    return done


ARMED = FIRST.arm("switch", "r1")
FLIPPED = ARMED.flip("switch", at(20), snapshot="orders-bg-snapshot-a")
STABLE = FLIPPED.settle()
ENDED = flipped(SWITCH, 12).close("done", at(40))


def test_never_switched() -> None:
    metadata = {"creationTimestamp": at(0), "managedFields": []}
    series = told(FIRST, metadata=metadata)
    assert series == {
        ("bg_active_version", "blue"): 1,
        ("bg_active_version", "green"): 0,
        ("bg_colour_info", "blue", "cc_blue", "Deployment", "orders-blue"): 1,
        ("bg_colour_info", "green", "cc_green", "Deployment", "orders-new"): 1,
        ("bg_epoch",): 1,
        ("bg_phase_since_timestamp_seconds", "stable"): NOON,
        ("bg_switch_in_progress",): 0,
    }


def test_labels_are_those_of_the_contract() -> None:
    samples = metrics_of(APP, State(STABLE, Journal(ENDED)), {"bake": [{"name": "lag", "verdict": "GO"}]})
    names = {sample.name: sorted(set(sample.labels) - set(MINE)) for sample in samples}
    assert names == {
        "bg_active_version": ["colour"],
        "bg_colour_info": ["colour", "consumergroup", "workload", "workload_kind"],
        "bg_epoch": [],
        "bg_gate": ["gate", "stage"],
        "bg_phase_since_timestamp_seconds": ["phase"],
        "bg_rollback_window_end_timestamp_seconds": [],
        "bg_switch_duration_seconds": ["step"],
        "bg_switch_in_progress": [],
        "bg_switch_last_timestamp_seconds": ["result"],
    }


def test_the_same_state_is_the_same_samples() -> None:
    """Nothing is taken from the time of day."""
    state = State(STABLE, Journal(ENDED))
    first: list[Sample] = metrics_of(APP, state)
    assert metrics_of(APP, state) == first
    assert first == sorted(first, key=lambda sample: (sample.name, sorted(sample.labels.items())))


def test_prepared_and_not_armed() -> None:
    """The record knows nothing of it yet; what dies there must not look like an application at rest."""
    assert phase(told(FIRST, Journal(SWITCH))) == ("switching", 10, 1)
    back = replace(SWITCH, direction="rollback", source="green", target="blue", started=at(50))
    assert phase(told(STABLE, Journal(back, (ENDED,)))) == ("rolling-back", 50, 1)


def test_mid_run() -> None:
    series = told(ARMED, Journal(hand_over(SWITCH, 12)))
    assert phase(series) == ("switching", 12, 1)
    assert (series["bg_active_version", "blue"], series["bg_epoch",]) == (1, 2)
    assert last(series) == [], "no run has ended yet"
    assert "bg_rollback_window_end_timestamp_seconds" not in {key[0] for key in series}


def test_a_run_that_died_and_was_taken_over_and_not_armed_again() -> None:
    """The record is as the first one left it; so is its age."""
    dead = hand_over(SWITCH, 12)
    journal = Journal(dead).start(replace(SWITCH, run_id="r2", started=at(900)))
    series = told(ARMED, journal)
    assert phase(series) == ("switching", 12, 1)
    assert last(series) == [("failed", 900)], "the first one never came to its own end"


def test_armed_again_after_a_quiet_step() -> None:
    """Stepwise: a run may arm, be given up and arm again."""
    run = hand_over(hand_over(SWITCH, 12), 30)
    assert phase(told(ARMED, Journal(run))) == ("switching", 30, 1)


def test_armed_by_hand() -> None:
    """No journal: Kubernetes tells when the record was written."""
    managed = [
        {"time": at(5), "fieldsV1": {"f:data": {}}},
        {"time": at(33), "fieldsV1": {"f:data": {"f:phase": {}}}},
        {"time": at(50), "fieldsV1": {"f:metadata": {}}},
        {"manager": "without"},
    ]
    metadata = {"creationTimestamp": at(1), "managedFields": managed}
    assert phase(told(FIRST.arm("rollback", "by-hand"), metadata=metadata)) == ("rolling-back", 33, 1)
    assert phase(told(replace(FIRST, phase="verifying"), metadata=metadata)) == ("verifying", 33, 1)


def test_nothing_tells_when_it_began() -> None:
    assert phase(told(FIRST)) == ("stable", -NOON, 0), "0 is not known"


def test_flipped_and_verifying() -> None:
    series = told(FLIPPED, Journal(flipped(SWITCH, 12)))
    assert phase(series) == ("verifying", 20, 1)
    assert (series["bg_active_version", "green"], series["bg_epoch",]) == (1, 3)
    assert last(series) == []
    assert series["bg_rollback_window_end_timestamp_seconds",] == NOON + 20 + 3600


def test_settled() -> None:
    series = told(STABLE, Journal(ENDED))
    assert phase(series) == ("stable", 40, 0)
    assert last(series) == [("success", 40)]
    steps = {key[1]: value for key, value in series.items() if key[0] == "bg_switch_duration_seconds"}
    assert steps == {
        "target joins": 3.0,
        "arm": 0.02,
        "quiesce source": 0.08,
        "snapshot": 0.0155,
        "flip": 0.01,
        "activate target": 0.0405,
        "handover": 0.146,
        "total": 30.0,
    }


def test_a_step_that_was_taken_twice_counts_as_a_whole() -> None:
    run = ENDED.begin("snapshot", at(13)).end("snapshot", at(13), 4.5)
    series = told(STABLE, Journal(run))
    assert series["bg_switch_duration_seconds", "snapshot"] == 0.02
    assert series["bg_switch_duration_seconds", "handover"] == 0.1505


def test_settled_and_the_journal_not_closed() -> None:
    assert phase(told(STABLE, Journal(flipped(SWITCH, 12)))) == ("verifying", 20, 1)


def test_aborted() -> None:
    run = hand_over(SWITCH, 12).close("aborted", at(25), "given up: not drained")
    series = told(ARMED.abort("r1"), Journal(run))
    assert phase(series) == ("stable", 25, 0)
    assert last(series) == [("aborted", 25)]
    assert [key for key in series if key[0] == "bg_switch_duration_seconds"] == [
        ("bg_switch_duration_seconds", "total")
    ]
    assert "bg_rollback_window_end_timestamp_seconds" not in {key[0] for key in series}


def test_an_aborted_switch_leaves_no_window_of_the_one_before() -> None:
    """A rollback would do nothing: what the operator saw last was the switch that failed."""
    second = Run("r2", "switch", "hot", "green", "blue", "jane", at(100), 3).close("aborted", at(130))
    series = told(replace(STABLE, epoch=5), Journal(second, (ENDED,)))
    assert ("bg_rollback_window_end_timestamp_seconds",) not in series
    assert last(series) == [("aborted", 130)]


def test_an_abort_that_gives_back_what_was_not_proven() -> None:
    again = Run("r2", "rollback", "hot", "green", "blue", "jane", at(100), 3, proven=False).close("aborted", at(130))
    record = FLIPPED.arm("rollback", "r2").abort("r2", proven=False)
    assert phase(told(record, Journal(again, (ENDED,)))) == ("verifying", 130, 1)


def test_rolled_back() -> None:
    back = Run("r2", "rollback", "hot", "green", "blue", "jane", at(100), 3).close("done", at(105))
    record = STABLE.arm("rollback", "r2").flip("rollback", at(103)).settle()
    series = told(record, Journal(back, (ENDED,)))
    assert phase(series) == ("stable", 105, 0)
    assert last(series) == [("rolled_back", 105)]
    assert (series["bg_active_version", "blue"], series["bg_epoch",]) == (1, 5)
    assert ("bg_rollback_window_end_timestamp_seconds",) not in series, "what was rolled back is not rolled back again"


def test_while_it_rolls_back_the_window_is_that_of_the_switch() -> None:
    back = hand_over(Run("r2", "rollback", "hot", "green", "blue", "jane", at(100), 3), 101)
    series = told(STABLE.arm("rollback", "r2"), Journal(back, (ENDED,)))
    assert phase(series) == ("rolling-back", 101, 1)
    assert series["bg_rollback_window_end_timestamp_seconds",] == NOON + 20 + 3600


def test_a_closed_window_is_in_the_past() -> None:
    """No state changes when it closes, so the series stays and says when that was."""
    series = told(replace(STABLE, rollback_window=1), Journal(ENDED))
    assert series["bg_rollback_window_end_timestamp_seconds",] == NOON + 21


@pytest.mark.parametrize(
    "record",
    [
        replace(STABLE, rollback_allowed=False),
        replace(STABLE, switch_timestamp=""),
        replace(STABLE, switch_timestamp="yesterday"),
        replace(STABLE, switch_timestamp="2026-01-01T12:00:20"),
        replace(STABLE, previous=""),
    ],
    ids=["forbidden by hand", "no time", "no time that can be read", "no zone", "never switched"],
)
def test_no_window(record: ActiveRecord) -> None:
    assert ("bg_rollback_window_end_timestamp_seconds",) not in told(record, Journal(ENDED))


def test_changed_by_hand_after_the_last_run() -> None:
    assert phase(told(replace(STABLE, switch_timestamp=at(300)), Journal(ENDED))) == ("stable", 300, 0)


@pytest.mark.parametrize("text", ["", "x", "2026-13-01T00:00:00Z", "2026-01-01"])
def test_times_that_are_none(text: str) -> None:
    """Left out, or 0 where there has to be a value; never a wrong one."""
    run = replace(ENDED, started=text, finished=text)
    series = told(replace(STABLE, switch_timestamp=text), Journal(run))
    assert last(series) == []
    assert ("bg_switch_duration_seconds", "total") not in series
    assert phase(series) == ("stable", -NOON, 0)


def test_a_run_that_is_about_to_begin() -> None:
    """It may die before it wrote anything; then only this tells of it."""
    begins = Begin("switch", at(500))
    assert phase(told(STABLE, Journal(ENDED), begins=begins)) == ("switching", 500, 1)
    assert phase(told(STABLE, Journal(ENDED), begins=Begin("rollback", at(500)))) == ("rolling-back", 500, 1)
    assert last(told(STABLE, Journal(ENDED), begins=begins)) == [("success", 40)]


def test_what_the_state_says_of_a_run_comes_before_one_that_is_about_to_begin() -> None:
    """Who takes over a run that died does not make it younger."""
    begins = Begin("switch", at(500))
    assert phase(told(FIRST, Journal(SWITCH), begins=begins)) == ("switching", 10, 1)
    assert phase(told(ARMED, Journal(hand_over(SWITCH, 12)), begins=begins)) == ("switching", 12, 1)
    assert phase(told(FLIPPED, Journal(flipped(SWITCH, 12)), begins=begins)) == ("verifying", 20, 1)


def test_the_snapshot() -> None:
    offsets = {
        TopicPartition(topic, number): CommittedOffset(7)
        for topic, count in (("a", 3), ("b", 1))
        for number in range(count)
    }
    snapshot = HandoffSnapshot(3, "r1", "hot", "blue", "green", at(19.5), offsets, {}, {})
    series = told(STABLE, Journal(ENDED), snapshot=snapshot)
    assert series["bg_snapshot_timestamp_seconds",] == NOON + 19.5
    assert {key[1]: value for key, value in series.items() if key[0] == "bg_offsets_copied"} == {"a": 3, "b": 1}
    without = told(STABLE, Journal(ENDED))
    assert not {"bg_snapshot_timestamp_seconds", "bg_offsets_copied"} & {key[0] for key in without}


def test_gates() -> None:
    judged = {
        "before": [{"name": "lag", "verdict": "GO"}, {"name": "scaled by", "verdict": "WARN"}],
        "bake": [
            {"name": "lag", "verdict": "NO-GO"},
            {"name": "throughput", "verdict": "GO"},
            {"name": "throughput", "verdict": "NO-GO"},
        ],
        "verify": [{"name": "lag", "verdict": "NO-GO"}, {"name": "lag", "verdict": "GO"}],
    }
    series = told(STABLE, judged=judged)
    assert {key[1:]: value for key, value in series.items() if key[0] == "bg_gate"} == {
        ("before", "lag"): 1,
        ("before", "scaled by"): 1,
        ("bake", "lag"): 0,
        ("bake", "throughput"): 0,
        ("verify", "lag"): 0,
    }
