"""A Kafka in memory: logs, a group coordinator with eager rebalances, and members that count their mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bgconsumer.model import Committed, TopicPartition
from bgconsumer.ports import KafkaTemporaryError, PartitionsLostError, Record

TOPIC = "order-events"


def tp(partition: int) -> TopicPartition:
    return TopicPartition(TOPIC, partition)


@dataclass
class FakeClock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeGroup:
    """Eager: a new generation starts only when every live member has given up its old assignment."""

    partitions: int
    offsets: dict[TopicPartition, Committed] = field(default_factory=dict)
    members: dict[str, FakeMember] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)
    generation: int = 0
    commits: list[tuple[str, dict[TopicPartition, Committed]]] = field(default_factory=list)

    def rebalance(self) -> None:
        self.ready = set()
        for member in self.members.values():
            member.must_revoke = True
        self.complete()

    def complete(self) -> None:
        if self.ready != set(self.members):
            return
        self.generation += 1
        names = sorted(self.members)
        for index, name in enumerate(names):
            share = tuple(tp(number) for number in range(self.partitions) if number % len(names) == index)
            self.members[name].pending = (self.generation, share)


@dataclass
class GroupBroker:
    partitions: int = 4
    log: dict[TopicPartition, int] = field(default_factory=dict)  # log end offsets; every offset holds a record
    log_start: dict[TopicPartition, int] = field(default_factory=dict)
    groups: dict[str, FakeGroup] = field(default_factory=dict)
    topic_ids: dict[str, str] = field(default_factory=lambda: {TOPIC: "first-id"})

    def group(self, name: str) -> FakeGroup:
        return self.groups.setdefault(name, FakeGroup(self.partitions))

    def produce(self, partition: int, count: int = 1) -> None:
        self.log[tp(partition)] = self.log.get(tp(partition), 0) + count


class FakeMember:
    """`GroupMember` on `GroupBroker`."""

    def __init__(self, kafka: GroupBroker, group: str, name: str) -> None:
        self._kafka = kafka
        self._group = kafka.group(group)
        self.member_id = name
        self.generation = 0
        self.assigned: tuple[TopicPartition, ...] | None = None
        self.last_error: str | None = None
        self.must_revoke = False
        self.pending: tuple[int, tuple[TopicPartition, ...]] | None = None
        self.group_generation = -1
        self.fetching: dict[TopicPartition, int] = {}
        self.parked: dict[TopicPartition, int] = {}
        self.closed = False
        self.leaving = False
        self.fail_commits: list[Exception] = []
        self.fail_committed: list[Exception] = []
        self.fail_topic_ids: list[Exception] = []
        self.rebalance_in_next_fetch = False

    def join(self) -> None:
        self.leaving = False
        self._group.members[self.member_id] = self
        self._group.rebalance()

    def leave(self) -> None:
        # As librdkafka on a real broker: a member that leaves while it joins has left only after a further poll.
        if self.assigned is None and self.member_id in self._group.members:
            self.leaving = True
        else:
            self._gone()

    def _gone(self) -> None:
        self.leaving = False
        self._forget()
        self.must_revoke, self.pending = False, None
        if self._group.members.pop(self.member_id, None) is not None:
            self._group.rebalance()

    def crash(self) -> None:
        """The process is gone: it acts no more, the coordinator gives its partitions away."""
        self._gone()

    def close(self) -> None:
        if not self.closed:
            self._gone()
            self.closed = True

    def drop(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.generation += 1
        self.assigned = None
        self.fetching, self.parked = {}, {}

    def _serve(self) -> None:
        if self.leaving:
            self._gone()
        elif self.must_revoke:
            self.must_revoke = False
            self._forget()
            self._group.ready.add(self.member_id)
            self._group.complete()
        elif self.pending is not None:
            self.group_generation, self.assigned = self.pending
            self.pending = None
            self.generation += 1

    def poll(self, timeout: float) -> None:
        assert not self.fetching, "records would be lost"
        self._serve()

    def fetch(self, limit: int, timeout: float) -> list[Record]:
        records = []
        for part in sorted(self.fetching):
            while self.fetching[part] < self._kafka.log.get(part, 0) and len(records) < limit:
                records.append(Record(part, self.fetching[part], b""))
                self.fetching[part] += 1
        if self.rebalance_in_next_fetch:
            self.rebalance_in_next_fetch = False
            self._group.rebalance()
        self._serve()
        return records

    def committed(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, Committed]:
        if self.fail_committed:
            raise self.fail_committed.pop()
        return {part: self._group.offsets[part] for part in tps if part in self._group.offsets}

    def earliest(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {part: self._kafka.log_start.get(part, 0) for part in tps}

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        if self.fail_topic_ids:
            raise self.fail_topic_ids.pop()
        return {topic: known for topic, known in self._kafka.topic_ids.items() if topic in set(topics)}

    def commit(self, offsets: Mapping[TopicPartition, Committed]) -> None:
        if self.fail_commits:
            raise self.fail_commits.pop()
        if self.group_generation != self._group.generation or self.member_id not in self._group.members:
            raise PartitionsLostError("commit refused: illegal generation")
        assert set(offsets) <= set(self.assigned or ()), "commit for a partition of somebody else"
        self._group.offsets.update(offsets)
        self._group.commits.append((self.member_id, dict(offsets)))

    def park(self, positions: Mapping[TopicPartition, int]) -> None:
        self.fetching, self.parked = {}, dict(positions)

    def start(self, positions: Mapping[TopicPartition, int]) -> None:
        assert set(positions) == set(self.assigned or ())
        self.fetching, self.parked = dict(positions), {}

    def halt(self) -> None:
        self.fetching = {}


@dataclass
class FakeLedger:
    """`Processor` that remembers; ``during`` runs before each record, as if in the middle of its work."""

    rows: list[tuple[TopicPartition, int, str, int]] = field(default_factory=list)
    colour: str = "blue"
    during: object = None
    unflushed: int = 0

    def process(self, record: Record, epoch: int) -> None:
        if callable(self.during):
            self.during(record)
        self.rows.append((record.tp, record.offset, self.colour, epoch))
        self.unflushed += 1

    def flush(self) -> None:
        self.unflushed = 0


TEMPORARY = KafkaTemporaryError("coordinator not available")
LOST = PartitionsLostError("commit refused: illegal generation")
