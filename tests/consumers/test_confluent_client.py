"""The real client against librdkafka's own mock cluster: offsets, metadata, exact starts, membership."""

import threading
import time
import uuid
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, Uuid

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import (
    id_text as engine_id_text,
)
from bgconsumer import confluent_client
from bgconsumer.confluent_client import KNOWN_SECONDS, ConfluentMember, consumer_config, id_text
from bgconsumer.ledger import Entry, Ledger, producer_config
from bgconsumer.model import Committed, TopicPartition
from bgconsumer.ports import KafkaTemporaryError, PartitionsLostError, Record
from bgtools.ledger_report import Row
from tests.consumers.fakes import FakeClock
from tests.unit.waiting import HANG, until

TOPIC = "order-events"


@pytest.fixture(scope="module")
def bootstrap():
    cluster = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused"})
    broker = next(iter(cluster.list_topics(timeout=HANG).brokers.values()))
    servers = f"{broker.host}:{broker.port}"
    producer = Producer({"bootstrap.servers": servers})
    for partition in range(2):
        for number in range(10):
            producer.produce(TOPIC, str(number), partition=partition)
    assert producer.flush(HANG) == 0
    yield servers
    cluster.purge()


def fetch(member, count):
    records = []

    def so_far():
        records.extend(member.fetch(50, 0.1))
        return records

    return until(f"{count} records", so_far, lambda found: len(found) >= count, every=0)


@pytest.fixture(scope="module")
def member(bootstrap):
    """One membership for all tests: joining costs the mock cluster's three seconds."""
    member = ConfluentMember(consumer_config(bootstrap, "group", "client"), [TOPIC])
    member.join()

    def assigned():
        member.poll(0.05)
        return member.assigned

    until("partitions are assigned", assigned, lambda given: given is not None, every=0)
    yield member
    member.close()


def partitions(member):
    return [TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)]


def test_a_new_assignment_fetches_nothing_by_itself(member):
    assert set(partitions(member)) <= set(member.assigned)
    assert member.generation >= 1
    assert member.member_id
    for _ in range(10):
        member.poll(0.02)  # would fail the test below if it swallowed a record
    member.start(dict.fromkeys(partitions(member), 0))
    assert sorted((r.tp.partition, r.offset) for r in fetch(member, 20)) == [(p, o) for p in (0, 1) for o in range(10)]


def test_commit_is_read_back_with_its_epoch(member):
    first, second = partitions(member)
    member.commit({first: Committed(7, 12)})
    assert member.committed([first, second]) == {first: Committed(7, 12)}
    assert member.committed([]) == {}


def test_earliest_of_a_partition(member):
    assert member.earliest(partitions(member)) == dict.fromkeys(partitions(member), 0)


def test_parked_partitions_deliver_nothing_and_start_exactly_where_told(member):
    first, second = partitions(member)
    member.park({first: 3, second: 4})
    for _ in range(10):
        member.poll(0.02)
    member.start({first: 8, second: 9})
    assert sorted((r.tp.partition, r.offset, r.value) for r in fetch(member, 3)) == [
        (0, 8, b"8"),
        (0, 9, b"9"),
        (1, 9, b"9"),
    ]


def test_halt_then_start_goes_back_to_what_was_not_processed(member):
    first, second = partitions(member)
    member.start({first: 5, second: 10})
    assert fetch(member, 5)[0].offset == 5
    member.halt()
    for _ in range(5):
        member.poll(0.02)
    member.start({first: 6, second: 10})
    assert [record.offset for record in fetch(member, 4)] == [6, 7, 8, 9]


def test_polling_while_fetching_is_a_programming_error(member):
    member.start(dict.fromkeys(partitions(member), 10))
    with pytest.raises(AssertionError):
        member.poll(0)
    member.halt()


def test_commit_of_an_evicted_member_is_recognised(bootstrap, member):
    stranger = ConfluentMember(consumer_config(bootstrap, "group", "stranger"), [TOPIC])
    with pytest.raises(PartitionsLostError):
        stranger.commit({TopicPartition(TOPIC, 0): Committed(1, 1)})  # no member of the group that exists
    stranger.close()


def test_leave_and_close(member):
    generation = member.generation
    member.leave()
    assert member.assigned is None
    assert member.generation > generation
    member.close()
    member.close()
    member.poll(0.01)  # a closed member is left alone


def test_ledger_messages_can_be_audited(bootstrap):
    ledger = Ledger(Producer(producer_config(bootstrap, "client")), "order-ledger", Entry("blue", "pod-1"))
    before = time.time_ns()
    ledger.process(Record(TopicPartition(TOPIC, 1), 41, b""), epoch=6)
    ledger.flush()
    reader = ConfluentMember(consumer_config(bootstrap, "other", "reader"), ["order-ledger"])
    reader.park({TopicPartition("order-ledger", number): 0 for number in range(4)})
    reader.start({TopicPartition("order-ledger", number): 0 for number in range(4)})
    (record,) = fetch(reader, 1)
    row = Row.parse(record.value)
    assert (row.tp, row.offset, row.colour, row.pod, row.epoch) == ((TOPIC, 1), 41, "blue", "pod-1", 6)
    assert before <= row.ns <= time.time_ns()
    reader.close()


class Client:
    """In the place of librdkafka's: known to its group from a moment of our choice, never assigned."""

    made: list["Client"]

    def __init__(self, config):
        self.config, self.known, self.closed = config, False, threading.Event()
        Client.made.append(self)

    def subscribe(self, topics, **callbacks):
        self.topics, self.callbacks = topics, callbacks

    def unassign(self):
        self.unassigned = True

    def unsubscribe(self):
        self.topics = []

    def memberid(self):
        return "id" if self.known else None

    def poll(self, timeout):
        return None

    def close(self):
        self.closed.set()


@pytest.fixture
def clock(monkeypatch):
    """What the member takes for the time."""
    clock = FakeClock()
    monkeypatch.setattr(confluent_client, "time", SimpleNamespace(monotonic=clock))
    return clock


@pytest.fixture
def joining(monkeypatch, clock):
    monkeypatch.setattr(Client, "made", [], raising=False)
    monkeypatch.setattr(confluent_client, "Consumer", Client)
    member = ConfluentMember({"group.id": "g"}, [TOPIC])
    member.join()
    return member


def test_a_client_that_stays_unknown_to_its_group_is_replaced(joining, clock):
    clock.now += KNOWN_SECONDS
    joining.poll(0)
    assert len(Client.made) == 1
    clock.now += KNOWN_SECONDS + 1
    joining.poll(0)
    first, second = Client.made
    assert first.closed.wait(HANG)
    assert (second.config, second.topics, second.closed.is_set()) == ({"group.id": "g"}, [TOPIC], False)
    assert "joining with a new client" in joining.last_error
    joining.poll(0)  # and that one has its time, too
    assert len(Client.made) == 2
    clock.now += KNOWN_SECONDS + 1
    joining.poll(0)
    assert len(Client.made) == 3


@pytest.mark.parametrize("known", [True, False])
def test_a_client_that_waits_for_its_group_or_has_left_it_is_kept(joining, clock, known):
    if known:
        Client.made[0].known = True
        joining.poll(0)
    else:
        joining.leave()
    clock.now += KNOWN_SECONDS + 1
    joining.poll(0)
    assert len(Client.made) == 1


def test_a_client_that_was_given_up_decides_nothing_any_more(joining, clock):
    clock.now += KNOWN_SECONDS + 1
    joining.poll(0)
    old, generation = Client.made[0], joining.generation
    old.callbacks["on_assign"](old, [])
    old.callbacks["on_revoke"](old, [])
    assert (joining.assigned, joining.generation, old.unassigned) == (None, generation, True)


@pytest.mark.parametrize("number", [0, 1, 2**128 - 1, *range(3**80, 3**80 + 40)])
def test_topic_ids_are_written_as_the_operator_writes_them(number):
    """librdkafka has other characters for two of 64: without a look at them half of all topics seem to be others."""
    known = uuid.UUID(int=number)
    high, low = (half - 2**64 if half >= 2**63 else half for half in (number >> 64, number % 2**64))
    assert id_text(str(Uuid(high, low))) == engine_id_text(known)


class Description:
    def __init__(self, answer):
        self.answer = answer

    def result(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self

    @property
    def topic_id(self):
        return self.answer


class Admin:
    """librdkafka's mock cluster describes no topics."""

    answers: dict[str, object]

    def __init__(self, config):
        Admin.config = config

    def describe_topics(self, topics, request_timeout):
        return {name: Description(answer) for name, answer in Admin.answers.items()}


@pytest.fixture
def describing(monkeypatch, joining):
    monkeypatch.setattr(confluent_client, "AdminClient", Admin)
    joining._config.update({"bootstrap.servers": "b", "sasl.username": "u"})
    return joining


def test_ids_of_topics(describing):
    Admin.answers = {"first": Uuid(-1, -2), "second": Uuid(0, 0)}
    assert describing.topic_ids(["first", "second"]) == {"first": "_____________________g"}
    assert Admin.config == {"bootstrap.servers": "b", "sasl.username": "u"}, "what only a consumer knows is left out"
    assert describing.topic_ids([]) == {}


def test_topics_that_are_not_described(describing):
    Admin.answers = {"first": Uuid(-1, -2), "second": KafkaException(KafkaError(KafkaError._TIMED_OUT))}
    with pytest.raises(KafkaTemporaryError, match="topics not described"):
        describing.topic_ids(["first", "second"])
