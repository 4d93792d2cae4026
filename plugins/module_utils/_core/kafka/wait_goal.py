# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""When a wait for a group is over, how fast it gets there, and what it remembers from look to look. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.lag import PartitionLag, pending
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import Group, TopicPartition

UNTIL = ("lag", "barrier", "stable", "empty")
HISTORY = 200
"""Most samples kept; then every second one of the older ones goes."""
RATE_WINDOW = 30.0
"""Seconds over which rates are taken: several of the bursts in which consumers commit."""
NAMED = 5
"""Most partitions a message names."""

Marks = t.Mapping[TopicPartition, int]


@dataclass(frozen=True)
class Goal:
    """What is waited for. max_lag, max_partition_lag: records, None for no limit (both None: a total of 0).

    barrier: marks to reach; None freezes the ends of the logs at the first look. polls: looks in a row with the same
    committed offsets, after the one that showed them first.
    """

    until: str = "lag"
    max_lag: int | None = None
    max_partition_lag: int | None = None
    barrier: Marks | None = None
    polls: int = 10

    def faults(self) -> list[str]:
        """Every nonsense in it."""
        limits = {"max_lag": self.max_lag, "max_partition_lag": self.max_partition_lag}
        given = [name for name, value in limits.items() if value is not None]
        faults = [f"{name} is {limits[name]}; it must be 0 or more" for name in given if (limits[name] or 0) < 0]
        if self.until not in ("lag", "barrier"):
            faults += [f"{name} has no meaning with until: {self.until}" for name in given]
        if self.barrier is not None and self.until != "barrier":
            faults.append(f"barrier has no meaning with until: {self.until}")
        if self.barrier is not None and not self.barrier:
            faults.append("barrier is empty, and no mark can be reached; leave it out to take the ends of the logs")
        faults += [
            f"barrier: {tp} has offset {mark}; it must be 0 or more"
            for tp, mark in (self.barrier or {}).items()
            if mark < 0
        ]
        if self.polls < 1:
            faults.append(f"polls is {self.polls}; it must be 1 or more")
        return faults

    @property
    def limits(self) -> tuple[int | None, int | None]:
        """Largest total and largest lag of one partition."""
        nothing_said = self.max_lag is None and self.max_partition_lag is None
        return (0 if nothing_said else self.max_lag), self.max_partition_lag


@dataclass(frozen=True)
class Sample:
    """One look. elapsed: seconds since the first. processed, produced: records since the first, never falling.

    lag: to the end of the log; remaining: until what is waited for. Both None where unknown.
    """

    elapsed: float
    members: int
    lag: int | None = None
    remaining: int | None = None
    processed: int = 0
    produced: int = 0


@dataclass(frozen=True)
class Progress:
    """What a wait remembers. began and looked are times of the machine's monotonic clock, in seconds."""

    began: float
    looked: float
    attempts: int = 0
    barrier: Marks | None = None
    committed: Marks = field(default_factory=dict)
    ends: Marks = field(default_factory=dict)
    unchanged: int = 0
    history: tuple[Sample, ...] = ()
    satisfied: bool = False
    remaining: int | None = None
    met: bool = False
    """Whether Kafka knew the group at some look: one that it never knew is not empty, its name may be wrong."""
    pending: str = ""
    """Partitions with an offset in an open transaction, for people: how many, and the first of them."""
    why: str = ""
    """What is still missing, for a message."""
    trouble: str = ""
    """Why the last poll failed, or empty."""
    unheard: float = 0.0
    """Seconds that ended with a poll that failed."""

    def failed(self, now: float, trouble: str) -> Progress:
        """A look that showed nothing."""
        unheard = self.unheard + now - self.looked
        return replace(self, looked=now, attempts=self.attempts + 1, trouble=trouble, unheard=unheard)


def advance(
    goal: Goal, progress: Progress | None, group: Group, rows: t.Sequence[PartitionLag], began: float, now: float
) -> Progress:
    """One look further. progress: of the look before, None at the first. rows: none with ``until: empty``.

    What is not known never satisfies: a group that Kafka never knew, no partitions, a partition that has something to read
    and no commit, a commit in an open transaction, a mark whose partition is gone.
    """
    before = progress or Progress(began, began)
    there = group.kind != "absent"
    committed = {row.partition: row.committed.offset for row in rows if row.committed is not None}
    ends = {row.partition: row.log.end for row in rows}
    known = there and bool(rows) and all(row.lag is not None for row in rows)
    barrier = before.barrier if goal.barrier is None else goal.barrier
    if goal.until == "barrier" and barrier is None and rows:
        barrier = ends
    same = known and committed == before.committed and before.attempts > 0
    unchanged = before.unchanged + 1 if same else 0
    remaining = _remaining(goal, rows, barrier) if there else None
    met = there or before.met
    satisfied = {"empty": group.is_empty and met, "stable": unchanged >= goal.polls}.get(goal.until, remaining == 0)
    undecided = pending(rows)
    last = before.history[-1] if before.history else Sample(0.0, 0)
    total = sum(row.lag or 0 for row in rows) if known else None
    sample = Sample(
        elapsed=round(now - before.began, 3),
        members=len(group.members),
        lag=total,
        remaining=remaining,
        processed=last.processed + _grown(before.committed, committed),
        produced=last.produced + _grown(before.ends, ends),
    )
    return replace(
        before,
        looked=now,
        attempts=before.attempts + 1,
        barrier=barrier,
        committed=committed,
        ends=ends,
        unchanged=unchanged,
        history=thinned((*before.history, sample)),
        satisfied=satisfied,
        remaining=remaining,
        met=met,
        pending=f"{len(undecided)} partitions ({named(undecided)})" if undecided else "",
        why="" if satisfied else _why(goal, group, rows, barrier, unchanged),
        trouble="",
    )


def _distances(goal: Goal, rows: t.Sequence[PartitionLag], barrier: Marks | None) -> dict[TopicPartition, int | None]:
    """Records of each partition until the end of the log, or until its mark; None where that is unknown."""
    if goal.until != "barrier" or barrier is None:
        return {row.partition: row.lag for row in rows}
    by_partition = {row.partition: row for row in rows}
    return {tp: _before(mark, by_partition.get(tp)) for tp, mark in barrier.items()}


def _before(mark: int, row: PartitionLag | None) -> int | None:
    """Records that are still to be read before the mark. Where the log begins behind it there are none, whatever is committed."""
    if row is None or row.pending:
        return None
    if row.log.start >= mark:
        return 0
    return None if row.committed is None else max(0, mark - max(row.committed.offset, row.log.start))


def _remaining(goal: Goal, rows: t.Sequence[PartitionLag], barrier: Marks | None) -> int | None:
    """Records until the goal, None when that is unknown or not counted in records."""
    if goal.until not in ("lag", "barrier"):
        return None
    distances = list(_distances(goal, rows, barrier).values())
    counted = [distance for distance in distances if distance is not None]
    if not distances or len(counted) < len(distances):
        return None
    most, most_each = goal.limits
    over = 0 if most is None else max(0, sum(counted) - most)
    over_each = 0 if most_each is None else sum(max(0, distance - most_each) for distance in counted)
    return max(over, over_each)


def _grown(before: Marks, after: Marks) -> int:
    """By how much offsets grew; partitions that appear, vanish or go back count nothing."""
    return sum(max(0, offset - before[tp]) for tp, offset in after.items() if tp in before)


def _why(
    goal: Goal,
    group: Group,
    rows: t.Sequence[PartitionLag],
    barrier: Marks | None,
    unchanged: int,
) -> str:
    who = f"Consumer group {group.group_id}"
    if group.kind == "absent":
        what = "whether it is empty" if goal.until == "empty" else "its lag"
        return f"{who} is not known to Kafka (check its name), so {what} is unknown,"
    if goal.until == "empty":
        members = ", ".join(m.instance_id or m.client_id or m.member_id for m in group.members)
        return f"{who} still has {len(group.members)} members ({members}; state {group.state})"
    if not rows:
        return f"{who} has no topics, so its lag is unknown,"
    undecided = pending(rows)
    if undecided:
        return (
            f"{who} has offsets in an open transaction for {len(undecided)} partitions ({named(undecided)}), "
            "so its lag is not decided yet,"
        )
    distances = _distances(goal, rows, barrier)
    unknown = [tp for tp, distance in distances.items() if distance is None]
    if unknown:
        return f"{who} has no committed offset for {len(unknown)} partitions ({named(unknown)}), so its lag is unknown,"
    if goal.until == "stable":
        return f"{who} still moves: its committed offsets were unchanged for {unchanged} of {goal.polls} polls"
    lags = {tp: distance or 0 for tp, distance in distances.items()}
    if goal.until == "barrier":
        what = f"{who} is still {sum(lags.values())} records before the barrier"
    else:
        what = f"{who} still has a lag of {sum(lags.values())} records"
    most, most_each = goal.limits
    wanted = ([] if most is None else [f"at most {most}"]) + (
        [] if most_each is None else [f"at most {most_each} in one partition"]
    )
    worst = max(lags, key=lambda tp: lags[tp])
    return f"{what} (wanted: {' and '.join(wanted)}; most in {worst}: {lags[worst]})"


def named(partitions: t.Iterable[TopicPartition]) -> str:
    """The first few of them."""
    titles = [str(tp) for tp in sorted(partitions)]
    return ", ".join(titles[:NAMED]) + (", ..." if len(titles) > NAMED else "")


def thinned(history: t.Sequence[Sample], most: int = HISTORY) -> tuple[Sample, ...]:
    """At most ``most`` samples, the first and the last among them; the older ones get sparser."""
    if len(history) <= most:
        return tuple(history)
    half = len(history) // 2
    return thinned((*history[:half:2], *history[half:]), most)


def rate(history: t.Sequence[Sample]) -> float | None:
    """Records processed per second over the last RATE_WINDOW seconds; None until two looks lie apart."""
    first, last = _window(history)
    if first is None or last is None:
        return None
    return (last.processed - first.processed) / (last.elapsed - first.elapsed)


def estimate(history: t.Sequence[Sample]) -> float | None:
    """Seconds left if it goes on like this; None when that is unknown or when nothing comes nearer."""
    first, last = _window(history)
    if history and history[-1].remaining == 0:
        return 0.0
    if first is None or last is None or first.remaining is None or last.remaining is None:
        return None
    nearer = (first.remaining - last.remaining) / (last.elapsed - first.elapsed)
    return last.remaining / nearer if nearer > 0 else None


def _window(history: t.Sequence[Sample]) -> tuple[Sample | None, Sample | None]:
    if not history:
        return None, None
    last = history[-1]
    first = next(sample for sample in history if sample.elapsed >= last.elapsed - RATE_WINDOW)
    return (first, last) if last.elapsed > first.elapsed else (None, None)
