# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""What is asked of a group's committed offsets: from options to a request. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.group_snapshot import GroupSnapshot
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.moments import to_milliseconds
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.offsets import Desired, row_faults

SOURCES = ("offsets", "from_group", "snapshot", "snapshot_file", "snapshot_config_map", "to")
"""Options of which exactly one says where the offsets come from."""


@dataclass(frozen=True)
class Position:
    """A place in the log: earliest, latest, the first record at or after timestamp_ms, or shift records from here."""

    kind: str
    timestamp_ms: int = 0
    shift: int = 0
    text: str = ""
    """The time as it was asked for."""


@dataclass(frozen=True)
class OffsetRequest:
    """What was asked for: exactly one of explicit, from_group, snapshot, to and remove.

    topics empty: all the source (or the group itself) has committed. partitions empty: all of these topics.
    wait_empty: seconds to wait for members to leave; wait_transactions: for open transactions to decide offsets. missing and
    out_of_range: see plan_offsets.
    """

    group_id: str
    explicit: t.Mapping[TopicPartition, Desired] = field(default_factory=dict)
    from_group: str = ""
    snapshot: GroupSnapshot | None = None
    to: Position | None = None
    remove: bool = False
    topics: tuple[str, ...] = ()
    partitions: frozenset[int] = frozenset()
    missing: str = "earliest"
    out_of_range: str = "fail"
    forward_only: bool = False
    allow_create: bool = False
    evict_static: bool = False
    wait_empty: float = 0.0
    wait_transactions: float = 0.0

    @property
    def creates(self) -> bool:
        """Whether a group that does not exist would be made."""
        if self.snapshot is not None:
            return any(committed is not None for committed in self.snapshot.offsets.values())
        return not self.remove

    def limited(self, snapshot: GroupSnapshot) -> OffsetRequest:
        """The request with this snapshot as its source, cut down to the chosen topics and partitions.

        Raises InvalidSettingsError for what the snapshot does not hold.
        """
        held = {tp.topic for tp in snapshot.offsets}
        faults = [f"the snapshot holds nothing of topic {name}" for name in self.topics if name not in held]
        chosen = {
            tp: committed
            for tp, committed in snapshot.offsets.items()
            if (not self.topics or tp.topic in self.topics) and (not self.partitions or tp.partition in self.partitions)
        }
        if not chosen and not faults:
            faults.append(f"the snapshot holds none of the partitions {', '.join(map(str, sorted(self.partitions)))}")
        if faults:
            raise InvalidSettingsError(faults)
        return replace(self, snapshot=replace(snapshot, offsets=chosen))


def parse_request(params: t.Mapping[str, t.Any]) -> OffsetRequest:
    """The request, without a snapshot's content. Raises InvalidSettingsError with every fault."""
    faults = _contradictions(params)
    explicit = _explicit(params.get("offsets") or [], faults)
    to = _position(params, faults)
    if faults:
        raise InvalidSettingsError(faults)
    return OffsetRequest(
        group_id=params["group_id"],
        explicit=explicit,
        from_group=params["from_group"] or "",
        to=to,
        remove=params["state"] == "absent",
        topics=tuple(dict.fromkeys(params["topics"] or ())),
        partitions=frozenset(params["partitions"] or ()),
        missing=params["missing"],
        out_of_range=params["out_of_range"],
        forward_only=params["direction"] == "forward_only",
        allow_create=params["allow_create"],
        evict_static=params["evict_static_members"],
        wait_empty=params["wait_empty_timeout"],
        wait_transactions=params["wait_transactions_timeout"],
    )


def _contradictions(params: t.Mapping[str, t.Any]) -> list[str]:
    faults = []
    if params["state"] == "absent":
        faults += [f"{name} makes no sense with state absent" for name in SOURCES if params.get(name) is not None]
    # An empty list is a variable that went wrong; taking it for "all" could remove a whole group.
    faults += [
        f"{name} is an empty list; leave it out for all of them"
        for name in ("topics", "partitions", "offsets")
        if params.get(name) is not None and not params[name]
    ]
    faults += [f"partition {number} is negative" for number in params["partitions"] or () if number < 0]
    faults += [
        f"{name} needs to: {name}"
        for name in ("timestamp", "shift")
        if params[name] is not None and params["to"] != name
    ]
    return faults


def _explicit(rows: t.Sequence[t.Mapping[str, t.Any]], faults: list[str]) -> dict[TopicPartition, Desired]:
    faults += row_faults(rows)
    return {
        TopicPartition(row["topic"], row["partition"]): Desired(row["offset"], row["leader_epoch"], row["metadata"])
        for row in rows
    }


def _position(params: t.Mapping[str, t.Any], faults: list[str]) -> Position | None:
    if params["to"] is None:
        return None
    moment = 0
    if params["to"] == "timestamp" and params["timestamp"] is not None:
        try:
            moment = to_milliseconds(params["timestamp"])
        except ValueError as error:
            faults.append(f"timestamp {error}")
    return Position(params["to"], moment, params["shift"] or 0, params["timestamp"] or "")
