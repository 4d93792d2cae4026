# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transitions of the active record."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ConflictError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import PHASES, ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.change import (
    change_record,
    check_expected,
    flip_refusal,
    rollback_refusal,
    shown,
)

STABLE = ActiveRecord("blue", 5, 5)
ARMED = ActiveRecord("blue", 6, 5, "switching")
VERIFYING = ActiveRecord("green", 7, 7, "verifying", "blue")


@pytest.mark.parametrize(
    ("record", "active", "phase", "wanted"),
    [
        (STABLE, "blue", None, ("blue", 5, "stable")),
        (STABLE, "green", None, ("green", 6, "stable")),
        (STABLE, None, "switching", ("blue", 6, "switching")),
        (STABLE, "green", "verifying", ("green", 6, "verifying")),
        (ARMED, "green", None, ("green", 7, "verifying")),
        (ARMED, None, "stable", ("blue", 7, "stable")),
        (VERIFYING, None, "stable", ("green", 7, "stable")),
        (VERIFYING, None, "rolling-back", ("green", 8, "rolling-back")),
    ],
)
def test_transitions(record: ActiveRecord, active: str | None, phase: str | None, wanted: tuple[str, int, str]) -> None:
    changed = change_record(record, active, phase, None, "now", "run")
    assert (changed.active, changed.epoch, changed.phase) == wanted


def test_a_flip_remembers_where_it_came_from() -> None:
    flipped = change_record(STABLE, "green", None, None, "now", "run")
    assert (flipped.previous, flipped.switch_timestamp, flipped.rollback_allowed, flipped.run_id) == (
        "blue",
        "now",
        True,
        "run",
    )
    back = change_record(flipped, "blue", "rolling-back", None, "later", "run")
    assert back.rollback_allowed is False, "a rollback is not rolled back"


@pytest.mark.parametrize(
    ("record", "active", "phase", "why"),
    [
        (STABLE, "green", None, "no hand-over was begun, so green would begin from old offsets"),
        (VERIFYING, "blue", "stable", "no hand-over was begun"),
        (ARMED, "green", "switching", "would keep the pods of green from working"),
        (STABLE, "green", "rolling-back", "would keep the pods of green from working"),
        (ARMED, "green", None, "has begun a hand-over from blue"),
        (ARMED, "green", "verifying", ""),
        (ARMED, "green", "stable", "has begun a hand-over from blue"),
        (STABLE, "blue", None, ""),
        (STABLE, None, "switching", ""),
    ],
)
def test_the_colour_changes_only_at_the_end_of_a_hand_over(
    record: ActiveRecord, active: str | None, phase: str | None, why: str
) -> None:
    refused = flip_refusal(record, change_record(record, active, phase, None, "now", "run"), phase)
    assert why in refused
    assert bool(refused) == bool(why)


def test_keys_of_others_survive() -> None:
    record = ActiveRecord("blue", 1, 1, foreign={"owner": "team-a"})
    assert change_record(record, "green", None, 60, "now", "run").to_data()["owner"] == "team-a"


def test_the_expectations() -> None:
    check_expected("m", STABLE, None, None)
    check_expected("m", STABLE, "blue", 5)
    with pytest.raises(ConflictError, match="active is blue, expected green and epoch is 5, expected 4"):
        check_expected("m", STABLE, "green", 4)
    with pytest.raises(ConflictError, match="epoch is absent, expected 4"):
        check_expected("m", None, None, 4)


def test_a_diff_has_neither_time_nor_author() -> None:
    assert "switch-timestamp" not in shown(STABLE.to_data())
    assert "run-id" not in shown(STABLE.to_data())
    assert shown(None) == {}


NOON, LATER = "2026-01-01T12:00:00Z", "2026-01-01T14:00:00Z"
SWITCHED = ActiveRecord("green", 5, 5, "stable", "blue", NOON)
ROLLED_BACK = ActiveRecord("blue", 7, 7, "stable", "green", NOON, rollback_allowed=False)


def refusal(record: ActiveRecord, now: str, active: str | None = None, phase: str | None = None) -> str:
    return rollback_refusal(record, change_record(record, active, phase, None, now, "run"), now)


@pytest.mark.parametrize(
    ("record", "active", "phase", "why"),
    [
        (SWITCHED, "blue", None, "the rollback window of 3600 s closed 3600 s ago"),
        (SWITCHED, "blue", "verifying", "the rollback window"),
        (SWITCHED, "blue", "rolling-back", "the rollback window"),
        (SWITCHED, None, "rolling-back", "the rollback window"),
        (ROLLED_BACK, "green", None, "rollback-allowed is false"),
        (ROLLED_BACK, None, "rolling-back", "rollback-allowed is false"),
        (replace(ROLLED_BACK, phase="verifying"), "green", None, "rollback-allowed is false"),
        (STABLE, None, "rolling-back", "nothing was ever switched"),
        (replace(SWITCHED, switch_timestamp="yesterday"), "blue", None, "is not an RFC 3339 time"),
    ],
)
def test_a_rollback_that_is_not_allowed(record: ActiveRecord, active: str | None, phase: str | None, why: str) -> None:
    assert why in refusal(record, LATER, active, phase)


@pytest.mark.parametrize(
    ("record", "active", "phase"),
    [
        (SWITCHED, "blue", "switching"),  # a switch that happens to lead back
        (SWITCHED, None, "switching"),
        (replace(SWITCHED, phase="switching", epoch=6), "blue", "verifying"),  # armed: its gates were judged then
        (replace(ROLLED_BACK, phase="switching", epoch=8), "green", "verifying"),
        (replace(SWITCHED, phase="rolling-back", epoch=6), "blue", "verifying"),  # begun in time
        (replace(SWITCHED, phase="verifying"), "blue", "rolling-back"),
        (STABLE, "green", None),  # the first switch
        (ROLLED_BACK, None, "switching"),
        (SWITCHED, "green", None),
        (SWITCHED, None, "stable"),
    ],
)
def test_what_is_no_rollback_or_is_under_way(record: ActiveRecord, active: str | None, phase: str | None) -> None:
    assert refusal(record, LATER, active, phase) == ""


def test_inside_the_window_a_rollback_is_allowed() -> None:
    for active, phase in (("blue", None), (None, "rolling-back"), ("blue", "rolling-back")):
        assert refusal(SWITCHED, "2026-01-01T13:00:00Z", active, phase) == ""


records = st.builds(
    lambda active, epoch, gap, phase: ActiveRecord(active, epoch + gap, epoch, phase),
    st.sampled_from(["blue", "green"]),
    st.integers(1, 50),
    st.integers(0, 1),
    st.sampled_from(PHASES),
)


@given(
    records,
    st.none() | st.sampled_from(["blue", "green"]),
    st.none() | st.sampled_from(PHASES),
    st.none() | st.integers(0, 9999),
)
def test_properties(record: ActiveRecord, active: str | None, phase: str | None, window: int | None) -> None:
    changed = change_record(record, active, phase, window, "now", "run")
    # It is what was asked for, and asking again changes nothing.
    assert changed.active == (active or record.active)
    flips = changed.active != record.active
    assert changed.phase == (phase or ("verifying" if flips and record.armed else record.phase))
    assert change_record(changed, active, phase, window, "later", "other") == changed
    # Another colour always means a newer epoch, and the stored form says the same.
    assert changed.epoch - record.epoch in (0, 1)
    assert changed.active == record.active or changed.epoch > record.epoch
    assert ActiveRecord.parse("m", changed.to_data()) == changed
