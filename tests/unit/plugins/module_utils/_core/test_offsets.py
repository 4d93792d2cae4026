# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of committed offsets: every policy, and properties that hold for any input."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.offsets import Desired, plan_offsets

TP = TopicPartition("t", 0)
LOG = {TP: LogRange(100, 200)}


def test_a_copy_is_to_the_letter() -> None:
    source = CommittedOffset(150, 7, "bg:3")
    plan = plan_offsets({}, {TP: Desired.copy_of(source)}, LOG)
    assert plan.changes == {TP: source}
    assert plan.faults == ()


@pytest.mark.parametrize(
    "difference", [CommittedOffset(151, 7, "m"), CommittedOffset(150, 6, "m"), CommittedOffset(150, 7, "n")]
)
def test_a_copy_differs_by_offset_epoch_or_metadata(difference: CommittedOffset) -> None:
    source = CommittedOffset(150, 7, "m")
    assert plan_offsets({TP: source}, {TP: Desired.copy_of(source)}, LOG).changes == {}
    assert plan_offsets({TP: difference}, {TP: Desired.copy_of(source)}, LOG).changes == {TP: source}


def test_what_is_left_open_stays_with_the_same_offset_and_is_unknown_with_a_new_one() -> None:
    before = CommittedOffset(150, 7, "m")
    assert plan_offsets({TP: before}, {TP: Desired(150)}, LOG).changes == {}
    assert plan_offsets({TP: before}, {TP: Desired(151)}, LOG).changes == {TP: CommittedOffset(151, -1, "")}
    assert plan_offsets({TP: before}, {TP: Desired(150, metadata="n")}, LOG).changes == {
        TP: CommittedOffset(150, 7, "n")
    }


@pytest.mark.parametrize(("policy", "offset", "skipped"), [("earliest", 100, 0), ("latest", 200, 100)])
def test_a_missing_offset_is_decided_by_policy(policy: str, offset: int, skipped: int) -> None:
    (decision,) = plan_offsets({}, {TP: Desired(None)}, LOG, missing=policy).decisions
    assert decision.after == CommittedOffset(offset)
    assert decision.skipped == skipped
    assert decision.reason.startswith(policy)


def test_a_missing_offset_fails_by_default() -> None:
    plan = plan_offsets({}, {TP: Desired(None)}, LOG)
    assert plan.changes == {}
    assert "t-0: no committed offset" in plan.faults[0]


@pytest.mark.parametrize(
    ("wanted", "policy", "offset", "skipped"),
    [(90, "earliest", 100, 10), (90, "latest", 200, 110), (210, "earliest", 100, 0), (210, "latest", 200, 100)],
)
def test_an_offset_outside_of_the_log_is_decided_by_policy(wanted: int, policy: str, offset: int, skipped: int) -> None:
    (decision,) = plan_offsets({}, {TP: Desired(wanted, 7, "m")}, LOG, out_of_range=policy).decisions
    assert decision.after == CommittedOffset(offset), "an epoch that belongs to another offset is dropped"
    assert decision.skipped == skipped


def test_an_offset_outside_of_the_log_fails_by_default_and_counts_the_loss() -> None:
    assert "10 records are lost" in plan_offsets({}, {TP: Desired(90)}, LOG).faults[0]
    assert "beyond the end of the log 200" in plan_offsets({}, {TP: Desired(201)}, LOG).faults[0]
    assert plan_offsets({}, {TP: Desired(100)}, LOG).faults == ()
    assert plan_offsets({}, {TP: Desired(200)}, LOG).faults == ()


def test_one_fault_does_not_hide_another() -> None:
    other = TopicPartition("t", 1)
    plan = plan_offsets({}, {TP: Desired(None), other: Desired(5)}, {**LOG, other: LogRange(9, 9)})
    assert len(plan.faults) == 2


partitions = st.builds(TopicPartition, st.sampled_from(["a", "b"]), st.integers(0, 5))
committed = st.builds(CommittedOffset, st.integers(0, 60), st.integers(-1, 3), st.sampled_from(["", "m"]))
desired = st.builds(
    Desired, st.none() | st.integers(0, 60), st.none() | st.integers(-1, 3), st.none() | st.sampled_from(["", "m"])
)
logs = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda pair: LogRange(pair[0], sum(pair)))
policies = st.sampled_from(["fail", "earliest", "latest"])


@given(
    st.dictionaries(partitions, committed),
    st.dictionaries(partitions, st.tuples(desired, logs)),
    policies,
    policies,
)
def test_properties(
    current: dict[TopicPartition, CommittedOffset],
    wanted: dict[TopicPartition, tuple[Desired, LogRange]],
    missing: str,
    out_of_range: str,
) -> None:
    wishes = {tp: wish for tp, (wish, log) in wanted.items()}
    ranges = {tp: log for tp, (wish, log) in wanted.items()}
    plan = plan_offsets(current, wishes, ranges, missing, out_of_range)
    # Every partition is decided or a fault, and nothing outside of the log is ever written.
    assert len(plan.decisions) + len(plan.faults) == len(wanted)
    assert all(ranges[tp].start <= offset.offset <= ranges[tp].end for tp, offset in plan.changes.items())
    # What was asked for and is in the log is what is written.
    for decision in plan.decisions:
        wish = wishes[decision.partition]
        log = ranges[decision.partition]
        if wish.offset is not None and log.start <= wish.offset <= log.end:
            assert decision.after.offset == wish.offset
            assert decision.skipped == 0
    # Doing it twice does nothing the second time.
    after = {**current, **plan.changes}
    assert plan_offsets(after, wishes, ranges, missing, out_of_range).changes == {}
