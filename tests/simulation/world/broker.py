"""Kafka in memory: logs that grow with virtual time, and a coordinator of classic groups."""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import GroupNotEmptyError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import OpenTransaction
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    Member,
    PartitionInfo,
    Topic,
    TopicPartition,
)
from tests.simulation.world.scheduler import Scheduler

SESSION_TIMEOUT = 6.0
REBALANCE_TIMEOUT = 4.0
INITIAL_REBALANCE_DELAY = 0.3
HEARTBEAT = 0.15
"""Longest time until a member hears of a rebalance."""
METADATA_AGE = 1.5
"""Seconds until clients notice a new partition."""
EVICTION_NEWS = 3.0
"""Longest time until an evicted member hears of it: it heartbeats every 3 s, and goes on until then."""


class LostError(Exception):
    """The coordinator no longer counts the caller as a member of this generation."""


class TemporaryError(Exception):
    """The coordinator is not available now."""


@dataclass
class Log:
    """One partition under steady production: record ``n`` is there ``n / rate`` seconds after ``since``.

    markers: offsets that hold no record but the end of a transaction, in their order. trimmed: offsets of the records that
    retention removed, which nobody can process any more.
    """

    since: float
    rate: float
    first: int
    start: int
    stopped: float | None = None
    markers: list[int] = field(default_factory=list)
    trimmed: set[int] = field(default_factory=set)

    def end(self, now: float) -> int:
        """The next offset to be written."""
        until = now if self.stopped is None else min(now, self.stopped)
        return self.first + int(max(0.0, until - self.since) * self.rate + 1e-9) + len(self.markers)

    def end_of_records(self, now: float) -> int:
        """The offset after the last record: a consumer of records gets no further."""
        end = self.end(now)
        while end - 1 in self.markers:
            end -= 1
        return end

    def written_at(self, offset: int) -> float:
        """When the record was written."""
        before = sum(marker < offset for marker in self.markers)
        return self.since + (offset - before - self.first + 1) / self.rate if self.rate else self.since

    def mark(self, now: float, count: int = 1) -> None:
        """A transaction ends: its marker takes the next offset."""
        for _marker in range(count):
            self.markers.append(self.end(now))

    def trim(self, start: int, now: float) -> None:
        """Retention removes everything before ``start``."""
        start = min(start, self.end(now))
        self.trimmed |= set(range(self.start, start))
        self.start = max(self.start, start)


@dataclass
class SimTopic:
    """A topic; ``topic_id`` changes when it is created again."""

    topic_id: str
    logs: dict[int, Log]


class Client(t.Protocol):
    """What the coordinator tells a member. Called by the coordinator, must not wait.

    host: the address it comes from. instance_id: of a static member. news: longest seconds until it hears of an eviction.
    """

    alive: bool
    member_id: str
    host: str
    instance_id: str | None
    news: float

    def rejoin_wanted(self) -> None: ...

    def removed(self) -> None: ...

    def evicted(self) -> None: ...

    def assigned_now(self, generation: int, partitions: tuple[TopicPartition, ...]) -> None: ...


@dataclass
class SimMember:
    """A member as the coordinator knows it."""

    member_id: str
    topics: tuple[str, ...]
    client: Client
    client_id: str
    rejoined: bool = True
    assignment: tuple[TopicPartition, ...] = ()


@dataclass
class SimGroup:
    """A classic consumer group with eager rebalances. kind: what it says of itself. evicted: who was thrown out by hand."""

    broker: SimBroker
    group_id: str
    kind: str = "classic"
    state: str = "Empty"
    generation: int = 0
    members: dict[str, SimMember] = field(default_factory=dict)
    offsets: dict[TopicPartition, CommittedOffset] = field(default_factory=dict)
    serial: int = 0
    rebalance: int = 0
    initial: bool = False
    evicted: list[SimMember] = field(default_factory=list)
    pending: set[TopicPartition] = field(default_factory=set)
    """Partitions whose offsets an open transaction holds."""

    # --- members -----------------------------------------------------------------------------------------------------

    def join(self, client: Client, client_id: str, topics: tuple[str, ...]) -> str:
        """A new member; it gets its partitions when the rebalance is complete. A static one takes its old self's place."""
        for known in list(self.members.values()):
            if client.instance_id is not None and known.client.instance_id == client.instance_id:
                del self.members[known.member_id]
        self.serial += 1
        member_id = f"{client_id}-{self.serial}"
        self.members[member_id] = SimMember(member_id, topics, client, client_id)
        if self.state == "Empty":
            self._begin(INITIAL_REBALANCE_DELAY, initial=True)
        elif self.state == "PreparingRebalance":
            self._complete_when_all_are_there()
        else:
            self.prepare_rebalance(there=member_id)
        return member_id

    def rejoin(self, member_id: str) -> bool:
        """A member follows the call to rejoin; False when it is none any more."""
        member = self.members.get(member_id)
        if member is None:
            return False
        if self.state == "PreparingRebalance":
            member.rejoined = True
            self._complete_when_all_are_there()
        else:
            self.prepare_rebalance(there=member_id)
        return True

    def leave(self, member_id: str) -> None:
        """A member goes, by itself or evicted."""
        member = self.members.pop(member_id, None)
        if member is None:
            return
        if not self.members:
            self.rebalance += 1
            self.state = "Empty"
            self.generation += 1
        elif self.state == "PreparingRebalance":
            self._complete_when_all_are_there()
        else:
            self.prepare_rebalance()

    def evict(self, member_id: str) -> None:
        """An administrator throws a member out. It hears of it with its next heartbeat, and works on until then."""
        member = self.members.get(member_id)
        if member is None:
            return
        self.evicted.append(member)
        self.leave(member_id)

        def heartbeat() -> None:
            if member.client.member_id == member_id:
                member.client.evicted()

        self.broker.scheduler.after(self.broker.rng.random() * member.client.news, heartbeat)

    def expire(self, client: Client) -> None:
        """The session of a client that does not heartbeat is over."""
        for member in [member for member in self.members.values() if member.client is client]:
            self.leave(member.member_id)
            member.client.removed()

    # --- rebalance ---------------------------------------------------------------------------------------------------

    def _begin(self, patience: float, initial: bool = False) -> None:
        self.initial = initial
        self.state = "PreparingRebalance"
        self.rebalance += 1
        mine = self.rebalance
        self.broker.after(patience, lambda: self._time_over(mine))

    def prepare_rebalance(self, there: str = "") -> None:
        """Call every member to rejoin; each hears of it with its next heartbeat. ``there`` has just asked to."""
        if not self.members or self.state == "PreparingRebalance":
            return
        self._begin(REBALANCE_TIMEOUT)
        mine = self.rebalance
        for member in self.members.values():
            member.rejoined = member.member_id == there
            if member.rejoined:
                continue
            self.broker.scheduler.after(
                self.broker.rng.uniform(0.02, HEARTBEAT), lambda member=member: self._call(mine, member)
            )
        self._complete_when_all_are_there()

    def _call(self, rebalance: int, member: SimMember) -> None:
        known = self.members.get(member.member_id) is member
        if known and rebalance == self.rebalance and self.state == "PreparingRebalance" and not member.rejoined:
            member.client.rejoin_wanted()

    def _complete_when_all_are_there(self) -> None:
        if not self.initial and all(member.rejoined for member in self.members.values()):
            self._complete()

    def _time_over(self, rebalance: int) -> None:
        if rebalance != self.rebalance or self.state != "PreparingRebalance":
            return
        for member in [member for member in self.members.values() if not member.rejoined]:
            del self.members[member.member_id]
            member.client.removed()
        if self.members:
            self._complete()
        else:
            self.state = "Empty"

    def _complete(self) -> None:
        self.generation += 1
        self.rebalance += 1
        self.state = "CompletingRebalance"
        self._assign()
        mine = self.rebalance
        self.broker.after(self.broker.latency(), lambda: self._synced(mine))

    def _assign(self) -> None:
        members = sorted(self.members.values(), key=lambda member: member.member_id)
        topics = sorted({topic for member in members for topic in member.topics if topic in self.broker.topics})
        given: dict[str, list[TopicPartition]] = {member.member_id: [] for member in members}
        for topic in topics:
            for index, partition in enumerate(sorted(self.broker.topics[topic].logs)):
                given[members[index % len(members)].member_id].append(TopicPartition(topic, partition))
        for member in members:
            member.assignment = tuple(given[member.member_id])

    def _synced(self, rebalance: int) -> None:
        if rebalance != self.rebalance:
            return
        self.state = "Stable"
        for member in list(self.members.values()):
            member.client.assigned_now(self.generation, member.assignment)

    # --- offsets -----------------------------------------------------------------------------------------------------

    def commit(self, member_id: str, generation: int, offsets: t.Mapping[TopicPartition, CommittedOffset]) -> None:
        """A member commits. Raises LostError when it is no member of this generation."""
        if member_id not in self.members or generation != self.generation or self.state == "CompletingRebalance":
            raise LostError(f"{member_id} is not a member of generation {self.generation}")
        self.offsets.update(offsets)

    def commit_from_outside(self, offsets: t.Mapping[TopicPartition, CommittedOffset]) -> None:
        """An administrator commits. Raises GroupNotEmptyError."""
        if self.members or self.state not in ("Empty", "Dead"):
            raise GroupNotEmptyError(f"Group {self.group_id} has {len(self.members)} members")
        self.offsets.update(offsets)

    def describe(self) -> Group:
        """As DescribeGroups tells it; assignments are only told while the group is stable."""
        stable = self.state == "Stable"
        members = tuple(
            Member(
                m.member_id,
                m.client_id,
                f"/{m.client.host}",
                m.client.instance_id,
                frozenset(m.assignment if stable else ()),
            )
            for m in self.members.values()
        )
        return Group(self.group_id, self.kind, self.state, members)


class SimBroker:
    """The cluster."""

    def __init__(self, scheduler: Scheduler, rng: random.Random) -> None:
        self.scheduler = scheduler
        self.rng = rng
        self.topics: dict[str, SimTopic] = {}
        self.groups: dict[str, SimGroup] = {}
        self.transactions: list[OpenTransaction] = []
        self.down_until = 0.0
        self.ids = 0

    def latency(self) -> float:
        """Seconds a request or an answer travels."""
        return 0.0005 + self.rng.random() * 0.002

    def check_up(self) -> None:
        """Raises TemporaryError while the coordinator is away."""
        if self.scheduler.now < self.down_until:
            raise TemporaryError("COORDINATOR_NOT_AVAILABLE")

    def go_away(self, seconds: float) -> None:
        """All coordinators are away, for operators and consumers alike; whoever is back first gives every member its time."""
        self.down_until = max(self.down_until, self.scheduler.now + seconds)

    def after(self, delay: float, what: t.Callable[[], t.Any]) -> None:
        """The coordinator's own clock: it does not run while there is none."""

        def due() -> None:
            if self.scheduler.now < self.down_until:
                self.after(self.down_until - self.scheduler.now + delay, what)
            else:
                what()

        self.scheduler.after(delay, due)

    # --- topics ------------------------------------------------------------------------------------------------------

    def create_topic(self, name: str, partitions: int, rate: float, first: int = 0) -> None:
        """Create a topic, or create it again: offsets of every group for it are gone then."""
        self.ids += 1
        logs = {}
        for partition in range(partitions):
            logs[partition] = Log(self.scheduler.now, rate * self.rng.uniform(0.8, 1.2), first, first)
        again = name in self.topics
        self.topics[name] = SimTopic(f"id-{self.ids}", logs)
        if again:
            for group in self.groups.values():
                group.offsets = {tp: known for tp, known in group.offsets.items() if tp.topic != name}
            self._notice()

    def add_partition(self, name: str, rate: float) -> TopicPartition:
        """One more partition; clients notice later."""
        logs = self.topics[name].logs
        partition = len(logs)
        logs[partition] = Log(self.scheduler.now, rate, 0, 0)
        self._notice()
        return TopicPartition(name, partition)

    def _notice(self) -> None:
        for group in self.groups.values():
            self.scheduler.after(METADATA_AGE * self.rng.random(), group.prepare_rebalance)

    def log(self, tp: TopicPartition) -> Log:
        return self.topics[tp.topic].logs[tp.partition]

    def range(self, tp: TopicPartition) -> LogRange:
        log = self.log(tp)
        return LogRange(log.start, log.end(self.scheduler.now))

    def partitions(self) -> list[TopicPartition]:
        return [TopicPartition(name, p) for name, topic in sorted(self.topics.items()) for p in sorted(topic.logs)]

    def describe_topic(self, name: str) -> Topic:
        topic = self.topics[name]
        return Topic(name, topic.topic_id, {p: PartitionInfo(1, (1, 2, 3), (1, 2, 3)) for p in topic.logs})

    def stop_production(self) -> None:
        """No record is written any more."""
        for topic in self.topics.values():
            for log in topic.logs.values():
                log.stopped = self.scheduler.now if log.stopped is None else log.stopped

    # --- groups ------------------------------------------------------------------------------------------------------

    def group(self, group_id: str) -> SimGroup:
        """The group; it comes to be with the first request that names it."""
        if group_id not in self.groups:
            self.groups[group_id] = SimGroup(self, group_id)
        return self.groups[group_id]
