# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Values of the domain: what Kafka, Kubernetes and the pods told us. Nothing here does I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

COLOURS = ("blue", "green")


def other_colour(colour: str) -> str:
    """The colour that is not ``colour``."""
    return "green" if colour == "blue" else "blue"


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
    """A member of a consumer group as the broker sees it."""

    member_id: str
    client_id: str = ""
    host: str = ""
    instance_id: str | None = None
    assignment: frozenset[TopicPartition] = frozenset()

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


@dataclass(frozen=True)
class Pod:
    """A pod of a workload, in whatever phase it is."""

    name: str
    uid: str
    ip: str = ""
    phase: str = "Running"
    ready: bool = False
    terminating: bool = False
    problem: str = ""
    """Why it cannot run, in Kubernetes' own words (``ErrImagePull: ...``), or empty. Not of one with a container that runs."""
    trouble: str = ""
    """Why a container of it cannot run, also where others do. Explains; excuses nothing."""
    ended: str = ""
    """How a container of a terminating pod ended, where it did not end by itself (``exit code 137``), or empty."""


@dataclass(frozen=True)
class Workload:
    """A Deployment or StatefulSet. replicas is what is wanted, grace the seconds its pods are given to stop."""

    kind: str
    name: str
    uid: str
    replicas: int
    selector: str = ""
    """Its label selector; makes lists shorter, ownership decides."""
    outdated: str = ""
    """Why pods of an older template may be among its pods (``0 of 2 pods run its template, the rollout is paused``), or empty."""
    scaled_by: tuple[str, ...] = ()
    """Field managers other than ours that own ``spec.replicas``."""
    grace: int = 30
    ordered: bool = False
    """Whether its pods stop one after the other (a StatefulSet with OrderedReady)."""


@dataclass(frozen=True)
class Scaler:
    """A HorizontalPodAutoscaler or a ScaledObject of KEDA. least: the replicas it goes down to; paused: it does nothing now."""

    kind: str
    name: str
    workload: str
    least: int = 1
    paused: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name} (of {self.workload}, at least {self.least})"


@dataclass(frozen=True)
class StoredObject:
    """A ConfigMap as stored: its data and the version a compare-and-swap must name. metadata: as Kubernetes keeps it."""

    name: str
    data: t.Mapping[str, str]
    resource_version: str
    metadata: t.Mapping[str, t.Any] = field(default_factory=dict)
    immutable: bool = False


@dataclass(frozen=True)
class LeaseState:
    """A Lease as stored. renew_time is only ever compared for equality, never with our own clock."""

    name: str
    holder: str
    duration_seconds: int
    renew_time: str
    resource_version: str


class Right(t.NamedTuple):
    """A right in the application's namespace; name is empty where the verb has none (create, list) or all count."""

    verb: str
    resource: str
    api_group: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' + self.api_group if self.api_group else ''}{' ' + self.name if self.name else ''}"


@dataclass(frozen=True)
class HttpCall:
    """A request that is sent to pods. path: below the base path of the endpoint. body: JSON, None for no body."""

    method: str
    path: str
    body: t.Any = None
    headers: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """One pod's answer. status is the HTTP code, or None when no answer came (then error says why)."""

    pod: str
    status: int | None
    body: t.Mapping[str, t.Any] | None = None
    """The answer where it is a JSON object."""
    error: str = ""
    answer: t.Any = None
    """The answer where it is any JSON."""
