# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Brokers that fail while they are used. These tests disturb everybody on the bed, are short, and undo what they did."""

from __future__ import annotations

import logging
import threading
import time
import typing as t

import confluent_kafka
import pytest
from confluent_kafka import ElectionType
from confluent_kafka import TopicPartition as Tp
from kafka import KafkaAdminClient
from kafka import TopicPartition as Numbered

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import net
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import KafkaError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    TopicPartition,
)
from demo.audits import JAVA
from testbed import faults, health, settings
from tests.bed.conftest import Kafka
from tests.bed.relays import Relay
from tests.unit.waiting import HANG, NEVER, ended, finished, joined, until

pytestmark = [
    pytest.mark.bed,
    pytest.mark.disturbing,
    # kafka-python leaves sockets of failed connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PATIENCE = float(HANG)
BROKERS = (1, 2, 3)


@pytest.fixture
def adapter(bed: dict[str, str]) -> t.Iterator[KafkaAdapter]:
    """Waits longer for a broker than a broker takes to be replaced."""
    made = KafkaAdapter({"bootstrap_servers": bed["KAFKA_BOOTSTRAP_SERVERS"].split(",")}, PATIENCE, 3.0)
    yield made
    made.close()


@pytest.fixture
def repaired() -> t.Iterator[None]:
    """Every broker is whole again when the test ends, whatever happened."""
    yield
    faults.undo_all()
    chosen = settings.load()
    for number in BROKERS:
        health.wait(f"kafka-{number}", [lambda n=number: health.check_broker(n, chosen)], timeout=HANG)  # type: ignore[misc]


def offsets_of(topic: str, offset: int, partitions: int = 3) -> dict[TopicPartition, CommittedOffset]:
    return {TopicPartition(topic, number): CommittedOffset(offset) for number in range(partitions)}


def coordinator(adapter: KafkaAdapter, group: str) -> int:
    """As the brokers say now, whatever the adapter remembers."""
    connection = adapter._kafka

    async def ask() -> int:
        connection._coordinators = {}
        return (await connection.coordinators([group]))[group]

    return connection.call("find the coordinator", ask)


def offsets_partition(group: str, partitions: int = 5) -> int:
    """Which partition of __consumer_offsets a group is in: Java's hash of the name."""
    value = 0
    for character in group:
        value = (31 * value + ord(character)) & 0xFFFFFFFF
    value = value - (1 << 32) if value >= 1 << 31 else value
    return abs(value) % partitions


def test_a_coordinator_killed_between_reading_and_writing(
    adapter: KafkaAdapter, kafka: Kafka, name: str, repaired: None
) -> None:
    """Edge case 7."""
    topic = kafka.topic(records=5)
    adapter.commit(name, offsets_of(topic, 1))
    assert adapter.committed(name, list(offsets_of(topic, 0))) == offsets_of(topic, 1)
    faults.kill_broker(coordinator(adapter, name))
    assert adapter.commit(name, offsets_of(topic, 4)) == {}
    assert adapter.committed(name, list(offsets_of(topic, 0))) == offsets_of(topic, 4)
    assert kafka.witness(name) == {(topic, number): 4 for number in range(3)}


class Coordinators:
    """Moves the leadership of partitions of __consumer_offsets, as a reassignment does."""

    def __init__(self, kafka: Kafka) -> None:
        self._client = KafkaAdminClient(bootstrap_servers=kafka.servers.split(","))
        self._kafka = kafka

    def replicas(self, number: int) -> list[int]:
        """Replicas in their order; the first is the preferred leader."""
        [topic] = self._client.describe_topics(["__consumer_offsets"])
        return next(list(row["replica_nodes"]) for row in topic["partitions"] if row["partition_index"] == number)

    def move(self, number: int, replicas: list[int]) -> None:
        """Reorder the replicas and elect the first one."""
        self._client.alter_partition_reassignments({Numbered("__consumer_offsets", number): replicas})
        until(
            "the reassignment is over",
            lambda: (self.replicas(number), self._client.list_partition_reassignments()),
            lambda seen: seen[0] == replicas and not seen[1],
        )
        wanted = [Tp("__consumer_offsets", number)]
        self._kafka.admin.elect_leaders(ElectionType.PREFERRED, wanted).result(HANG)

    def close(self) -> None:
        """Close the client."""
        self._client.close()


def test_a_coordinator_that_moves_while_offsets_are_written(adapter: KafkaAdapter, kafka: Kafka, name: str) -> None:
    """Edge case 8: a client that keeps the coordinator it once found fails for ever."""
    topic = kafka.topic(records=100)
    number = offsets_partition(name)
    coordinators = Coordinators(kafka)
    before = coordinators.replicas(number)
    stop, failures, written = threading.Event(), [], [0]

    def write() -> None:
        try:
            while not stop.is_set():
                offset = written[0] + 1
                if adapter.commit(name, offsets_of(topic, offset)):
                    failures.append(f"refused at {offset}")
                if adapter.committed(name, list(offsets_of(topic, 0))) != offsets_of(topic, offset):
                    failures.append(f"does not read back at {offset}")
                written[0] = offset
                time.sleep(0.05)
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            failures.append(repr(error))

    thread = threading.Thread(target=write)
    try:
        thread.start()
        seen = set()
        for turn in range(3):
            coordinators.move(number, before[turn:] + before[:turn])
            done = written[0]
            until(
                f"{done + 3} are written",
                lambda: (written[0], thread.is_alive()),
                lambda seen, enough=done + 3: seen[0] >= enough or not seen[1],
            )
            seen.add(adapter._kafka._coordinators.get(name))
    finally:
        stop.set()
        joined(thread)
        coordinators.move(number, before)
        coordinators.close()
    assert failures == []
    assert len(seen - {None}) >= 2, f"the coordinator never moved: {seen}"
    assert kafka.witness(name) == {(topic, partition): written[0] for partition in range(3)}


@pytest.mark.parametrize("fault", ["stopped", "cut off"])
def test_a_leader_that_is_lost(adapter: KafkaAdapter, kafka: Kafka, repaired: None, fault: str) -> None:
    """Edge case 9: log ends are read from the next leader, and the replica that is missing can be seen."""
    topic = kafka.topic(records=5, partitions=6)
    partitions = list(offsets_of(topic, 0, 6))
    assert {log.end for log in adapter.log_ranges(partitions).values()} == {5}
    lost = adapter.topics([topic])[topic].partitions[0].leader
    (faults.stop_broker if fault == "stopped" else faults.cut_broker)(lost)
    assert {log.end for log in adapter.log_ranges(partitions).values()} == {5}
    rows = adapter.topics([topic])[topic].partitions.values()
    assert all(row.leader not in (lost, -1) for row in rows)
    assert all(lost not in row.isr and len(row.isr) == 2 for row in rows), "the gate for replicas sees it"


def test_a_tls_handshake_that_a_stopped_broker_does_not_answer(
    bed: dict[str, str], kafka: Kafka, repaired: None
) -> None:
    """Edge case 35: alone it fails within the deadline and is named; among others it costs no more than its share."""
    topic = kafka.topic(records=1)
    servers = bed["TESTBED_KAFKA_SASL_SERVERS"].split(",")
    settings = {
        "security_protocol": "SASL_SSL",
        "ssl_cafile": bed["TESTBED_KAFKA_CA"],
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": bed["TESTBED_KAFKA_USER"],
        "sasl_plain_password": bed["TESTBED_KAFKA_PASSWORD"],
    }
    faults.stop_broker(2)
    alone = KafkaAdapter({**settings, "bootstrap_servers": [servers[1]]}, 6.0, 3.0)
    with pytest.raises(KafkaError, match=rf"within 6 s.*{servers[1]}.*no connection after"):
        ended("a call", lambda: alone.topics([topic]))
    among = KafkaAdapter({**settings, "bootstrap_servers": servers}, NEVER, 3.0)
    assert set(ended("a call", lambda: among.topics([topic]))) == {topic}
    among.close()


def test_an_answer_to_a_commit_that_is_lost_on_the_way(
    bed: dict[str, str], adapter: KafkaAdapter, kafka: Kafka, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edge case 10: the brokers wrote it, nobody told us; it is sent again and nothing else happens."""
    topic = kafka.topic(records=9)
    adapter.commit(name, offsets_of(topic, 1))
    chosen = settings.load()
    relays = {number: Relay(chosen.broker_address(number), 9092) for number in BROKERS}
    learn = net.Connections._learn

    def through_relays(self: net.Connections, answer: t.Any) -> None:
        for row in answer.brokers:
            row.host, port = relays[row.node_id].address.split(":")
            row.port = int(port)
        learn(self, answer)

    monkeypatch.setattr(net.Connections, "_learn", through_relays)
    for relay in relays.values():
        relay.__enter__()
    try:
        behind = KafkaAdapter({"bootstrap_servers": bed["KAFKA_BOOTSTRAP_SERVERS"].split(",")}, PATIENCE, 2.0)
        assert behind.committed(name, list(offsets_of(topic, 0))) == offsets_of(topic, 1)
        relay = relays[behind._kafka._coordinators[name]]
        relay.swallow = True
        answers: list[dict[TopicPartition, str]] = []
        writing = threading.Thread(target=lambda: answers.append(behind.commit(name, offsets_of(topic, 7))))
        writing.start()
        until(
            "the request has arrived",
            lambda: adapter.committed(name, list(offsets_of(topic, 0))),
            lambda found: found == offsets_of(topic, 7),
        )
        assert answers == [], "the brokers have written, and the answer is lost"
        relay.swallow = False
        joined(writing)
        assert answers == [{}]
        assert behind.committed(name, list(offsets_of(topic, 0))) == offsets_of(topic, 7)
        behind.close()
    finally:
        for relay in relays.values():
            relay.__exit__(None, None, None)
    assert kafka.witness(name) == {(topic, number): 7 for number in range(3)}


def quota(bed: t.Mapping[str, str], client: str, change: str) -> None:
    """Set or remove a client's share of the brokers' time, with Kafka's own tool."""
    command = [*JAVA, "-cp", bed["KAFKA_TOOLS_CLASSPATH"], "kafka.admin.ConfigCommand", "--alter"]
    command += ["--bootstrap-server", bed["KAFKA_BOOTSTRAP_SERVERS"], "--entity-type", "clients"]
    finished([*command, "--entity-name", client, *change.split()], check=True, capture_output=True)


def test_a_client_with_a_quota_is_slowed_down_and_not_refused(
    bed: dict[str, str], kafka: Kafka, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Edge case 34: a throttled connection takes no requests for a while; they wait for it, within their deadline."""
    topic = kafka.topic(records=2, partitions=6)
    partitions = list(offsets_of(topic, 0, 6))
    quota(bed, name, "--add-config request_percentage=0.05")
    try:
        servers = bed["KAFKA_BOOTSTRAP_SERVERS"].split(",")
        slow = KafkaAdapter({"bootstrap_servers": servers, "client_id": name}, PATIENCE, 30.0)
        with caplog.at_level(logging.WARNING, "kafka"):

            def logged() -> str:
                assert {log.end for log in slow.log_ranges(partitions).values()} == {2}
                return caplog.text

            until("it is throttled", logged, lambda text: "throttled by broker" in text, every=0.0)
        for _time in range(3):
            assert {log.end for log in slow.log_ranges(partitions).values()} == {2}
        slow.close()
    finally:
        quota(bed, name, "--delete-config request_percentage")


def test_the_type_of_a_group_is_asked_anew_each_time(adapter: KafkaAdapter, kafka: Kafka, name: str) -> None:
    """Edge case 37: a group is upgraded online from the classic protocol to KIP-848, and empties as what it became."""
    topic = kafka.topic(partitions=4, records=1)  # known to every broker, so that nobody waits for its metadata
    classic = kafka.join(name, topic, "classic")
    assert adapter.groups([name])[name].kind == "classic"
    upgraded = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka.servers, "group.id": name, "group.protocol": "consumer"}
    )
    upgraded.subscribe([topic])

    def polled(*members: confluent_kafka.Consumer) -> Group:
        for member in members:
            member.poll(0.1)
        return adapter.groups([name])[name]

    seen = until("two members", lambda: polled(classic, upgraded), lambda group: len(group.members) == 2, every=0.0)
    assert seen.kind == "consumer", "members of both protocols are listed"
    classic.close()
    until("one member", lambda: polled(upgraded), lambda group: len(group.members) == 1, every=0.0)
    upgraded.close()
    until("nobody", polled, lambda group: group.is_empty)
    assert adapter.commit(name, offsets_of(topic, 0, 4)) == {}
