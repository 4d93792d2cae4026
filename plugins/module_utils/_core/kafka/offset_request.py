# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""What is asked of a group's committed offsets. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.group_snapshot import GroupSnapshot
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import Desired
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition


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
