# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Which committed offsets of a group have to change, and whether they may. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    CommittedOffset,
    Group,
    LogRange,
    TopicPartition,
)

EARLIEST = "earliest"
LATEST = "latest"
FAIL = "fail"


@dataclass(frozen=True)
class Desired:
    """What a partition's committed offset shall be.

    offset None: nobody knows, a policy decides. leader_epoch and metadata None: whatever they are now, as long as the
    offset stays the same.
    """

    offset: int | None
    leader_epoch: int | None = None
    metadata: str | None = None

    @classmethod
    def copy_of(cls, committed: CommittedOffset | None) -> Desired:
        """The same as another group has, to the letter."""
        if committed is None:
            return cls(None)
        return cls(committed.offset, committed.leader_epoch, committed.metadata)


@dataclass(frozen=True)
class Decision:
    """One partition. reason: why after is what it is. skipped: records that are never read because of it."""

    partition: TopicPartition
    before: CommittedOffset | None
    after: CommittedOffset
    reason: str
    skipped: int = 0

    @property
    def changes(self) -> bool:
        """True when the broker has to be told."""
        return self.before != self.after


@dataclass(frozen=True)
class OffsetPlan:
    """Every partition decided, sorted; faults are reasons not to do any of it."""

    decisions: tuple[Decision, ...] = ()
    faults: tuple[str, ...] = field(default=())

    @property
    def changes(self) -> dict[TopicPartition, CommittedOffset]:
        """What has to be written."""
        return {decision.partition: decision.after for decision in self.decisions if decision.changes}


def plan_offsets(
    current: t.Mapping[TopicPartition, CommittedOffset],
    desired: t.Mapping[TopicPartition, Desired],
    ranges: t.Mapping[TopicPartition, LogRange],
    missing: str = FAIL,
    out_of_range: str = FAIL,
) -> OffsetPlan:
    """Decide every desired partition. ranges must hold all of them.

    missing: what to do where nobody knows the offset; out_of_range: where the log no longer, or not yet, has it. Both
    are fail, earliest or latest. A broker checks neither.
    """
    decisions: list[Decision] = []
    faults: list[str] = []
    for tp in sorted(desired):
        wanted, log = desired[tp], ranges[tp]
        fault, offset, reason, skipped = _decide(wanted, log, missing, out_of_range)
        if fault:
            faults.append(f"{tp}: {fault}")
            continue
        exact = offset == wanted.offset
        after = _complete(offset, wanted if exact else Desired(offset), current.get(tp))
        decisions.append(Decision(tp, current.get(tp), after, reason, skipped))
    return OffsetPlan(tuple(decisions), tuple(faults))


def _decide(wanted: Desired, log: LogRange, missing: str, out_of_range: str) -> tuple[str, int, str, int]:
    """Fault or empty, offset, reason, records skipped."""
    if wanted.offset is None:
        fault = "no committed offset to copy; set missing to earliest or latest" if missing == FAIL else ""
        offset = log.end if missing == LATEST else log.start
        return fault, offset, f"{missing}: never committed", offset - log.start
    if log.start <= wanted.offset <= log.end:
        return "", wanted.offset, "as wanted", 0
    if wanted.offset < log.start:
        lost = log.start - wanted.offset
        seen = f"offset {wanted.offset} was deleted by retention, {lost} records are lost (log starts at {log.start})"
    else:
        lost = 0
        seen = f"offset {wanted.offset} lies beyond the end of the log {log.end} (truncated log or wrong topic)"
    fault = f"{seen}; set out_of_range to earliest or latest" if out_of_range == FAIL else ""
    offset = log.end if out_of_range == LATEST else log.start
    return fault, offset, f"{out_of_range}: {seen}", lost + offset - log.start


def _complete(offset: int, wanted: Desired, current: CommittedOffset | None) -> CommittedOffset:
    """Fill in what was left open: unchanged where the offset is, else unknown (an old epoch with a new offset is wrong)."""
    kept = current if current is not None and current.offset == offset else CommittedOffset(offset)
    return CommittedOffset(
        offset,
        kept.leader_epoch if wanted.leader_epoch is None else wanted.leader_epoch,
        kept.metadata if wanted.metadata is None else wanted.metadata,
    )


def members_refusal(group: Group, verb: str) -> str:
    """Why the offsets of a group with members cannot be ``verb`` (committed, deleted) from outside, and what to do."""
    members = ", ".join(map(str, group.members)) or f"none visible any more, its state is {group.state}"
    return (
        f"Consumer group {group.group_id} has members ({len(group.members)}: {members}), so its offsets cannot be {verb} "
        "from outside. Stop its consumers, or let them leave the group, and try again"
    )
