"""The collection's ports, bound to the simulated world for one operator's process.

Every call is counted, takes a little time, and may go wrong as the operator's fault plan says.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import (
    LeaseState,
    Place,
    Pod,
    Scaler,
    StoredObject,
    Workload,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    ClusterError,
    GroupNotEmptyError,
    KafkaError,
    PendingOffsetsError,
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
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.prometheus import ERROR, TIMEOUT, Answer
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from tests.simulation.world.broker import TemporaryError
from tests.simulation.world.scheduler import Process, Signal

if t.TYPE_CHECKING:
    from tests.simulation.world.pods import Answer, Container
    from tests.simulation.world.world import World

BEFORE, AFTER = "before", "after"
REFUSED_AFTER = 0.4
"""Seconds until a request to an API server that is away has failed."""


@dataclass(frozen=True)
class Call:
    """One port call as it was made, at the virtual time ``when``."""

    when: float
    number: int
    operator: str
    service: str
    name: str
    arguments: tuple[t.Any, ...]
    writes: bool


class Fault(t.Protocol):
    """Something that goes wrong at one call of one operator."""

    def strike(self, operator: Operator, moment: str, call: Call) -> None:
        """Called with BEFORE and AFTER the call's effect; may kill the operator, raise, or change the world."""


@dataclass
class Operator:
    """A process that runs use cases: its own ports, its own faults, its own count of calls."""

    world: World
    run_id: str
    faults: dict[int, Fault] = field(default_factory=dict)
    every_call: Fault | None = None
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.process = Process(self.world.scheduler, f"operator {self.run_id}")
        self.ports = Ports(
            kafka=SimKafka(self),
            cluster=SimCluster(self),
            consumers=SimConsumers(self),
            clock=SimClock(self),
            parallel=SimParallel(self),
            metrics=SimMetrics(self) if self.world.prometheus else None,
        )

    def die(self) -> t.NoReturn:
        """kill -9."""
        self.process.kill()
        self.world.scheduler.sleep(0)
        raise AssertionError("a dead process went on")

    def call(
        self,
        service: str,
        name: str,
        effect: t.Callable[[], t.Any],
        arguments: tuple[t.Any, ...] = (),
        writes: bool = False,
    ) -> t.Any:
        """Make one call: request, effect, answer."""
        call = Call(self.world.scheduler.now, len(self.calls) + 1, self.run_id, service, name, arguments, writes)
        self.calls.append(call)
        faults = [fault for fault in (self.faults.get(call.number), self.every_call) if fault is not None]
        for fault in faults:
            fault.strike(self, BEFORE, call)
        self.world.scheduler.sleep(self.world.latency())
        self.world.before_effect(call)
        try:
            result = effect()
        except BlueGreenError:
            self.world.had_no_effect(call)
            raise
        for fault in faults:
            fault.strike(self, AFTER, call)
        self.world.scheduler.sleep(self.world.latency())
        return result

    def failure(self, service: str, message: str) -> BlueGreenError:
        """The error by which this service's adapter reports trouble."""
        return KafkaError(message) if service == "kafka" else ClusterError(message)


@dataclass
class SimKafka:
    """Port ``Kafka``."""

    operator: Operator

    def _call(self, name: str, effect: t.Callable[[], t.Any], *arguments: t.Any, writes: bool = False) -> t.Any:
        def guarded() -> t.Any:
            try:
                self.operator.world.broker.check_up()
            except TemporaryError as error:
                raise KafkaError(str(error)) from error
            return effect()

        return self.operator.call("kafka", name, guarded, arguments, writes)

    @property
    def _broker(self) -> t.Any:
        return self.operator.world.broker

    def topics(self, names: t.Collection[str]) -> dict[str, Topic]:
        known = self._broker.topics
        return self._call("topics", lambda: {n: self._broker.describe_topic(n) for n in names if n in known})

    def groups(self, group_ids: t.Collection[str]) -> dict[str, Group]:
        groups = self._broker.groups
        return self._call(
            "groups", lambda: {g: groups[g].describe() if g in groups else Group(g) for g in group_ids}, *group_ids
        )

    def committed(
        self, group_id: str, partitions: t.Collection[TopicPartition]
    ) -> dict[TopicPartition, CommittedOffset]:
        def effect() -> dict[TopicPartition, CommittedOffset]:
            group = self._broker.groups.get(group_id)
            pending = group.pending & set(partitions) if group else set()
            if pending:
                raise PendingOffsetsError(group_id, pending)
            known = group.offsets if group else {}
            return {tp: known[tp] for tp in partitions if tp in known}

        return self._call("committed", effect, group_id)

    def committed_or_pending(
        self, group_id: str, partitions: t.Collection[TopicPartition]
    ) -> tuple[dict[TopicPartition, CommittedOffset], frozenset[TopicPartition]]:
        def effect() -> tuple[dict[TopicPartition, CommittedOffset], frozenset[TopicPartition]]:
            group = self._broker.groups.get(group_id)
            known, pending = (group.offsets, group.pending) if group else ({}, set())
            return {tp: known[tp] for tp in partitions if tp in known}, frozenset(pending & set(partitions))

        return self._call("committed_or_pending", effect, group_id)

    def all_committed(self, group_id: str) -> dict[TopicPartition, CommittedOffset]:
        group = self._broker.groups.get(group_id)
        return self._call("all_committed", lambda: dict(group.offsets) if group else {}, group_id)

    def list_groups(self) -> list[Group]:
        groups = self._broker.groups
        return self._call("list_groups", lambda: [replace(groups[g].describe(), members=()) for g in sorted(groups)])

    def committed_topics(self, group_id: str) -> set[str]:
        group = self._broker.groups.get(group_id)
        return self._call("committed_topics", lambda: {tp.topic for tp in (group.offsets if group else ())}, group_id)

    def log_ranges(
        self, partitions: t.Collection[TopicPartition], read_committed: bool = False
    ) -> dict[TopicPartition, LogRange]:
        def effect() -> dict[TopicPartition, LogRange]:
            missing = [tp for tp in partitions if tp.topic not in self._broker.topics]
            if missing:
                raise KafkaError(f"no such partitions: {missing}")
            return {tp: self._broker.range(tp) for tp in partitions}

        return self._call("log_ranges", effect)

    def offsets_for_time(
        self, partitions: t.Collection[TopicPartition], timestamp_ms: int
    ) -> dict[TopicPartition, int]:
        raise NotImplementedError("no use case under simulation asks for it")

    def open_transactions(self, partitions: t.Collection[TopicPartition]) -> list[OpenTransaction]:
        return self._call("open_transactions", lambda: list(self._broker.transactions))

    def commit(self, group_id: str, offsets: t.Mapping[TopicPartition, CommittedOffset]) -> dict[TopicPartition, str]:
        def effect() -> dict[TopicPartition, str]:
            known = {tp for tp in offsets if tp in self._broker.partitions()}
            self._broker.group(group_id).commit_from_outside({tp: offsets[tp] for tp in known})
            return {tp: "UnknownTopicOrPartitionError" for tp in offsets if tp not in known}

        return self._call("commit", effect, group_id, dict(offsets), writes=True)

    def delete_offsets(self, group_id: str, partitions: t.Collection[TopicPartition]) -> dict[TopicPartition, str]:
        def effect() -> dict[TopicPartition, str]:
            group = self._broker.group(group_id)
            if group.members:
                raise GroupNotEmptyError(f"Group {group_id} has members")
            for tp in partitions:
                group.offsets.pop(tp, None)
            return {}

        return self._call("delete_offsets", effect, group_id, writes=True)

    def remove_members(self, group_id: str, members: t.Collection[str]) -> None:
        def effect() -> None:
            for member_id in members:
                self._broker.group(group_id).evict(member_id)

        self._call("remove_members", effect, group_id, tuple(members), writes=True)

    def min_insync_replicas(self, topics: t.Collection[str]) -> dict[str, int]:
        return self._call("min_insync_replicas", lambda: dict.fromkeys(topics, 2))


@dataclass
class SimCluster:
    """Port ``Cluster``."""

    operator: Operator

    def _call(self, name: str, effect: t.Callable[[], t.Any], *arguments: t.Any, writes: bool = False) -> t.Any:
        def guarded() -> t.Any:
            if self._api.away:
                self.operator.world.scheduler.sleep(REFUSED_AFTER)
            self._api.check_up()
            return effect()

        return self.operator.call("cluster", name, guarded, arguments, writes)

    @property
    def _api(self) -> t.Any:
        return self.operator.world.cluster

    def config_map(self, name: str) -> StoredObject | None:
        return self._call("config_map", lambda: self._api.config_maps.get(name), name)

    def create_config_map(self, name: str, data: t.Mapping[str, str], immutable: bool = False) -> StoredObject:
        return self._call(
            "create_config_map", lambda: self._api.create(name, data, immutable), name, dict(data), writes=True
        )

    def replace_config_map(self, name: str, data: t.Mapping[str, str], resource_version: str) -> StoredObject:
        return self._call(
            "replace_config_map",
            lambda: self._api.replace(name, data, resource_version),
            name,
            dict(data),
            resource_version,
            writes=True,
        )

    def lease(self, name: str) -> LeaseState | None:
        return self._call("lease", lambda: self._api.leases.get(name), name)

    def put_lease(self, name: str, holder: str, duration_seconds: int, resource_version: str | None) -> LeaseState:
        return self._call(
            "put_lease",
            lambda: self._api.put_lease(name, holder, duration_seconds, resource_version),
            name,
            holder,
            writes=True,
        )

    def workload(self, kind: str, name: str) -> Workload | None:
        return self._call("workload", lambda: self._api.workload(name), name)

    def scale(self, kind: str, name: str, replicas: int) -> None:
        self._call("scale", lambda: self._api.scale(name, replicas), name, replicas, writes=True)

    def pods(self, workload: Workload) -> list[Pod]:
        colour = self._api.workloads[workload.name].colour
        return self._call("pods", lambda: [pod.shown for pod in self._api.pods_of(colour)], workload.name)

    def ended_pods(self, workload: Workload) -> list[str]:
        colour = self._api.workloads[workload.name].colour
        return self._call("ended_pods", lambda: self._api.ended_pods(colour), workload.name)

    def scalers(self, workloads: t.Collection[str]) -> list[Scaler]:
        return self._call("scalers", lambda: [one for one in self._api.scalers if one.workload in workloads])

    def denied(self, rights: t.Collection[t.Any]) -> list[str]:
        return self._call("denied", lambda: list(self._api.denied))

    def identity(self) -> str:
        return "operator (simulated)"

    def place(self) -> Place:
        return Place("simulated", True)

    def secret(self, name: str, key: str) -> str:
        return self._call("secret", lambda: "", name)

    def event(self, workload: Workload, reason: str, message: str) -> None:
        self._call("event", lambda: None, workload.name, reason)


@dataclass
class SimConsumers:
    """Port ``Consumers``: requests travel to every pod at the same time."""

    operator: Operator

    def send(self, pods: t.Collection[Pod], request: HttpCall, timeout: float) -> dict[str, Reply]:
        names, command, body = tuple(pod.name for pod in pods), request.path.removeprefix("/"), request.body
        writes = request.method != "GET"
        return self.operator.call(
            "consumers", command, lambda: self._fan_out(names, command, body, timeout), (names, body), writes
        )

    def _fan_out(
        self, names: tuple[str, ...], command: str, body: t.Mapping[str, t.Any] | None, timeout: float
    ) -> dict[str, Reply]:
        world = self.operator.world
        scheduler = world.scheduler
        replies: dict[str, Reply] = {}
        answered = Signal(scheduler)
        for name in names:
            mishap = world.mishap(name, command)
            request = _Request(world, name, command, body, replies, answered, mishap)
            scheduler.after(world.latency() + (mishap.delay if mishap else 0.0), request.deliver)
        deadline = scheduler.now + timeout
        while len(replies) < len(names) and scheduler.now < deadline:
            scheduler.wait(answered, deadline - scheduler.now)
        return {name: replies.get(name, Reply(name, None, error="no answer in time")) for name in names}


@dataclass
class SimPrometheus:
    """answers: what a query gives, by a word in it; the first that fits. away: until when it refuses; slow: seconds to any answer."""

    answers: dict[str, Answer] = field(default_factory=dict)
    away: float = 0.0
    slow: float = 0.0
    timeout: float = 10.0


@dataclass
class SimMetrics:
    """Port ``Metrics``."""

    operator: Operator

    def instant(self, query: str) -> Answer:
        return self.operator.call("metrics", "instant", lambda: self._answer(query), (query,))

    def _answer(self, query: str) -> Answer:
        world = self.operator.world
        server = world.prometheus
        world.scheduler.sleep(min(server.slow, server.timeout))
        if server.slow > server.timeout:
            return Answer(TIMEOUT, said=f"nothing within {server.timeout:g} s", again=True)
        if world.scheduler.now < server.away:
            return Answer(ERROR, said="no connection: refused", again=True)
        return next((answer for word, answer in server.answers.items() if word in query), UNKNOWN)


UNKNOWN = Answer(ERROR, said="HTTP 400, bad_data: parse error")


@dataclass(frozen=True)
class Mishap:
    """What the network does to one request: lose it, lose the answer, or hold it up for seconds."""

    lose_request: bool = False
    lose_answer: bool = False
    delay: float = 0.0


@dataclass
class _Request:
    """One HTTP request on its way to one pod."""

    world: World
    pod: str
    command: str
    body: t.Mapping[str, t.Any] | None
    replies: dict[str, Reply]
    answered: Signal
    mishap: Mishap | None

    def deliver(self) -> None:
        if self.mishap is not None and self.mishap.lose_request:
            return
        if self.world.cluster.away:
            self._reply(None, error="the API server, which passes requests on to pods, does not answer")
            return
        pod = self.world.cluster.pods.get(self.pod)
        container = pod.container if pod else None
        if container is None or not container.alive:
            self._reply(None, error="connection refused")
            return
        container.spawn(lambda: self._serve(container), f"{container.name} {self.command}")

    def _serve(self, container: Container) -> None:
        answer: Answer | None = container.handle(self.command, self.body)
        if answer is None:
            self._reply(None, error="connection refused")
        elif self.mishap is None or not self.mishap.lose_answer:
            self.world.scheduler.sleep(self.world.latency())
            self._reply(answer)

    def _reply(self, answer: Answer | None, error: str = "") -> None:
        status, body = answer if answer is not None else (None, None)
        self.replies[self.pod] = Reply(self.pod, status, body, error)
        self.answered.fire()


@dataclass
class SimClock:
    """Port ``Clock``: the operator's own clock."""

    operator: Operator

    def monotonic(self) -> float:
        return self.operator.world.scheduler.now

    def now(self) -> str:
        minutes, seconds = divmod(self.operator.world.scheduler.now, 60)
        hours, minutes = divmod(int(minutes), 60)
        return f"2026-01-01T{hours:02d}:{minutes:02d}:{seconds:09.6f}Z"

    def sleep(self, seconds: float) -> None:
        self.operator.world.scheduler.sleep(seconds)


@dataclass
class SimParallel:
    """Port ``Parallel``: one after the other in an order of chance, as nobody may rely on any."""

    operator: Operator

    def run(self, calls: t.Mapping[str, t.Callable[[], t.Any]]) -> dict[str, t.Any]:
        names = list(calls)
        self.operator.world.rng.shuffle(names)
        results: dict[str, t.Any] = {}
        errors: dict[str, Exception] = {}
        for name in names:
            try:
                results[name] = calls[name]()
            except BlueGreenError as error:
                errors[name] = error
        for name in calls:
            if name in errors:
                raise errors[name]
        return {name: results[name] for name in calls}
