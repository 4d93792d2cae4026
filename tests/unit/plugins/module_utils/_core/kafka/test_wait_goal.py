# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a wait is over: properties that hold whatever a group and its producers do."""

from __future__ import annotations

import json
import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.lag import PartitionLag
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    Member,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.wait_goal import (
    HISTORY,
    Goal,
    Progress,
    Sample,
    advance,
    estimate,
    rate,
    thinned,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.wait_report import from_state, to_state

GROUP = Group("g", "classic", "Stable", (Member("m", "c"),))

partitions = st.tuples(
    st.none() | st.integers(0, 100), st.integers(0, 50), st.sampled_from([0]) | st.integers(0, 200), st.booleans()
)
looks = st.lists(st.lists(partitions, max_size=3), min_size=1, max_size=12)
goals = st.one_of(
    st.builds(
        Goal,
        until=st.sampled_from(["lag", "barrier"]),
        max_lag=st.none() | st.integers(0, 50),
        max_partition_lag=st.none() | st.integers(0, 50),
    ),
    st.builds(Goal, until=st.just("stable"), polls=st.integers(1, 4)),
)


def rows_of(look: list) -> list[PartitionLag]:
    return [
        PartitionLag(
            TopicPartition("t", number),
            None if committed is None else CommittedOffset(committed),
            LogRange(start, start + length),
            pending,
        )
        for number, (committed, start, length, pending) in enumerate(look)
    ]


def walk(goal: Goal, seen: t.Iterable[list]) -> t.Iterator[Progress]:
    """The progress after each look, one a second, through what the next slice would get."""
    progress = None
    for second, look in enumerate(seen):
        progress = advance(goal, progress, GROUP, rows_of(look), 100.0, 100.0 + second)
        progress = from_state(json.loads(json.dumps(to_state(progress))))
        yield progress


@given(goals, looks)
def test_unknown_is_never_satisfied(goal: Goal, seen: list[list]) -> None:
    """Without a commit only where there is nothing to read, in the log or before the mark; never what is pending."""
    for look, progress in zip(seen, walk(goal, seen), strict=True):
        waited_for = progress.barrier if goal.until == "barrier" else progress.ends
        rows = {row.partition: row for row in rows_of(look)}
        unknown = [
            tp
            for tp in waited_for or ()
            if tp not in rows
            or rows[tp].pending
            or (rows[tp].committed is None and rows[tp].log.start < (progress.barrier or {}).get(tp, rows[tp].log.end))
        ]
        if not look or not waited_for or unknown:
            assert not progress.satisfied
        assert progress.satisfied or progress.why
        assert bool(progress.pending) == any(row.pending for row in rows.values())


@given(goals, looks)
def test_a_group_that_kafka_does_not_know_is_never_there(goal: Goal, seen: list[list]) -> None:
    """A topic without records has no lag, but a misspelt group has not caught up with it."""
    progress = None
    for look in seen:
        progress = advance(goal, progress, Group("g"), rows_of(look), 0.0, 1.0)
        assert not progress.satisfied
        assert "is not known to Kafka (check its name)" in progress.why


@given(goals, looks)
def test_satisfied_means_what_it_says(goal: Goal, seen: list[list]) -> None:
    steps = list(walk(goal, seen))
    for number, progress in enumerate(steps):
        if not progress.satisfied:
            continue
        if goal.until == "stable":
            before = steps[number - goal.polls : number + 1]
            assert len(before) == goal.polls + 1
            assert all(step.committed == progress.committed for step in before)
            continue
        marks = progress.barrier if goal.until == "barrier" else progress.ends
        assert marks
        log_start = {tp: row[1] for tp, row in zip(sorted(progress.ends), seen[number], strict=True)}
        lags = [max(0, mark - max(progress.committed.get(tp, 0), log_start[tp])) for tp, mark in marks.items()]
        most, most_each = goal.limits
        assert most is None or sum(lags) <= most
        assert most_each is None or max(lags) <= most_each


@given(looks.filter(lambda seen: bool(seen[0])), st.lists(st.integers(0, 10**6), min_size=12, max_size=12))
def test_later_production_never_takes_a_reached_barrier_away(seen: list[list], more: list[int]) -> None:
    busier = [
        [
            (committed, start, length + sum(more[: number + 1]) * (number > 0), pending)
            for committed, start, length, pending in look
        ]
        for number, look in enumerate(seen)
    ]
    goal = Goal("barrier")
    for quiet, busy in zip(walk(goal, seen), walk(goal, busier), strict=True):
        assert (quiet.satisfied, quiet.barrier, quiet.remaining) == (busy.satisfied, busy.barrier, busy.remaining)


@given(goals, looks)
def test_rate_and_estimate_are_never_negative(goal: Goal, seen: list[list]) -> None:
    for progress in walk(goal, seen):
        speed, left = rate(progress.history), estimate(progress.history)
        assert speed is None or speed >= 0
        assert left is None or left >= 0
        assert len(progress.history) == progress.attempts


@given(st.integers(1, 1000), st.integers(4, HISTORY))
def test_a_long_history_is_thinned(length: int, most: int) -> None:
    history: tuple[Sample, ...] = ()
    for second in range(length):
        history = thinned((*history, Sample(float(second), 1)), most)
    times = [sample.elapsed for sample in history]
    assert len(times) <= most
    assert (times[0], times[-1]) == (0.0, float(length - 1))
    assert times == sorted(times)


def test_a_history_within_bounds_is_whole() -> None:
    history = [Sample(float(second), 1) for second in range(HISTORY)]
    assert list(thinned(history)) == history


def test_rates_come_from_the_last_half_minute() -> None:
    history = [Sample(0.0, 1, remaining=1000), Sample(100.0, 1, remaining=900), Sample(110.0, 1, None, 400, 500)]
    assert (rate(history), estimate(history)) == (50.0, 8.0)
    assert (rate(history[:1]), estimate(history[:1])) == (None, None)
    assert estimate([*history[:1], Sample(10.0, 1, remaining=1000)]) is None, "it does not come nearer"
    assert estimate([Sample(0.0, 1, remaining=0)]) == 0.0
    assert (rate([]), estimate([])) == (None, None)
