# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The active record as text, and what its phases mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import (
    PHASES,
    ActiveRecord,
    phase_of,
    record_name,
)

COLOURS = st.sampled_from(("blue", "green"))
FOREIGN = st.dictionaries(st.sampled_from(("note", "team", "x")), st.text(max_size=5))


@st.composite
def records(draw: st.DrawFn) -> ActiveRecord:
    activated = draw(st.integers(1, 10**9))
    return ActiveRecord(
        active=draw(COLOURS),
        epoch=activated + draw(st.integers(0, 5)),
        activated_epoch=activated,
        phase=draw(st.sampled_from(PHASES)),
        previous=draw(st.sampled_from(("", "blue", "green"))),
        switch_timestamp=draw(st.sampled_from(("", "2026-01-01T00:00:00Z"))),
        rollback_allowed=draw(st.booleans()),
        rollback_window=draw(st.integers(1, 10**6)),
        run_id=draw(st.text(max_size=10)),
        snapshot=draw(st.sampled_from(("", "shop-bg-snapshot-a"))),
        foreign=draw(FOREIGN),
    )


@given(records())
def test_what_is_written_is_read_again(record: ActiveRecord) -> None:
    assert ActiveRecord.parse("r", record.to_data()) == record
    assert all(isinstance(value, str) for value in record.to_data().values())


@given(records(), st.sampled_from(("switch", "rollback")), st.booleans())
def test_every_transition_of_a_hand_over(record: ActiveRecord, direction: str, proven: bool) -> None:
    armed = record.arm(direction, "run")
    assert (armed.active, armed.epoch, armed.phase) == (record.active, record.epoch + 1, phase_of(direction))
    assert armed.armed
    assert armed.snapshot == record.snapshot
    flipped = armed.flip(direction, "now", snapshot="shop-bg-snapshot-b")
    assert not flipped.armed
    assert (flipped.active, flipped.previous, flipped.epoch) == (record.standby, record.active, record.epoch + 2)
    assert (flipped.activated_epoch, flipped.phase) == (flipped.epoch, "verifying")
    assert flipped.snapshot == "shop-bg-snapshot-b"
    assert flipped.rollback_allowed == (direction == "switch")
    assert flipped.settle().phase == "stable"
    aborted = armed.abort("run", proven)
    assert (aborted.active, aborted.epoch) == (record.active, flipped.epoch)
    assert aborted.phase == ("stable" if proven else "verifying"), "an abort proves nothing"
    assert (aborted.activated_epoch, aborted.snapshot) == (record.activated_epoch, record.snapshot)
    assert aborted.to_data() != flipped.to_data()


@pytest.mark.parametrize(
    ("phase", "armed", "activated"),
    [("stable", False, 4), ("verifying", False, 4), ("switching", True, 3), ("rolling-back", True, 3)],
)
def test_a_record_written_by_hand(phase: str, armed: bool, activated: int) -> None:
    record = ActiveRecord.parse("r", {"active": "blue", "epoch": "4", "phase": phase})
    assert (record.armed, record.activated_epoch, record.snapshot) == (armed, activated, "")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("active", "red"),
        ("active", ""),
        ("epoch", "0"),
        ("epoch", "-1"),
        ("epoch", "1.5"),
        ("epoch", "\u0661"),
        ("epoch", ""),
        ("activated-epoch", "9"),
        ("activated-epoch", "x"),
        ("phase", "running"),
        ("previous-version", "red"),
        ("rollback-allowed", "yes"),
        ("rollback-window", "1h"),
    ],
)
def test_nonsense_is_named(key: str, value: str) -> None:
    data = {**ActiveRecord.first("blue").to_data(), key: value}
    with pytest.raises(InvalidSettingsError) as caught:
        ActiveRecord.parse("shop-active-version", data)
    assert len(caught.value.faults) == 1
    assert key in caught.value.faults[0]
    assert "shop-active-version" in caught.value.faults[0]


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        ActiveRecord.parse("r", {"active": "red", "epoch": "x", "phase": "y", "rollback-window": "z"})
    assert len(caught.value.faults) == 4


def test_name() -> None:
    assert record_name("shop") == "shop-active-version"
