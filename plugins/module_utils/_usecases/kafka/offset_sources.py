# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Where a group's wanted offsets come from, and everything that has to be read to decide them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    InvalidSettingsError,
    OffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.group_snapshot import recreated
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offset_request import (
    OffsetRequest,
    Position,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import Desired
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.open_transactions import wait_decided

OTHER_KINDS = {
    "share": "a share group: the broker itself keeps what its members acknowledged, there are no offsets to hand over",
    "streams": "a Kafka Streams group: its offsets belong to its state stores and must not be moved alone",
}
Offsets = dict[TopicPartition, CommittedOffset]


@dataclass(frozen=True)
class OffsetView:
    """What was read at one moment."""

    group: Group
    topics: t.Mapping[str, Topic]
    current: Offsets
    desired: t.Mapping[TopicPartition, Desired]
    ranges: t.Mapping[TopicPartition, LogRange]


def read_view(ports: Ports, request: OffsetRequest) -> OffsetView:
    """Read all that a plan needs. Raises InvalidSettingsError listing all that does not exist."""
    kafka, origin = ports.kafka, request.from_group or request.group_id
    listed = _listed(request)
    calls: dict[str, t.Callable[[], t.Any]] = {"groups": lambda: kafka.groups({request.group_id, origin})}
    if not listed and not request.topics:
        calls["known"] = _known(ports, request)
    first = ports.parallel.run(calls)
    group, source = first["groups"][request.group_id], first["groups"][origin]
    refuse_other_kinds(group, source)
    known, also = first.get("known", ({}, ()))
    names = sorted({tp.topic for tp in listed} or set(request.topics) or {tp.topic for tp in (*known, *also)})
    topics = kafka.topics(names)
    partitions = _partitions(request, listed, names, topics)
    faults = _faults(request, group, source, names, topics, partitions)
    if faults:
        raise InvalidSettingsError(faults)
    found = ports.parallel.run(_reads(ports, request, group, known, partitions))
    current, pending = found.get("current", ({}, frozenset()))
    offsets = found.get("source", known if request.from_group else current)
    if request.remove:
        desired = _removed(partitions, current, pending)
    else:
        desired = _desired(request, partitions, offsets, found.get("ranges", {}), found.get("times", {}))
    return OffsetView(group, topics, current, desired, found.get("ranges", {}))


def _known(ports: Ports, request: OffsetRequest) -> t.Callable[[], tuple[Offsets, t.Collection[TopicPartition]]]:
    """A call for all commits of the group to go by, and partitions that it may have, too."""
    if request.from_group:
        return lambda: (_decided(ports, request, request.from_group, None), ())
    # Only the names of its topics are of interest.
    return lambda: ports.kafka.committed_or_pending(request.group_id, None)


def _decided(
    ports: Ports, request: OffsetRequest, group_id: str, partitions: t.Sequence[TopicPartition] | None
) -> Offsets:
    """Commits of which none is part of an open transaction any more."""
    return wait_decided(ports.kafka, ports.clock, group_id, partitions, request.wait_transactions)


def _listed(request: OffsetRequest) -> t.Collection[TopicPartition]:
    """Partitions the request itself names."""
    return request.snapshot.offsets if request.snapshot is not None else request.explicit


def refuse_other_kinds(*groups: Group) -> None:
    """Raises OffsetsError for groups whose offsets are not ours to move."""
    for group in groups:
        if group.kind in OTHER_KINDS:
            raise OffsetsError(f"Group {group.group_id} is {OTHER_KINDS[group.kind]}")


def _partitions(
    request: OffsetRequest,
    listed: t.Collection[TopicPartition],
    names: t.Sequence[str],
    topics: t.Mapping[str, Topic],
) -> list[TopicPartition]:
    """The partitions to decide, sorted, whether they exist or not."""
    chosen = listed or [
        TopicPartition(name, number)
        for name in names
        if name in topics
        for number in sorted(request.partitions or topics[name].partitions)
    ]
    return sorted(tp for tp in chosen if not request.partitions or tp.partition in request.partitions)


def _faults(
    request: OffsetRequest,
    group: Group,
    source: Group,
    names: t.Sequence[str],
    topics: t.Mapping[str, Topic],
    partitions: t.Sequence[TopicPartition],
) -> list[str]:
    """Everything that is wrong with the request, seen what there is."""
    faults = [f"topic {name} does not exist, or may not be described" for name in names if name not in topics]
    if request.from_group == request.group_id:
        faults.append(f"from_group is {request.group_id} itself")
    elif source.kind == "absent" and request.from_group:
        faults.append(f"group {source.group_id} does not exist, so there is nothing to copy; check its name")
    if group.kind == "absent" and request.creates and not request.allow_create:
        faults.append(
            f"group {group.group_id} does not exist; check its name, or set allow_create if it is a new group's first offsets"
        )
    elif not names and not request.remove and source.kind != "absent":
        faults.append(f"group {source.group_id} has no committed offsets to go by; list the topics")
    faults += [
        f"partition {tp} does not exist; the topic has {len(topics[tp.topic].partitions)} partitions"
        for tp in partitions
        if tp.topic in topics and tp.partition not in topics[tp.topic].partitions
    ]
    if request.snapshot is not None:
        faults += recreated(request.snapshot.topic_ids, topics, "the snapshot was taken")
    return faults


def _reads(
    ports: Ports, request: OffsetRequest, group: Group, known: Offsets, partitions: t.Sequence[TopicPartition]
) -> dict[str, t.Callable[[], t.Any]]:
    """The calls that are still to be made; they do not depend on each other."""
    kafka = ports.kafka
    calls: dict[str, t.Callable[[], t.Any]] = {}
    if group.kind != "absent" and request.remove:
        # A broker that removes an offset removes one in an open transaction as well, so nobody has to wait for its end.
        calls["current"] = lambda: kafka.committed_or_pending(request.group_id, partitions)
    elif group.kind != "absent":
        calls["current"] = lambda: (_decided(ports, request, request.group_id, partitions), frozenset())
    if request.from_group and not known:
        calls["source"] = lambda: _decided(ports, request, request.from_group, partitions)
    if not request.remove:
        calls["ranges"] = lambda: kafka.log_ranges(partitions)
    if request.to is not None and request.to.kind == "timestamp":
        moment = request.to.timestamp_ms
        calls["times"] = lambda: kafka.offsets_for_time(partitions, moment)
    return calls


def _removed(
    partitions: t.Sequence[TopicPartition], current: Offsets, pending: t.Collection[TopicPartition]
) -> dict[TopicPartition, Desired]:
    """No offset any more, where there is one or may be one soon."""
    gone = Desired(None, removed=True, reason="state is absent")
    also = gone._replace(reason="state is absent; what an open transaction has goes with it", pending=True)
    return {tp: also if tp in pending else gone for tp in partitions if tp in current or tp in pending}


def _desired(
    request: OffsetRequest,
    partitions: t.Sequence[TopicPartition],
    offsets: Offsets,
    ranges: t.Mapping[TopicPartition, LogRange],
    times: t.Mapping[TopicPartition, int],
) -> dict[TopicPartition, Desired]:
    """The wish for each partition. offsets: those of the group to go by."""
    if request.from_group:
        return {tp: Desired.copy_of(offsets.get(tp)) for tp in partitions}
    if request.to is not None:
        return {tp: _position(request.to, offsets.get(tp), ranges[tp], times.get(tp)) for tp in partitions}
    wanted = request.snapshot.desired() if request.snapshot is not None else request.explicit
    return {tp: wanted[tp] for tp in partitions}


def _position(to: Position, current: CommittedOffset | None, log: LogRange, at: int | None) -> Desired:
    if to.kind == "shift":
        if current is None:
            return Desired(None)
        return Desired(current.offset + to.shift, reason=f"{current.offset} shifted by {to.shift:+d}")
    if to.kind == "timestamp":
        if at is None:
            return Desired(log.end, reason=f"end of the log: no record at or after {to.text}")
        return Desired(at, reason=f"first record at or after {to.text}")
    return Desired(log.start if to.kind == "earliest" else log.end, reason=f"{to.kind} offset of the log")
