# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Kafka adapter against real brokers; Kafka's own tool is the witness."""

from __future__ import annotations

import socket
import time

import confluent_kafka
import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    GroupNotEmptyError,
    KafkaError,
    OffsetsError,
    PendingOffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)
from tests.bed.conftest import Kafka
from tests.unit.waiting import HANG, NEVER, ended, until

pytestmark = [
    pytest.mark.bed,
    # kafka-python leaves sockets of failed connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def partitions(topic: str, count: int = 3) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(count)]


def test_a_commit_is_what_kafkas_own_tool_shows(adapter: KafkaAdapter, kafka: Kafka, name: str) -> None:
    topic = kafka.topic(records=10)
    offsets = {tp: CommittedOffset(tp.partition + 1, 0, "bg:7") for tp in partitions(topic)}
    assert adapter.groups([name])[name].kind == "absent"
    assert adapter.commit(name, offsets) == {}
    assert adapter.committed(name, partitions(topic)) == offsets
    assert adapter.committed_topics(name) == {topic}
    assert kafka.witness(name) == {(topic, number): number + 1 for number in range(3)}
    assert adapter.groups([name])[name].is_empty


def test_a_negative_offset_never_reaches_the_broker(adapter: KafkaAdapter, kafka: Kafka, name: str) -> None:
    topic = kafka.topic()
    wanted = {TopicPartition(topic, 0): CommittedOffset(0), TopicPartition(topic, 1): CommittedOffset(-1)}
    with pytest.raises(OffsetsError, match=f"negative offset for {topic}-1"):
        adapter.commit(name, wanted)
    assert kafka.witness(name) == {}


def test_a_partial_refusal_names_the_partitions(adapter: KafkaAdapter, kafka: Kafka, name: str) -> None:
    topic = kafka.topic()
    there, gone = TopicPartition(topic, 0), TopicPartition(topic, 9)
    long = TopicPartition(topic, 1)
    refused = adapter.commit(
        name, {there: CommittedOffset(0), gone: CommittedOffset(0), long: CommittedOffset(0, -1, "x" * 4097)}
    )
    assert refused == {gone: "UNKNOWN_TOPIC_OR_PARTITION", long: "OFFSET_METADATA_TOO_LARGE"}
    assert kafka.witness(name)[(topic, 0)] == 0


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_members_refuse_a_commit_and_are_named(adapter: KafkaAdapter, kafka: Kafka, name: str, protocol: str) -> None:
    topic = kafka.topic()
    consumer = kafka.join(name, topic, protocol, **{"client.id": "order-7"})
    group = adapter.groups([name])[name]
    assert (group.kind, group.state, len(group.members)) == (protocol, "Stable", 1)
    assert group.members[0].assignment == frozenset(partitions(topic))
    with pytest.raises(GroupNotEmptyError, match="order-7"):
        adapter.commit(name, {TopicPartition(topic, 0): CommittedOffset(0)})
    with pytest.raises(GroupNotEmptyError, match="order-7"):
        adapter.delete_offsets(name, partitions(topic))
    consumer.close()
    until("the member has left", lambda: adapter.groups([name])[name], lambda group: group.is_empty)
    assert adapter.commit(name, {TopicPartition(topic, 0): CommittedOffset(0)}) == {}
    assert adapter.groups([name])[name].kind == protocol, "an empty group keeps its kind"
    assert adapter.delete_offsets(name, [TopicPartition(topic, 0)]) == {}
    assert adapter.committed(name, partitions(topic)) == {}


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_static_member_is_evicted(adapter: KafkaAdapter, kafka: Kafka, name: str, protocol: str) -> None:
    topic = kafka.topic()
    kafka.join(name, topic, protocol, **{"group.instance.id": "pod-0"}).close()
    group = adapter.groups([name])[name]
    assert (group.is_empty, [member.instance_id for member in group.members]) == (False, ["pod-0"])
    adapter.remove_members(name, [member.member_id for member in group.members])
    assert adapter.groups([name])[name].is_empty
    adapter.remove_members(name, [member.member_id for member in group.members])
    assert adapter.commit(name, {TopicPartition(topic, 0): CommittedOffset(0)}) == {}


def test_log_ranges_and_times(adapter: KafkaAdapter, kafka: Kafka) -> None:
    topic = kafka.topic(records=5)
    first = TopicPartition(topic, 0)
    kafka.admin.delete_records([confluent_kafka.TopicPartition(topic, 0, 2)])[
        confluent_kafka.TopicPartition(topic, 0)
    ].result(HANG)
    assert adapter.log_ranges(partitions(topic))[first] == LogRange(2, 5, 0)
    assert adapter.log_ranges([first], read_committed=True) == {first: LogRange(2, 5, 0)}
    assert adapter.offsets_for_time([first], 0) == {first: 2}
    assert adapter.offsets_for_time([first], int(time.time() * 1000) + 3_600_000) == {}


def test_offsets_of_an_open_transaction_are_told(adapter: KafkaAdapter, kafka: Kafka, name: str) -> None:
    topic = kafka.topic(records=5)
    tp = TopicPartition(topic, 0)
    adapter.commit(name, {tp: CommittedOffset(1)})
    # Its own commits would overtake the transaction's.
    consumer = kafka.join(name, topic, **{"enable.auto.commit": False})
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers, "transactional.id": name})
    producer.init_transactions(HANG)
    producer.begin_transaction()
    producer.produce(topic, b"x", partition=0)
    producer.send_offsets_to_transaction(
        [confluent_kafka.TopicPartition(topic, 0, 4)], consumer.consumer_group_metadata(), HANG
    )
    with pytest.raises(PendingOffsetsError, match=f"group {name} .* for 1 partitions"):
        adapter.committed(name, [tp])
    assert adapter.log_ranges([tp], read_committed=True)[tp].end == 5
    producer.commit_transaction(HANG)
    # The marker is written a moment after the answer.
    until("nothing is pending", lambda: adapter.committed_or_pending(name, [tp])[1], lambda pending: not pending)
    assert adapter.committed(name, [tp])[tp].offset == 4


def test_topics(adapter: KafkaAdapter, kafka: Kafka, name: str) -> None:
    topic = kafka.topic()
    found = adapter.topics([topic, f"{name}-nope"])
    assert list(found) == [topic]
    assert sorted(found[topic].partitions) == [0, 1, 2]
    assert all(len(info.replicas) == 3 and info.leader >= 0 for info in found[topic].partitions.values())
    assert adapter.min_insync_replicas([topic]) == {topic: 2}


def test_a_large_copy(adapter: KafkaAdapter, kafka: Kafka, name: str) -> None:
    topic = kafka.topic(partitions=300)
    offsets = {tp: CommittedOffset(0, 0, "m" * 4000) for tp in partitions(topic, 300)}
    assert adapter.commit(name, offsets) == {}, "1.2 MB do not fit one write of the broker"
    assert adapter.committed(name, list(offsets)) == offsets


def test_an_unreachable_broker_is_named_in_time() -> None:
    adapter = KafkaAdapter({"bootstrap_servers": ["10.199.0.250:9092"]}, 2.0, NEVER)
    with pytest.raises(KafkaError, match=r"no connection to Kafka at 10\.199\.0\.250:9092 within 2 s"):
        ended("a call", lambda: adapter.groups(["g"]))


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_a_silent_peer_is_given_up_in_time(protocol: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as peer:
        address = f"127.0.0.1:{peer.getsockname()[1]}"
        adapter = KafkaAdapter({"bootstrap_servers": [address], "security_protocol": protocol}, 2.0, NEVER)
        with pytest.raises(KafkaError, match=f"no connection to Kafka at {address} within 2 s"):
            ended("a call", lambda: adapter.groups(["g"]))


def test_tls_against_a_listener_without_tls_says_so(bed: dict[str, str]) -> None:
    servers = bed["KAFKA_BOOTSTRAP_SERVERS"].split(",")
    with pytest.raises(KafkaError, match="9092 speaks no TLS, but security_protocol is SSL"):
        KafkaAdapter({"bootstrap_servers": servers, "security_protocol": "SSL"}, timeout=HANG).groups(["g"])
