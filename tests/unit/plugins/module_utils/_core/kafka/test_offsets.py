# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of committed offsets: every policy, and properties that hold for any input."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import (
    Decision,
    Desired,
    inside_log,
    members_refusal,
    placed,
    plan_offsets,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    Member,
    TopicPartition,
)

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
    assert "t-0: no committed offset" in str(plan.faults[0])


@pytest.mark.parametrize(
    ("wanted", "policy", "offset", "skipped"),
    [(90, "earliest", 100, 10), (90, "latest", 200, 110), (210, "earliest", 100, 0), (210, "latest", 200, 100)],
)
def test_an_offset_outside_of_the_log_is_decided_by_policy(wanted: int, policy: str, offset: int, skipped: int) -> None:
    (decision,) = plan_offsets({}, {TP: Desired(wanted, 7, "m")}, LOG, out_of_range=policy).decisions
    assert decision.after == CommittedOffset(offset), "an epoch that belongs to another offset is dropped"
    assert decision.skipped == skipped


def test_an_offset_outside_of_the_log_fails_by_default_and_counts_the_loss() -> None:
    assert "10 records are lost" in plan_offsets({}, {TP: Desired(90)}, LOG).faults[0].why
    assert "beyond the end of the log 200" in plan_offsets({}, {TP: Desired(201)}, LOG).faults[0].why
    assert plan_offsets({}, {TP: Desired(100)}, LOG).faults == ()
    assert plan_offsets({}, {TP: Desired(200)}, LOG).faults == ()


def test_one_fault_does_not_hide_another() -> None:
    other = TopicPartition("t", 1)
    plan = plan_offsets({}, {TP: Desired(None), other: Desired(5)}, {**LOG, other: LogRange(9, 9)})
    assert len(plan.faults) == 2


def test_a_removal() -> None:
    before = CommittedOffset(150, 7, "m")
    gone = Desired(None, removed=True)
    assert plan_offsets({TP: before}, {TP: gone}, {}).removals == [TP]
    assert plan_offsets({TP: before}, {TP: gone}, {}).writes == {}
    assert plan_offsets({}, {TP: gone}, {}).changes == {}
    assert "would be removed" in plan_offsets({TP: before}, {TP: gone}, {}, forward_only=True).faults[0].why


def test_forward_only_is_about_offsets() -> None:
    before = CommittedOffset(150, 7, "m")
    assert (
        "go back from 150 to 149"
        in plan_offsets({TP: before}, {TP: Desired(149)}, LOG, forward_only=True).faults[0].why
    )
    for wish in (Desired(150, 7, "n"), Desired(151)):
        assert plan_offsets({TP: before}, {TP: wish}, LOG, forward_only=True).faults == ()


def test_an_epoch_above_the_logs_is_another_topics() -> None:
    log = {TP: LogRange(100, 200, epoch=6)}
    for epoch in (-1, 5, 6):
        assert plan_offsets({}, {TP: Desired(150, epoch)}, log).faults == ()
    assert "created again" in plan_offsets({}, {TP: Desired(150, 7)}, log).faults[0].why
    assert plan_offsets({}, {TP: Desired(150, 7)}, LOG).faults == (), "an unknown epoch of the log says nothing"
    (decision,) = plan_offsets({}, {TP: Desired(150, 7)}, log, out_of_range="earliest").decisions
    assert (decision.after, decision.lost) == (CommittedOffset(100), 0)


COMMITS = {
    # commit, log: with fail, with earliest
    "inside": (150, LogRange(100, 200), (150, ""), (150, "")),
    "at the start": (100, LogRange(100, 200), (100, ""), (100, "")),
    "at the end": (200, LogRange(100, 200), (200, ""), (200, "")),
    "one before an empty log": (
        10,
        LogRange(11, 11),
        (11, "1 offset passed by retention, may be a transaction"),
        (11, "1 of"),
    ),
    "one before a log with records": (
        10,
        LogRange(11, 12),
        (None, "at most 1 records"),
        (11, "earliest: offset 10 was"),
    ),
    "two before an empty log": (
        9,
        LogRange(11, 11),
        (None, "at most 2 records"),
        (11, "earliest: offset 9 was deleted"),
    ),
    "far before": (40, LogRange(100, 200), (None, "at most 60 records"), (100, "earliest: offset 40 was deleted")),
    "behind the end": (
        201,
        LogRange(100, 200),
        (None, "beyond the end of the log 200"),
        (100, "earliest: offset 201 lies"),
    ),
    "one behind an empty log": (
        12,
        LogRange(11, 11),
        (None, "beyond the end of the log 11"),
        (11, "earliest: offset 12"),
    ),
}


@pytest.mark.parametrize("case", COMMITS)
@pytest.mark.parametrize("policy", ["fail", "earliest"])
def test_a_commit_is_looked_for_in_its_log(case: str, policy: str) -> None:
    """One rule, for the module that copies and for a run: see docs/edge-cases.md."""
    offset, log, failing, starting = COMMITS[case]
    wanted, said = failing if policy == "fail" else starting
    commit = CommittedOffset(offset, 3, "bg:7")
    offsets, notes, faults = inside_log({TP: commit}, {TP: log}, policy)
    plan = plan_offsets({}, {TP: Desired.copy_of(commit)}, {TP: log}, out_of_range=policy)
    if wanted is None:
        assert (offsets, notes) == ({}, {})
        assert said in faults[0]
        assert str(plan.faults[0]).startswith(faults[0])
        return
    assert faults == []
    assert offsets == {TP: commit if not said else CommittedOffset(wanted)}
    assert notes.get(TP, "").startswith(said)
    assert bool(notes) == bool(said)
    (decision,) = plan.decisions
    assert decision.after == offsets[TP]
    assert decision.reason == (notes[TP] if said else "as wanted")
    assert decision.lost == max(0, log.start - offset)


def test_what_nobody_committed_is_no_marker() -> None:
    """An offset that somebody wrote down is what he wants, or a mistake."""
    log = {TP: LogRange(11, 11)}
    assert "at most 1 records are lost" in plan_offsets({}, {TP: Desired(10)}, log).faults[0].why
    assert plan_offsets({}, {TP: Desired(10)}, log, out_of_range="earliest").changes == {TP: CommittedOffset(11)}


def test_all_commits_outside_are_told() -> None:
    other, third = TopicPartition("t", 1), TopicPartition("t", 2)
    ranges = {TP: LogRange(100, 200), other: LogRange(9, 9), third: LogRange(0, 5, epoch=2)}
    commits = {TP: CommittedOffset(40), other: CommittedOffset(8), third: CommittedOffset(3, 5)}
    found = inside_log(commits, ranges)
    assert (found.offsets, list(found.notes)) == ({other: CommittedOffset(9)}, [other])
    assert [fault[:4] for fault in found.faults] == ["t-0:", "t-2:"]
    assert "created again" in found.faults[1]
    found = inside_log(commits, ranges, "earliest")
    assert (found.faults, list(found.notes)) == ([], [TP, other, third])
    assert {tp: committed.offset for tp, committed in found.offsets.items()} == {TP: 100, other: 9, third: 0}


@given(st.integers(0, 60), st.integers(0, 30), st.integers(0, 30), st.sampled_from(["fail", "earliest", "latest"]))
def test_a_group_never_begins_outside_of_its_log(offset: int, start: int, length: int, policy: str) -> None:
    log = LogRange(start, start + length)
    place = placed(offset, None, log, policy)
    assert place.lost == max(0, start - offset)
    if place.offset is None:
        assert (policy, bool(place.note)) == ("fail", True)
        return
    assert log.start <= place.offset <= log.end
    assert (place.note == "") == (place.offset == offset)
    assert policy != "fail" or place.lost <= 1


def test_a_removal_takes_what_an_open_transaction_has() -> None:
    plan = plan_offsets({}, {TP: Desired(None, removed=True, pending=True)}, {})
    assert (plan.removals, plan.changes) == ([TP], {TP: None})


def test_the_loss_is_a_number_too() -> None:
    assert plan_offsets({}, {TP: Desired(90)}, LOG).faults[0].lost == 10
    (decision,) = plan_offsets({}, {TP: Desired(90)}, LOG, out_of_range="latest").decisions
    assert (decision.lost, decision.skipped) == (10, 110)
    assert "before the beginning" in plan_offsets({}, {TP: Desired(-1)}, LOG).faults[0].why


def test_members_are_named_in_full_and_not_without_end() -> None:
    members = tuple(Member(f"m{n}", "order", "10.0.0.1", "pod-0" if n == 0 else None) for n in range(12))
    said = members_refusal(Group("g", "classic", "Stable", members), "committed")
    assert "12: m0 (client order at 10.0.0.1, static as pod-0); m1 (client order at 10.0.0.1);" in said
    assert ("m9 " in said, "m10 " in said, "and 2 more" in said) == (True, False, True)


partitions = st.builds(TopicPartition, st.sampled_from(["a", "b"]), st.integers(0, 5))
committed = st.builds(CommittedOffset, st.integers(0, 60), st.integers(-1, 3), st.sampled_from(["", "m"]))
epochs = st.integers(-1, 3)
desired = st.builds(
    Desired,
    st.none() | st.integers(-5, 70),
    st.none() | epochs,
    st.none() | st.sampled_from(["", "m"]),
    st.booleans(),
)
logs = st.tuples(st.integers(0, 30), st.integers(0, 30), epochs).map(
    lambda drawn: LogRange(drawn[0], drawn[0] + drawn[1], drawn[2])
)
policies = st.sampled_from(["fail", "earliest", "latest"])
Wanted = dict[TopicPartition, tuple[Desired, LogRange]]


@given(
    st.dictionaries(partitions, committed),
    st.dictionaries(partitions, st.tuples(desired, logs)),
    policies,
    policies,
    st.booleans(),
)
def test_properties(
    current: dict[TopicPartition, CommittedOffset], wanted: Wanted, missing: str, out_of_range: str, forward: bool
) -> None:
    wishes = {tp: wish for tp, (wish, log) in wanted.items()}
    ranges = {tp: log for tp, (wish, log) in wanted.items()}
    plan = plan_offsets(current, wishes, ranges, missing, out_of_range, forward)
    # Every partition is decided or a fault, never both.
    decided = {decision.partition for decision in plan.decisions}
    assert decided | {fault.partition for fault in plan.faults} == set(wanted)
    assert len(plan.decisions) + len(plan.faults) == len(wanted)
    for decision in plan.decisions:
        check_decision(decision, wishes[decision.partition], ranges[decision.partition], forward)
    # Doing it twice does nothing the second time: plan(apply(plan(s), s)) == [].
    after = {tp: offset for tp, offset in {**current, **plan.changes}.items() if offset is not None}
    settled = {tp: wish._replace(pending=False) for tp, wish in wishes.items()}
    again = plan_offsets(after, settled, ranges, missing, out_of_range, forward)
    assert again.changes == {}
    assert [fault.partition for fault in again.faults] == [fault.partition for fault in plan.faults]


def check_decision(decision: Decision, wish: Desired, log: LogRange, forward: bool) -> None:
    """What holds for any decision."""
    before, after = decision.before, decision.after
    if wish.removed:
        assert after is None
        assert not (forward and before is not None)
        return
    assert after is not None
    # Nothing outside of the log is ever written, and with forward_only nothing goes back.
    assert log.start <= after.offset <= log.end
    assert 0 <= decision.lost <= decision.skipped
    if forward and before is not None:
        assert after.offset >= before.offset
    newer = wish.leader_epoch is not None and 0 <= log.epoch < wish.leader_epoch
    if wish.offset is not None and log.start <= wish.offset <= log.end and not newer:
        assert after.offset == wish.offset, "what was asked for and is in the log is what is written"
        assert decision.skipped == 0
    elif after != before:
        assert (after.leader_epoch, after.metadata) == (-1, ""), "an epoch never travels with another offset"
