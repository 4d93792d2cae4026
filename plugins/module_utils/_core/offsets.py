# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Which committed offsets of a group have to change, and whether they may. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    CommittedOffset,
    Group,
    LogRange,
    TopicPartition,
)

EARLIEST = "earliest"
LATEST = "latest"
FAIL = "fail"
AS_WANTED = "as wanted"
MEMBERS_NAMED = 10
"""Members written out in a message; a group can have hundreds."""


class Desired(t.NamedTuple):
    """What a partition's committed offset shall be.

    offset None: nobody knows, a policy decides. leader_epoch and metadata None: whatever they are now, as long as the
    offset stays the same. removed: no committed offset at all. reason: where the offset comes from, for people.
    """

    offset: int | None
    leader_epoch: int | None = None
    metadata: str | None = None
    removed: bool = False
    reason: str = AS_WANTED

    @classmethod
    def copy_of(cls, committed: CommittedOffset | None) -> Desired:
        """The same as another group has, to the letter."""
        if committed is None:
            return cls(None)
        return cls(committed.offset, committed.leader_epoch, committed.metadata)


class Decision(t.NamedTuple):
    """One partition. after None: no committed offset. reason: why after is what it is.

    lost: records that retention had deleted before the group read them. skipped: offsets that are never read because of
    the decision, the lost ones included.
    """

    partition: TopicPartition
    before: CommittedOffset | None
    after: CommittedOffset | None
    reason: str
    skipped: int = 0
    lost: int = 0

    @property
    def changes(self) -> bool:
        """True when the broker has to be told."""
        return self.before != self.after


@dataclass(frozen=True)
class Fault:
    """A partition that cannot be decided: why, in words and in numbers."""

    partition: TopicPartition
    why: str
    lost: int = 0

    def __str__(self) -> str:
        return f"{self.partition}: {self.why}"


@dataclass(frozen=True)
class OffsetPlan:
    """Every partition decided, sorted; faults are reasons not to do any of it."""

    decisions: tuple[Decision, ...] = ()
    faults: tuple[Fault, ...] = ()

    @cached_property
    def writes(self) -> dict[TopicPartition, CommittedOffset]:
        """What has to be committed."""
        return {d.partition: d.after for d in self.decisions if d.after is not None and d.changes}

    @cached_property
    def removals(self) -> list[TopicPartition]:
        """Whose committed offset has to be deleted."""
        return [d.partition for d in self.decisions if d.after is None and d.changes]

    @cached_property
    def changes(self) -> dict[TopicPartition, CommittedOffset | None]:
        """Both of them: what each partition that changes has afterwards."""
        return {d.partition: d.after for d in self.decisions if d.changes}


def plan_offsets(
    current: t.Mapping[TopicPartition, CommittedOffset],
    desired: t.Mapping[TopicPartition, Desired],
    ranges: t.Mapping[TopicPartition, LogRange],
    missing: str = FAIL,
    out_of_range: str = FAIL,
    forward_only: bool = False,
) -> OffsetPlan:
    """Decide every desired partition. ranges must hold all that are not to be removed.

    missing: what to do where nobody knows the offset; out_of_range: where the log no longer, or not yet, has it. Both
    are fail, earliest or latest. A broker checks neither. forward_only: going back is a fault.
    """
    decisions: list[Decision] = []
    faults: list[Fault] = []
    for tp in sorted(desired):
        before = current.get(tp)
        if desired[tp].removed:
            found: Decision | Fault = Decision(tp, before, None, desired[tp].reason)
        else:
            found = _decide(tp, desired[tp], ranges[tp], before, missing, out_of_range)
        if forward_only and isinstance(found, Decision):
            found = _forward(found)
        if isinstance(found, Fault):
            faults.append(found)
        else:
            decisions.append(found)
    return OffsetPlan(tuple(decisions), tuple(faults))


def _decide(
    tp: TopicPartition,
    wanted: Desired,
    log: LogRange,
    before: CommittedOffset | None,
    missing: str,
    out_of_range: str,
) -> Decision | Fault:
    if wanted.offset is None:
        if missing == FAIL:
            return Fault(tp, "no committed offset to go by; set missing to earliest or latest")
        offset = log.end if missing == LATEST else log.start
        return Decision(
            tp, before, _complete(offset, None, before), f"{missing}: never committed", skipped=offset - log.start
        )
    seen, lost = _outside(wanted.offset, wanted.leader_epoch, log)
    if not seen:
        return Decision(tp, before, _complete(wanted.offset, wanted, before), wanted.reason)
    if out_of_range == FAIL:
        return Fault(tp, f"{seen}; set out_of_range to earliest or latest", lost)
    offset = log.end if out_of_range == LATEST else log.start
    return Decision(
        tp,
        before,
        _complete(offset, None, before),  # the wanted epoch and metadata belong to the offset that is gone
        f"{out_of_range}: {seen}",
        skipped=lost + offset - log.start,
        lost=lost,
    )


def _outside(offset: int, leader_epoch: int | None, log: LogRange) -> tuple[str, int]:
    """Why the log does not have the offset (empty when it has), and how many records are lost."""
    if offset < 0:
        return f"offset {offset} lies before the beginning of the log", 0
    if offset < log.start:
        lost = log.start - offset
        return f"offset {offset} was deleted by retention, {lost} records are lost (log starts at {log.start})", lost
    if offset > log.end:
        return f"offset {offset} lies beyond the end of the log {log.end} (truncated log or wrong topic)", 0
    if leader_epoch is not None and 0 <= log.epoch < leader_epoch:
        # Epochs only grow while a topic lives. A consumer that is given one of the future stops believing its metadata.
        return (
            f"offset {offset} was committed in leader epoch {leader_epoch}, the log is in epoch {log.epoch}: "
            "the topic was deleted and created again, or the offset is another topic's"
        ), 0
    return "", 0


def _complete(offset: int, wanted: Desired | None, before: CommittedOffset | None) -> CommittedOffset:
    """Fill in what was left open: unchanged where the offset is, else unknown (an old epoch with a new offset is wrong)."""
    kept = before if before is not None and before.offset == offset else None
    epoch = wanted.leader_epoch if wanted is not None else None
    metadata = wanted.metadata if wanted is not None else None
    if epoch is None:
        epoch = kept.leader_epoch if kept else -1
    if metadata is None:
        metadata = kept.metadata if kept else ""
    return CommittedOffset(offset, epoch, metadata)


def _forward(decision: Decision) -> Decision | Fault:
    before, after = decision.before, decision.after
    if before is None or (after is not None and after.offset >= before.offset):
        return decision
    if after is None:
        return Fault(decision.partition, f"offset {before.offset} would be removed; direction is forward_only")
    return Fault(
        decision.partition,
        f"would go back from {before.offset} to {after.offset} ({decision.reason}); direction is forward_only",
    )


def row_faults(rows: t.Iterable[t.Mapping[str, t.Any]]) -> list[str]:
    """What is wrong with a list of rows with topic, partition and offset, as users write it."""
    faults = []
    seen: set[TopicPartition] = set()
    for row in rows:
        tp = TopicPartition(row["topic"], row["partition"])
        if tp in seen:
            faults.append(f"partition {tp} is listed twice in offsets")
        if row["offset"] < 0:
            faults.append(f"offset {row['offset']} of {tp} is negative; an offset is 0 or more")
        seen.add(tp)
    return faults


def members_refusal(group: Group, verb: str) -> str:
    """Why the offsets of a group with members cannot be ``verb`` (committed, deleted) from outside, and what to do."""
    named = "; ".join(member.identity for member in group.members[:MEMBERS_NAMED])
    more = f"; and {len(group.members) - MEMBERS_NAMED} more" if len(group.members) > MEMBERS_NAMED else ""
    members = f"{named}{more}" or f"none visible any more, its state is {group.state}"
    return (
        f"Consumer group {group.group_id} has members ({len(group.members)}: {members}), so its offsets cannot be {verb} "
        "from outside. Stop its consumers, or let them leave the group, and try again"
    )
