# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kafka, Kubernetes, pods and time in memory. They count reads and writes, and can fail or be changed under way."""

from __future__ import annotations

import json
import typing as t
from collections import Counter
from dataclasses import dataclass, field, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import (
    LeaseState,
    Place,
    Pod,
    Right,
    StoredObject,
    Workload,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    ClusterError,
    ConflictError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import HttpCall, Reply
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.tests.unit.fakes.endpoints import FakeEndpoint
from ansible_collections.streamops.bluegreen.tests.unit.fakes.kafka import FakeKafka, nothing


@dataclass
class FakeCluster:
    """ConfigMaps, Leases, workloads and pods of one namespace. before_write: what others do just before our write."""

    maps: dict[str, StoredObject] = field(default_factory=dict)
    leases: dict[str, LeaseState] = field(default_factory=dict)
    workloads: dict[str, Workload] = field(default_factory=dict)
    owned: dict[str, list[Pod]] = field(default_factory=dict)
    secrets: dict[tuple[str, str], str] = field(default_factory=dict)
    lacking: list[str] = field(default_factory=list)
    """Rights that we do not have, as they are told."""
    there: bool | None = True
    """Whether the namespace exists; None where nobody may see it."""
    down: bool = False
    lose_answers: int = 0
    before_write: t.Callable[[], None] = nothing
    on_pods: t.Callable[[], None] = nothing
    reads: int = 0
    writes: int = 0
    version: int = 0

    def _read(self) -> None:
        self.reads += 1
        if self.down:
            raise ClusterError("the API server fake does not answer")

    def _write(self) -> str:
        hook, self.before_write = self.before_write, nothing
        hook()
        if self.down:
            raise ClusterError("the API server fake does not answer")
        self.writes += 1
        self.version += 1
        return str(self.version)

    def config_map(self, name: str) -> StoredObject | None:
        self._read()
        return self.maps.get(name)

    def create_config_map(self, name: str, data: t.Mapping[str, str], immutable: bool = False) -> StoredObject:
        version = self._write()
        if name in self.maps:
            raise ConflictError(f"{name} exists")
        return self._store(name, data, version)

    def replace_config_map(self, name: str, data: t.Mapping[str, str], resource_version: str) -> StoredObject:
        version = self._write()
        if name not in self.maps or self.maps[name].resource_version != resource_version:
            raise ConflictError(f"{name} was changed")
        return self._store(name, data, version)

    def _store(self, name: str, data: t.Mapping[str, str], version: str) -> StoredObject:
        before = self.maps.get(name)
        # As on the real API server, a replacement of the data leaves what others wrote beside it.
        self.maps[name] = StoredObject(name, dict(data), version, before.metadata if before else {})
        if self.lose_answers:
            self.lose_answers -= 1
            raise ClusterError("the answer was lost")
        return self.maps[name]

    def put_others(self, name: str, **data: str) -> None:
        """Somebody else changes a ConfigMap."""
        self.version += 1
        before = self.maps[name] if name in self.maps else StoredObject(name, {}, "")
        self.maps[name] = replace(before, data={**before.data, **data}, resource_version=str(self.version))

    def lease(self, name: str) -> LeaseState | None:
        self._read()
        return self.leases.get(name)

    def put_lease(self, name: str, holder: str, duration_seconds: int, resource_version: str | None) -> LeaseState:
        version = self._write()
        found = self.leases.get(name)
        if (found.resource_version if found else None) != resource_version:
            raise ConflictError(f"{name} was changed")
        self.leases[name] = LeaseState(name, holder, duration_seconds, version, version)
        return self.leases[name]

    def denied(self, rights: t.Collection[Right]) -> list[str]:
        self._read()
        return [str(right) for right in rights if str(right) in self.lacking]

    def identity(self) -> str:
        return "jane (kubeconfig /k)"

    def place(self) -> Place:
        return Place("n", self.there)

    def workload(self, kind: str, name: str) -> Workload | None:
        self._read()
        return self.workloads.get(name)

    def pods(self, workload: Workload) -> list[Pod]:
        self._read()
        self.on_pods()
        return [pod for pod in self.owned[workload.name] if pod.phase not in ("Succeeded", "Failed")]

    def secret(self, name: str, key: str) -> str:
        self._read()
        if (name, key) not in self.secrets:
            raise ClusterError(f"Secret {name} has no key {key}")
        return self.secrets[name, key]


@dataclass
class FakePod:
    """A pod that speaks bg/v1, as far as pausing and running goes."""

    state: str = "ACTIVE"
    epoch: int = 1
    member_state: str = "stable"
    epoch_source: str = "http"
    partitions: dict[TopicPartition, int] = field(default_factory=dict)
    slow: int = 0
    """Status calls it takes to do what it was told."""
    silent: bool = False
    busy: int = 0
    """Commands it answers with this HTTP code first, once."""
    follows: bool = True
    """Whether the record names its colour: a wake lets it process."""

    def status(self) -> dict[str, t.Any]:
        """The status body."""
        self.slow = max(0, self.slow - 1)
        state = self.state if not self.slow else "PAUSING"
        return {
            "apiVersion": "bg/v1",
            "color": "blue",
            "state": state,
            "epoch": self.epoch,
            "epochSource": self.epoch_source,
            "activatedEpoch": 1,
            "groupId": "g",
            "memberId": "m",
            "memberState": self.member_state,
            "inFlightRecords": 1 if self.slow else 0,
            "queuedRecords": 0,
            "pendingCommits": 0,
            "processing": state == "ACTIVE",
            "partitions": [
                {
                    "topic": tp.topic,
                    "partition": tp.partition,
                    "paused": self.state != "ACTIVE",
                    "position": offset,
                    "committed": offset,
                }
                for tp, offset in self.partitions.items()
            ],
        }

    def command(self, name: str, body: t.Mapping[str, t.Any]) -> tuple[int, dict[str, t.Any]]:
        """HTTP code and body."""
        if self.busy:
            code, self.busy = self.busy, 0
            return code, {"error": "starting", "message": "not yet", "epoch": self.epoch}
        if body["epoch"] < self.epoch:
            return 409, {"error": "stale_epoch", "message": f"epoch {body['epoch']} is stale", "epoch": self.epoch}
        if name == "prepare" and self.state == "ACTIVE":
            return 409, {"error": "conflict", "message": "active", "epoch": self.epoch}
        self.epoch, self.epoch_source = body["epoch"], "http"
        if name == "resume" and not self.follows:
            return 202, self.status()
        self.state = {"pause": "DRAINED", "prepare": "STANDBY"}.get(name, "ACTIVE")
        return 202 if self.slow else 200, self.status()


@dataclass
class FakeConsumers:
    """The pods' endpoints by pod name. sent: every command with its body, by pod.

    endpoints: pods that speak another dialect; theirs are the requests in ``sent`` (``PUT /path``).
    """

    pods: dict[str, FakePod] = field(default_factory=dict)
    endpoints: dict[str, FakeEndpoint] = field(default_factory=dict)
    sent: list[tuple[str, str, t.Any]] = field(default_factory=list)
    reads: int = 0
    timeouts: list[float] = field(default_factory=list)
    base_path: str = "/actuator/kafka"
    """In front of the paths of the endpoints."""

    @property
    def commands(self) -> Counter[str]:
        """How often each command was sent."""
        return Counter(command for pod, command, body in self.sent)

    def send(self, pods: t.Collection[Pod], request: HttpCall, timeout: float) -> dict[str, Reply]:
        self.timeouts.append(timeout)
        return {pod.name: self._sent(pod.name, request) for pod in pods}

    def _sent(self, name: str, request: HttpCall) -> Reply:
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            return self._one(name, request.path.removeprefix("/"), request.body)
        if request.method == "GET":
            self.reads += 1
        else:
            self.sent.append((name, f"{request.method} {request.path}", request.body))
        if endpoint.fault == "hang":
            return Reply(name, None, error="timed out")
        status, text = endpoint.handle(request.method, self.base_path + request.path, request.body)
        try:
            answer = json.loads(text)
        except ValueError:
            return Reply(
                name, status, error=f"answered {status} with something that is not JSON: {text[:200].decode()!r}"
            )
        return Reply(name, status, answer if isinstance(answer, dict) else None, answer=answer)

    def _one(self, name: str, command: str, body: t.Mapping[str, t.Any] | None) -> Reply:
        pod = self.pods.get(name)
        if body is None:
            self.reads += 1
        else:
            self.sent.append((name, command, body))
        if pod is None or pod.silent:
            return Reply(name, None, None, "timed out")
        status, answer = (200, pod.status()) if body is None else pod.command(command, body)
        return Reply(name, status, answer, answer=answer)


@dataclass
class FakeClock:
    """A clock that moves when somebody sleeps."""

    time: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.time

    def now(self) -> str:
        minutes, seconds = divmod(self.time, 60)
        return f"2026-01-01T00:{int(minutes):02d}:{seconds:06.3f}Z"

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class InOrder:
    """Port Parallel, one after the other."""

    def run(self, calls: t.Mapping[str, t.Callable[[], t.Any]]) -> dict[str, t.Any]:
        return {name: call() for name, call in calls.items()}


@dataclass
class World:
    """All of them."""

    kafka: FakeKafka = field(default_factory=FakeKafka)
    cluster: FakeCluster = field(default_factory=FakeCluster)
    consumers: FakeConsumers = field(default_factory=FakeConsumers)
    clock: FakeClock = field(default_factory=FakeClock)

    @property
    def ports(self) -> Ports:
        """As the use cases take them."""
        return Ports(
            kafka=t.cast(t.Any, self.kafka),
            cluster=t.cast(t.Any, self.cluster),
            consumers=self.consumers,
            clock=self.clock,
            parallel=InOrder(),
        )

    def add_endpoints(self, workload: str, base_path: str, **endpoints: FakeEndpoint) -> None:
        """A Deployment whose pods speak another dialect."""
        self.add_pods(workload, **{name: FakePod() for name in endpoints})
        self.consumers.endpoints.update(endpoints)
        self.consumers.base_path = base_path

    def add_pods(self, workload: str, **pods: FakePod) -> None:
        """A Deployment whose pods are all there."""
        self.cluster.workloads[workload] = Workload("Deployment", workload, f"uid-{workload}", len(pods), len(pods))
        self.cluster.owned[workload] = [Pod(name, f"uid-{name}", ready=True) for name in pods]
        self.consumers.pods.update(pods)


def changed(pod: Pod, **values: t.Any) -> Pod:
    """The pod with other values."""
    return replace(pod, **values)
