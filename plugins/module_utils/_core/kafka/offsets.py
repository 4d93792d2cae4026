# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Which committed offsets of a group have to change, whether they may, and what to do with those outside of their log. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
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
    """What a partition's committed offset should be.

    offset None: nobody knows, a policy decides. leader_epoch and metadata None: whatever they are now, as long as the
    offset stays the same. removed: no committed offset at all. reason: where the offset comes from, for people.
    committed: a group once committed it, so that whoever has it has processed all that was before. pending: an open transaction
    has an offset that has to be removed, too.
    """

    offset: int | None
    leader_epoch: int | None = None
    metadata: str | None = None
    removed: bool = False
    reason: str = AS_WANTED
    committed: bool = False
    pending: bool = False

    @classmethod
    def copy_of(cls, committed: CommittedOffset | None) -> Desired:
        """An exact copy of what another group has."""
        if committed is None:
            return cls(None)
        return cls(committed.offset, committed.leader_epoch, committed.metadata, committed=True)


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
    pending: bool = False

    @property
    def changes(self) -> bool:
        """True when the broker has to be told."""
        return self.before != self.after or self.pending


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
            found: Decision | Fault = Decision(tp, before, None, desired[tp].reason, pending=desired[tp].pending)
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
    place = placed(wanted.offset, wanted.leader_epoch, log, out_of_range, wanted.committed)
    if place.offset is None:
        return Fault(tp, f"{place.note}; set out_of_range to earliest or latest", place.lost)
    if not place.note:
        return Decision(tp, before, _complete(wanted.offset, wanted, before), wanted.reason)
    return Decision(
        tp,
        before,
        _complete(place.offset, None, before),  # the wanted epoch and metadata belong to the offset that is gone
        place.note,
        skipped=place.lost + place.offset - log.start,
        lost=place.lost,
    )


class Place(t.NamedTuple):
    """Where in its log a group goes on. offset None: nowhere, note says why. note: why it is not simply the offset that was looked for.

    lost: offsets that retention had deleted before the group read them; not necessarily records.
    """

    offset: int | None
    note: str = ""
    lost: int = 0


def placed(offset: int, leader_epoch: int | None, log: LogRange, policy: str, committed: bool = True) -> Place:
    """The one rule for an offset that may be outside of its log. policy: fail, earliest or latest. committed: see Desired.

    One commit outside is no reason to fail. When retention passed it by one offset and nothing is left to read, that offset may
    be the marker of a transaction, which nobody commits beyond. By then nothing can tell what it was, whatever is decided the
    group begins at the same place, and the note says so.
    """
    seen, lost = _outside(offset, leader_epoch, log)
    if not seen:
        return Place(offset)
    if committed and lost == 1 and log.start == log.end:
        return Place(
            log.start,
            f"1 offset passed by retention, may be a transaction marker: offset {offset} is gone, the log is empty and begins at "
            f"{log.start}",
            lost,
        )
    if policy == FAIL:
        return Place(None, seen, lost)
    return Place(log.end if policy == LATEST else log.start, f"{policy}: {seen}", lost)


class Inside(t.NamedTuple):
    """Offsets of which every one is in its log. notes: why one is not the commit it was; faults: partitions that have none."""

    offsets: dict[TopicPartition, CommittedOffset]
    notes: dict[TopicPartition, str]
    faults: list[str]


def inside_log(
    offsets: t.Mapping[TopicPartition, CommittedOffset],
    ranges: t.Mapping[TopicPartition, LogRange],
    policy: str = FAIL,
) -> Inside:
    """Commits that are looked for in their logs. policy: fail or earliest, see ``placed``. ranges must hold all of them.

    A commit that moves loses leader epoch and metadata, which belong to what is gone.
    """
    found = Inside({}, {}, [])
    for tp, committed in sorted(offsets.items()):
        place = placed(committed.offset, committed.leader_epoch, ranges[tp], policy)
        if place.offset is None:
            found.faults.append(f"{tp}: {place.note}")
            continue
        found.offsets[tp] = CommittedOffset(place.offset) if place.note else committed
        if place.note:
            found.notes[tp] = place.note
    return found


def _outside(offset: int, leader_epoch: int | None, log: LogRange) -> tuple[str, int]:
    """Why the log does not have the offset (empty when it has), and how many records are lost."""
    if offset < 0:
        return f"offset {offset} lies before the beginning of the log", 0
    if offset < log.start:
        lost = log.start - offset
        return (
            f"offset {offset} was deleted by retention, at most {lost} records are lost (log starts at {log.start})",
            lost,
        )
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
        return Fault(decision.partition, f"offset {before.offset} would be removed; forward_only is set")
    return Fault(
        decision.partition,
        f"would go back from {before.offset} to {after.offset} ({decision.reason}); forward_only is set",
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


def kept_by_members(group: Group, topics: t.Collection[str]) -> set[str]:
    """Of these topics those whose offsets a broker does not remove, because a member may read them (KIP-496)."""
    if group.is_empty:
        return set()
    told = [member.subscribed for member in group.members]
    if group.protocol_type != "consumer" or not told or None in told:
        return set(topics)
    read = {name for names in told for name in names or ()}
    return set(topics) & (read | {tp.topic for member in group.members for tp in member.assignment})


def kept_words(group: Group, kept: t.Collection[str]) -> str:
    """Why the offsets of these topics are kept, and what can be done, as a sentence without its end."""
    if group.kind == "classic" and group.protocol_type == "consumer" and group.state != "Stable":
        return (
            f"What they read is not known while the group is {group.state}. Once it is Stable, offsets of topics that none of them "
            "reads can be removed beside them: run the same again"
        )
    return f"They may read {', '.join(sorted(kept))}; offsets of other topics can be removed beside them"


def members_refusal(group: Group, verb: str) -> str:
    """Why the offsets of a group with members cannot be ``verb`` (committed, deleted) from outside, and what to do."""
    named = "; ".join(member.identity for member in group.members[:MEMBERS_NAMED])
    more = f"; and {len(group.members) - MEMBERS_NAMED} more" if len(group.members) > MEMBERS_NAMED else ""
    members = f"{named}{more}" or f"none visible any more, its state is {group.state}"
    return (
        f"Consumer group {group.group_id} has members ({len(group.members)}: {members}), so its offsets cannot be {verb} "
        "from outside. Stop its consumers, or let them leave the group, and try again"
    )
