# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""What the use cases need from outside. Adapters implement all of it, the simulator what the use cases of a run call.

Every method may raise ``KafkaError`` or ``ClusterError`` when the service behind it fails; all are bounded in time by
the adapter. Reads never write. Writes say whether they may be repeated.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import (
    LeaseState,
    Place,
    Pod,
    Right,
    Scaler,
    StoredObject,
    Workload,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import OpenTransaction
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import HttpCall, Reply
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.prometheus import Answer
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.samples import Sample


class Kafka(t.Protocol):
    """The Kafka cluster, seen by an administrator."""

    def topics(self, names: t.Collection[str]) -> dict[str, Topic]:
        """The named topics; a name that does not exist, or may not be described, is missing from the answer."""

    def groups(self, group_ids: t.Collection[str]) -> dict[str, Group]:
        """Type, state and members of each group; an unknown one has kind ``absent``."""

    def committed(
        self, group_id: str, partitions: t.Collection[TopicPartition]
    ) -> dict[TopicPartition, CommittedOffset]:
        """Committed offsets of the named partitions. A partition without a commit is missing; one that may not be read is an error.

        Raises ``PendingOffsetsError`` when offsets of one are part of an open transaction: whoever may wait asks again.
        """

    def committed_or_pending(
        self, group_id: str, partitions: t.Collection[TopicPartition] | None
    ) -> tuple[dict[TopicPartition, CommittedOffset], frozenset[TopicPartition]]:
        """As ``committed``, for a look: the last decided commits, and the partitions that have one pending beside it.

        None: as ``all_committed``.
        """

    def committed_topics(self, group_id: str) -> set[str]:
        """Topics for which the group has at least one committed offset."""

    def all_committed(self, group_id: str) -> dict[TopicPartition, CommittedOffset]:
        """Every committed offset of the topics we may describe; a broker is silent about the others.

        Raises ``PendingOffsetsError`` as ``committed`` does.
        """

    def list_groups(self) -> list[Group]:
        """Type and state of every group we may describe, sorted by name, without members."""

    def log_ranges(
        self, partitions: t.Collection[TopicPartition], read_committed: bool = False
    ) -> dict[TopicPartition, LogRange]:
        """First and end offset of every named partition; one that cannot be read is an error."""

    def offsets_for_time(
        self, partitions: t.Collection[TopicPartition], timestamp_ms: int
    ) -> dict[TopicPartition, int]:
        """First offset whose record is at or after the time (ms since epoch); partitions without one are missing."""

    def open_transactions(self, partitions: t.Collection[TopicPartition]) -> list[OpenTransaction]:
        """Transactions begun on the partitions and not ended, sorted; a partition that may not be read is an error."""

    def transactions_beside(self, group_id: str) -> list[OpenTransaction]:
        """Open transactions that may hold offsets of the group: those on the partition where Kafka keeps them, sorted."""

    def commit(self, group_id: str, offsets: t.Mapping[TopicPartition, CommittedOffset]) -> dict[TopicPartition, str]:
        """Write offsets as an outsider. Returns the partitions that were refused with Kafka's error name.

        Raises ``GroupNotEmptyError`` when the group has members. May be repeated.
        """

    def delete_offsets(self, group_id: str, partitions: t.Collection[TopicPartition]) -> dict[TopicPartition, str]:
        """Remove committed offsets. Returns refused partitions. May be repeated.

        Raises ``GroupNotEmptyError`` when the group has members that read one of the topics.
        """

    def delete_group(self, group_id: str) -> None:
        """Remove an empty group with all its offsets; gone already is fine. May be repeated.

        Raises ``GroupNotEmptyError`` when the group has members.
        """

    def remove_members(self, group_id: str, members: t.Collection[str]) -> None:
        """Evict members (member ids). May be repeated."""

    def min_insync_replicas(self, topics: t.Collection[str]) -> dict[str, int]:
        """``min.insync.replicas`` in force for each topic; missing where it may not be read."""

    def offsets_retention(self) -> int | None:
        """``offsets.retention.minutes`` of the brokers; None where it may not be read."""


class Cluster(t.Protocol):
    """One namespace of a Kubernetes cluster."""

    def config_map(self, name: str) -> StoredObject | None:
        """The ConfigMap read fresh, or None."""

    def create_config_map(self, name: str, data: t.Mapping[str, str], immutable: bool = False) -> StoredObject:
        """Create. Raises ``ConflictError`` when it exists."""

    def replace_config_map(self, name: str, data: t.Mapping[str, str], resource_version: str) -> StoredObject:
        """Make ``data`` the whole data, if the object is still at ``resource_version``; else ``ConflictError``.

        Everything beside it stays: binary data, labels, annotations, owners.
        """

    def lease(self, name: str) -> LeaseState | None:
        """The Lease read fresh, or None."""

    def put_lease(self, name: str, holder: str, duration_seconds: int, resource_version: str | None) -> LeaseState:
        """Create (resource_version None) or replace the Lease with a new renew time; ``ConflictError`` if it changed."""

    def workload(self, kind: str, name: str) -> Workload | None:
        """The Deployment or StatefulSet, or None."""

    def scale(self, kind: str, name: str, replicas: int) -> None:
        """Set the wanted replicas. May be repeated."""

    def pods(self, workload: Workload) -> list[Pod]:
        """The workload's pods that have or may get a process, terminating ones included (found by owner, not by label).

        A pod that ended (phase Succeeded or Failed, e.g. evicted) is not among them: Kubernetes keeps the object, never
        runs it again and does not count it.
        """

    def ended_pods(self, workload: Workload) -> list[str]:
        """Pods of the workload that ended and are still listed, readable: ``name (Evicted)``.

        One that was told to end, and was killed for not doing it, says so until it is gone: ``name (exit code 137)``.
        """

    def scalers(self, workloads: t.Collection[str]) -> list[Scaler]:
        """What scales these workloads (names) by itself: HorizontalPodAutoscalers, and KEDA's ScaledObjects where installed.

        Raises ``ClusterError`` that names the right when one of the two may not be listed: then it is not known.
        """

    def denied(self, rights: t.Collection[Right]) -> list[str]:
        """Of the wanted rights those we lack, readable: ``patch deployments/scale.apps order-consumer-blue``."""

    def identity(self) -> str:
        """Who we are to the API server, and by what (``jane (kubeconfig /x)``), for messages. Never an error."""

    def place(self) -> Place:
        """The namespace, and whether it exists where that may be seen, for messages. Never an error."""

    def secret(self, name: str, key: str) -> str:
        """One value of a Secret. Raises ``ClusterError`` when the Secret or the key is missing or may not be read."""

    def event(self, workload: Workload, reason: str, message: str) -> None:
        """Leave a Kubernetes Event on the workload. Best effort: a failure is not an error."""


class Consumers(t.Protocol):
    """The pods' control endpoint."""

    def send(self, pods: t.Collection[Pod], request: HttpCall, timeout: float) -> dict[str, Reply]:
        """Send one request to all pods in parallel; one reply per pod name.

        Never raises for a pod: silence, a hang or broken JSON is a ``Reply`` that says so. ``timeout`` in seconds is
        for the whole fan-out.
        """


class Metrics(t.Protocol):
    """A Prometheus server."""

    def instant(self, query: str) -> Answer:
        """What a query gives now, by the server's clock.

        Never raises for the server: silence, a refusal or a broken answer is an ``Answer`` that says so. A read.
        """


class Clock(t.Protocol):
    """Time. Durations come from ``monotonic`` only; ``now`` is for people."""

    def monotonic(self) -> float:
        """Seconds, never going back."""

    def now(self) -> str:
        """RFC 3339 UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Parallel(t.Protocol):
    """Runs independent calls at the same time."""

    def run(self, calls: t.Mapping[str, t.Callable[[], t.Any]]) -> dict[str, t.Any]:
        """All results by name; the first exception is raised after all calls have ended."""


class MetricsPlace(t.Protocol):
    """Where the metrics of one application are published. Every method may raise ``MetricsError``."""

    def name(self) -> str:
        """The place, for people."""

    def text(self, samples: t.Iterable[Sample]) -> str:
        """The samples as they are published; the same samples are the same text."""

    def read(self) -> str:
        """What is published there now, as ``text`` would write it; empty where there is nothing."""

    def replace(self, samples: t.Iterable[Sample]) -> None:
        """Publish these samples instead of all that is there. May be repeated."""


@dataclass(frozen=True)
class Ports:
    """Everything outside, in one value. metrics: None where no Prometheus is known."""

    kafka: Kafka
    cluster: Cluster
    consumers: Consumers
    clock: Clock
    parallel: Parallel
    metrics: Metrics | None = None
