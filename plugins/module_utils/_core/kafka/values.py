# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Values of Kafka: topics, logs, groups and offsets. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

# What there is per partition are tuples: ten thousand of each are made, hashed, sorted and compared in the critical section,
# which takes a third of the time that dataclasses need.


class TopicPartition(t.NamedTuple):
    """One partition."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class CommittedOffset(t.NamedTuple):
    """A group's committed offset: the next offset to process. leader_epoch is -1 where unknown."""

    offset: int
    leader_epoch: int = -1
    metadata: str = ""


class LogRange(t.NamedTuple):
    """First readable offset and end offset (next to be written, or last stable offset) of a partition.

    epoch: current leader epoch, -1 where unknown. It only grows as long as the topic lives.
    """

    start: int
    end: int
    epoch: int = -1


class PartitionInfo(t.NamedTuple):
    """Leader (-1: none), replicas and in-sync replicas (broker ids)."""

    leader: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]


@dataclass(frozen=True)
class Topic:
    """A topic. topic_id changes when a topic of the same name is created again."""

    name: str
    topic_id: str
    partitions: t.Mapping[int, PartitionInfo]


@dataclass(frozen=True)
class Member:
    """A member of a consumer group as the broker sees it. subscribed: the topics it reads, None where that is not told."""

    member_id: str
    client_id: str = ""
    host: str = ""
    instance_id: str | None = None
    assignment: frozenset[TopicPartition] = frozenset()
    subscribed: frozenset[str] | None = None

    def __str__(self) -> str:
        return f"{self.instance_id or self.client_id or self.member_id} ({self.host})"

    @property
    def identity(self) -> str:
        """Everything an operator needs to find it: member id, client id, host, instance id of a static one."""
        static = f", static as {self.instance_id}" if self.instance_id is not None else ""
        return f"{self.member_id} (client {self.client_id or 'unnamed'} at {self.host or 'unknown'}{static})"


@dataclass(frozen=True)
class Group:
    """A group as the broker sees it.

    kind: classic, consumer (KIP-848), share, streams, or absent when the broker has never heard of it.
    state: the broker's word (Empty, Stable, PreparingRebalance, ...); Dead for an absent group.
    protocol_type: ``consumer``, ``connect``, ...; empty for a group that nobody ever joined, only offsets were committed.
    protocol: the assignor its members agreed on; empty without members.
    """

    group_id: str
    kind: str = "absent"
    state: str = "Dead"
    members: tuple[Member, ...] = ()
    protocol_type: str = ""
    protocol: str = ""

    @property
    def is_empty(self) -> bool:
        """True when an external commit would be accepted: the group has no members."""
        return self.kind == "absent" or (self.state in ("Empty", "Dead") and not self.members)
