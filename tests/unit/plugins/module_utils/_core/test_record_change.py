# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transitions of the active record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.active_record import PHASES, ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ConflictError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record_change import (
    change_record,
    check_expected,
    shown,
)

STABLE = ActiveRecord("blue", 5, 5)
ARMED = ActiveRecord("blue", 6, 5, "switching")
FLIPPED = ActiveRecord("green", 7, 7, "switching", "blue")


@pytest.mark.parametrize(
    ("record", "active", "phase", "wanted"),
    [
        (STABLE, "blue", None, ("blue", 5, "stable")),
        (STABLE, "green", None, ("green", 6, "stable")),
        (STABLE, None, "switching", ("blue", 6, "switching")),
        (STABLE, "green", "verifying", ("green", 6, "verifying")),
        (ARMED, "green", None, ("green", 7, "switching")),
        (ARMED, None, "stable", ("blue", 7, "stable")),
        (FLIPPED, None, "verifying", ("green", 7, "verifying")),
        (FLIPPED, None, "stable", ("green", 7, "stable")),
        (FLIPPED, "blue", "rolling-back", ("blue", 8, "rolling-back")),
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
    assert changed.phase == (phase or record.phase)
    assert change_record(changed, active, phase, window, "later", "other") == changed
    # Another colour always means a newer epoch, and the stored form says the same.
    assert changed.epoch - record.epoch in (0, 1)
    assert changed.active == record.active or changed.epoch > record.epoch
    assert ActiveRecord.parse("m", changed.to_data()) == changed
