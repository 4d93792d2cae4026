# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Committed offsets on real brokers: the table of a writing module, and the edge cases a broker has in store.

Numbers in the names of the tests are those of the edge cases in docs/comparison/offsets.md. The witness is Kafka's own tool.
"""

from __future__ import annotations

import json
import threading
import typing as t
from dataclasses import replace
from functools import partial
from pathlib import Path

import confluent_kafka
import pytest
from confluent_kafka.admin import NewPartitions, NewTopic

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.system import SystemClock, ThreadParallel
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    GroupNotEmptyError,
    InvalidSettingsError,
    KafkaError,
    NoGoError,
    OffsetsError,
    PendingOffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.group_snapshot import parse
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offset_request import (
    OffsetRequest,
    Position,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import Desired
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import (
    HandoffSnapshot,
    chunk_name,
    snapshot_name,
    to_chunks,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.read_groups import read_groups
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.remove_group import remove_group
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.set_offsets import set_offsets
from tests.bed import group_kinds
from tests.bed.conftest import Ansible, Kafka, Kubectl
from tests.unit.waiting import HANG, NEVER, ended, joined, stays, until

pytestmark = [
    pytest.mark.bed,
    # kafka-python leaves sockets of failed connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Interrupted(KafkaAdapter):
    """The adapter, with something that others do just before its next commit."""

    meanwhile: t.Callable[[], None] | None = None
    commits = 0

    def commit(self, group_id: str, offsets: t.Mapping[TopicPartition, CommittedOffset]) -> dict[TopicPartition, str]:
        self.commits += 1
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return super().commit(group_id, offsets)


@pytest.fixture
def admin(bed: dict[str, str]) -> t.Iterator[Interrupted]:
    """The adapter under test."""
    made = Interrupted({"bootstrap_servers": bed["KAFKA_BOOTSTRAP_SERVERS"].split(",")})
    yield made
    made.close()


@pytest.fixture
def ports(admin: Interrupted) -> Ports:
    """Ports of a module that only needs Kafka."""
    nothing = t.cast(t.Any, None)
    return Ports(kafka=admin, cluster=nothing, consumers=nothing, clock=SystemClock(), parallel=ThreadParallel())


@pytest.fixture
def copy(name: str) -> OffsetRequest:
    """From blue to a green that nobody knows yet."""
    return OffsetRequest(f"{name}-green", from_group=f"{name}-blue", allow_create=True)


def tps(topic: str, count: int = 3) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(count)]


def seed(admin: KafkaAdapter, group: str, topic: str, *offsets: int, epoch: int = 0, metadata: str = "mine") -> None:
    """One committed offset per partition, from the first on."""
    rows = {TopicPartition(topic, n): CommittedOffset(offset, epoch, metadata) for n, offset in enumerate(offsets)}
    assert admin.commit(group, rows) == {}


def offsets_of(admin: KafkaAdapter, group: str) -> dict[tuple[str, int], int]:
    return {(tp.topic, tp.partition): committed.offset for tp, committed in admin.all_committed(group).items()}


def test_check_real_repeat_check_undo(
    ansible: Ansible, kafka: Kafka, adapter: KafkaAdapter, name: str, tmp_path: Path
) -> None:
    topic = kafka.topic(records=10)
    green = f"{name}-green"
    seed(adapter, f"{name}-blue", topic, 1, 2)
    seed(adapter, green, topic, 9)
    copy = {"group_id": green, "from_group": f"{name}-blue"}
    before, wanted = {(topic, 0): 9}, {(topic, 0): 1, (topic, 1): 2, (topic, 2): 0}

    predicted = ansible("kafka_group_offsets", check=True, **copy)
    assert (predicted["failed"], predicted["changed"]) == (False, True)
    assert {tp: offset for tp, offset in kafka.witness(green).items() if offset is not None} == before

    done = ansible("kafka_group_offsets", **copy)
    assert (done["changed"], done["diff_text"], done["snapshot"]) == (
        True,
        predicted["diff_text"],
        predicted["snapshot"],
    )
    assert kafka.witness(green) == wanted
    assert adapter.committed(green, tps(topic))[TopicPartition(topic, 0)] == CommittedOffset(1, 0, "mine")

    for check in (False, True):
        again = ansible("kafka_group_offsets", check=check, **copy)
        assert (again["failed"], again["changed"], again["diff_text"].strip()) == (False, False, "")

    kept = tmp_path / "green.json"
    kept.write_text(json.dumps(done["snapshot"]), encoding="utf-8")
    assert ansible("kafka_group_offsets", group_id=green, snapshot_file=str(kept))["changed"] is True
    assert {tp: offset for tp, offset in kafka.witness(green).items() if offset is not None} == before

    missing = ansible("kafka_group_offsets", group_id=f"{name}-gren", from_group=f"{name}-blue")
    assert f"group {name}-gren does not exist" in missing["msg"]
    assert adapter.groups([f"{name}-gren"])[f"{name}-gren"].kind == "absent"

    lost = ansible(
        "kafka_group_offsets", bootstrap_servers="10.199.0.250:9092", default_api_timeout_ms=2000, check=False, **copy
    )
    assert "no connection to Kafka at 10.199.0.250:9092 within 2 s" in lost["msg"]


def test_the_snapshot_of_a_hand_over(
    ansible: Ansible, kafka: Kafka, adapter: KafkaAdapter, kubectl: Kubectl, name: str
) -> None:
    topic = kafka.topic(records=10)
    handed = {tp: CommittedOffset(tp.partition + 4, 0, "bg:7") for tp in tps(topic)}
    ids = {topic: adapter.topics([topic])[topic].topic_id}
    taken = HandoffSnapshot(7, "run", "hot", "blue", "green", "2026-11-24T08:00:00Z", handed, {}, ids)
    for number, data in enumerate(to_chunks(taken)):
        metadata = {"name": chunk_name(snapshot_name("app", "a"), number)}
        kubectl(
            "create", "-f-", manifest=[{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}]
        )
    seed(adapter, name, topic, 9, 9, 9)
    stored = {"group_id": name, "snapshot_config_map": "app-bg-snapshot-a", "namespace": kubectl.namespace}
    assert ansible("kafka_group_offsets", **stored)["changed"] is True
    assert adapter.committed(name, tps(topic)) == handed
    missing = ansible("kafka_group_offsets", **{**stored, "snapshot_config_map": "app-bg-snapshot-b"})
    assert "ConfigMap app-bg-snapshot-b does not exist" in missing["msg"]
    assert f"(namespace {kubectl.namespace})" in missing["msg"]


def test_absent(ansible: Ansible, kafka: Kafka, adapter: KafkaAdapter, ports: Ports, name: str) -> None:
    topic, other = kafka.topic(records=10), kafka.topic("other", records=10)
    seed(adapter, name, topic, 1, 2)
    seed(adapter, name, other, 3)
    part, whole = {"group_id": name, "state": "absent", "topics": [topic]}, {"group_id": name, "state": "absent"}
    predicted = ansible("kafka_group_offsets", check=True, **part)
    done = ansible("kafka_group_offsets", **part)
    assert (done["changed"], done["diff_text"]) == (True, predicted["diff_text"])
    assert {tp: offset for tp, offset in kafka.witness(name).items() if offset is not None} == {(other, 0): 3}
    assert set_offsets(ports, OffsetRequest(name, remove=True, topics=(topic,)))["changed"] is False

    assert ansible("kafka_group_offsets", check=True, **whole)["changed"] is True
    assert adapter.groups([name])[name].kind == "classic"
    assert ansible("kafka_group_offsets", **whole)["changed"] is True
    assert kafka.witness(name) == {}
    assert ansible("kafka_group_offsets", **whole)["changed"] is False


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_topic_that_the_running_group_no_longer_reads(
    ansible: Ansible, kafka: Kafka, adapter: KafkaAdapter, name: str, protocol: str
) -> None:
    """KIP-496, and the module's own example."""
    old, new = kafka.topic("old", records=10), kafka.topic(records=10)
    seed(adapter, name, old, 1, 2, 3)
    seed(adapter, name, new, 4)
    kafka.join(name, new, protocol, **{"enable.auto.commit": False})
    assert [member.subscribed for member in adapter.groups([name])[name].members] == [{new}]
    forget = {"group_id": name, "state": "absent"}
    predicted = ansible("kafka_group_offsets", check=True, **forget, topics=[old])
    done = ansible("kafka_group_offsets", **forget, topics=[old])
    assert (done["changed"], done["diff_text"]) == (True, predicted["diff_text"])
    assert {tp: offset for tp, offset in kafka.witness(name).items() if offset is not None} == {(new, 0): 4}
    assert ansible("kafka_group_offsets", **forget, topics=[old])["changed"] is False
    refused = ansible("kafka_group_offsets", **forget, topics=[new])
    assert (refused["failed"], refused["changed"]) == (True, False)
    assert f"They may read {new};" in refused["msg"]
    assert len(adapter.groups([name])[name].members) == 1


def test_changed_behind_our_back(
    ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest
) -> None:
    topic = kafka.topic(records=10)
    seed(admin, f"{name}-blue", topic, 1, 2, 3)
    settings = {"client.id": "late", "enable.auto.commit": "false"}
    admin.meanwhile = lambda: kafka.join(copy.group_id, topic, **settings) and None
    with pytest.raises(GroupNotEmptyError, match="late") as raised:
        set_offsets(ports, copy)
    assert (raised.value.result["changed"], raised.value.result["moved"]) == (False, [])
    assert raised.value.result["members"][0]["client_id"] == "late"
    assert set(kafka.witness(copy.group_id).values()) <= {None}


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_edge_2_a_target_that_has_joined(
    ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest, protocol: str
) -> None:
    topic = kafka.topic(records=10)
    seed(admin, f"{name}-blue", topic, 1, 2, 3)
    green = kafka.join(copy.group_id, topic, protocol, **{"client.id": "green-7", "enable.auto.commit": "false"})
    with pytest.raises(GroupNotEmptyError, match=r"\(client green-7 at [0-9.]+\)") as raised:
        set_offsets(ports, copy)
    assert (
        raised.value.result["members"][0]["member_id"]
        == admin.groups([copy.group_id])[copy.group_id].members[0].member_id
    )
    with pytest.raises(GroupNotEmptyError, match="cannot be deleted"):
        remove_group(ports, OffsetRequest(copy.group_id, remove=True))
    assert admin.commits == 1, "the seed; nothing was even tried"
    assert offsets_of(admin, copy.group_id) == {}
    green.unsubscribe()
    green.close()
    done = set_offsets(ports, replace(copy, wait_empty=float(HANG)))
    assert (done["type"], done["changed"]) == (protocol, True)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_edge_3_static_members_of_a_stopped_green(
    ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest, protocol: str
) -> None:
    topic = kafka.topic(records=10)
    seed(admin, f"{name}-blue", topic, 1, 2, 3)
    settings = {"group.instance.id": "pod-0", "enable.auto.commit": False}
    if protocol == "classic":  # the other one's session is the brokers' to decide
        # Nobody may wait until the session is over.
        settings |= {"session.timeout.ms": NEVER * 1000, "max.poll.interval.ms": NEVER * 1000}
    kafka.join(copy.group_id, topic, protocol, **settings).close()
    with pytest.raises(GroupNotEmptyError, match=r"1 of them are static .*set evict_static_members"):
        set_offsets(ports, copy)
    done = ended("the copy", lambda: set_offsets(ports, replace(copy, evict_static=True)))
    assert [member["instance_id"] for member in done["evicted"]] == ["pod-0"]
    assert offsets_of(admin, copy.group_id) == {(topic, 0): 1, (topic, 1): 2, (topic, 2): 3}


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_edge_3_a_static_member_that_runs(
    ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest, protocol: str
) -> None:
    """It hears of its eviction with its next heartbeat, joins again, is named, and nothing was written."""
    topic = kafka.topic(records=10)
    seed(admin, f"{name}-blue", topic, 1, 2, 3)
    settings = {"group.instance.id": "pod-0", "client.id": "alive-1", "enable.auto.commit": False}
    alive, over = kafka.join(copy.group_id, topic, protocol, **settings), threading.Event()

    def poll() -> None:
        while not over.is_set():
            alive.poll(0.1)

    polling = threading.Thread(target=poll)
    polling.start()
    try:
        with pytest.raises(
            NoGoError, match=r"joined again after an eviction: .*client alive-1 at .*static as pod-0"
        ) as raised:
            set_offsets(ports, replace(copy, evict_static=True))
    finally:
        over.set()
        joined(polling)
    assert raised.value.result["evicted"][0]["client_id"] == "alive-1"
    assert offsets_of(admin, copy.group_id) == {}


def test_edge_11_a_partition_without_a_commit(
    ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest
) -> None:
    topic = kafka.topic(records=10)
    seed(admin, f"{name}-blue", topic, 1, 2)
    with pytest.raises(OffsetsError, match=f"{topic}-2: no committed offset"):
        set_offsets(ports, replace(copy, missing="fail"))
    set_offsets(ports, copy)
    assert offsets_of(admin, copy.group_id)[(topic, 2)] == 0
    latest = set_offsets(ports, replace(copy, missing="latest"))
    assert offsets_of(admin, copy.group_id)[(topic, 2)] == 10
    assert latest["details"][0] == {"topic": topic, "partition": 2, "reason": "latest: never committed", "skipped": 10}


def test_edge_12_an_offset_that_retention_overtook(
    ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest
) -> None:
    topic = kafka.topic(records=10)
    seed(admin, f"{name}-blue", topic, 2, 2, 8)
    trim = confluent_kafka.TopicPartition(topic, 0, 7)
    kafka.admin.delete_records([trim])[trim].result(HANG)
    with pytest.raises(OffsetsError, match=r"offset 2 was deleted by retention, at most 5 records are lost") as raised:
        set_offsets(ports, copy)
    assert raised.value.result["lost"] == 5
    assert offsets_of(admin, copy.group_id) == {}
    assert read_groups(ports, [f"{name}-blue"])[0]["total_lost"] == 5
    done = set_offsets(ports, replace(copy, out_of_range="earliest"))
    assert (done["lost"], done["details"][0]["lost"]) == (5, 5)
    assert admin.committed(copy.group_id, tps(topic))[TopicPartition(topic, 0)] == CommittedOffset(7, -1, "")


def test_edge_12_a_marker_that_retention_overtook(
    ansible: Ansible, ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest
) -> None:
    """10 records of a transaction, a commit behind the last of them, and the marker's segment expires: nothing is lost."""
    topic = kafka.topic(partitions=1)
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers, "transactional.id": name})
    producer.init_transactions(HANG)
    producer.begin_transaction()
    for _number in range(10):
        producer.produce(topic, b"x", partition=0)
    producer.commit_transaction(HANG)
    seed(admin, f"{name}-blue", topic, 10)
    # The marker is written a moment after the producer was told.
    end = TopicPartition(topic, 0)
    until("the marker is in the log", lambda: admin.log_ranges([end])[end], lambda log: log.end >= 11)
    trim = confluent_kafka.TopicPartition(topic, 0, 11)
    kafka.admin.delete_records([trim])[trim].result(HANG)
    seen = ansible("kafka_group_offsets_info", group_id=f"{name}-blue")
    assert seen["total_lag"] == 0
    assert ansible("kafka_lag_wait", group_id=f"{name}-blue", timeout=HANG)["total_lag"] == 0
    done = set_offsets(ports, copy)
    assert offsets_of(admin, copy.group_id) == {(topic, 0): 11}
    assert done["details"][0]["reason"].startswith("1 offset passed by retention, may be a transaction marker")
    assert set_offsets(ports, copy)["changed"] is False


def test_edge_13_an_offset_beyond_the_end(
    ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest
) -> None:
    topic = kafka.topic(records=10)
    seed(admin, f"{name}-blue", topic, 1, 99999, 3)  # a broker takes it without a word
    with pytest.raises(OffsetsError, match="offset 99999 lies beyond the end of the log 10"):
        set_offsets(ports, copy)
    assert admin.groups([copy.group_id])[copy.group_id].kind == "absent"


def test_edge_14_partitions_added_between_reading_and_writing(
    ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest
) -> None:
    topic = kafka.topic(records=10)
    seed(admin, f"{name}-blue", topic, 1, 2, 3)

    def grow() -> None:
        kafka.admin.create_partitions([NewPartitions(topic, 5)])[topic].result(HANG)
        # Any broker may be asked next, and one that has not heard of them yet shows three partitions.
        in_a_row: list[int] = []

        def counts() -> list[int]:
            count = len(admin.topics([topic])[topic].partitions)
            in_a_row[:] = [*in_a_row, count] if count == 5 else []
            return in_a_row

        until("20 looks show 5 partitions", counts, lambda found: len(found) == 20, every=0.02)

    admin.meanwhile = grow
    with pytest.raises(OffsetsError, match=f"topic {topic} grew from 3 to 5 partitions"):
        set_offsets(ports, copy)
    set_offsets(ports, copy)
    assert offsets_of(admin, copy.group_id) == {
        (topic, 0): 1,
        (topic, 1): 2,
        (topic, 2): 3,
        (topic, 3): 0,
        (topic, 4): 0,
    }


def recreate(kafka: Kafka, admin: KafkaAdapter, topic: str, records: int = 10) -> None:
    """Delete the topic and create it again, with records."""
    before = admin.topics([topic])[topic].topic_id
    kafka.admin.delete_topics([topic])[topic].result(HANG)
    until(f"{topic} is deleted", lambda: admin.topics([topic]), lambda found: topic not in found)
    kafka._topics.remove(topic)
    assert kafka.topic(topic.removeprefix(f"{kafka.name}-"), records=records) == topic
    until(
        f"{topic} is there with another id",
        lambda: admin.topics([topic]),
        lambda found: topic in found and found[topic].topic_id != before,
    )


def test_edge_15_a_topic_created_again(
    ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest
) -> None:
    topic = kafka.topic(records=10)
    seed(admin, f"{name}-blue", topic, 1, 2, 3)
    taken = set_offsets(ports, copy)["snapshot"]
    seed(admin, f"{name}-blue", topic, 2, 3, 4)
    admin.meanwhile = lambda: recreate(kafka, admin, topic)
    with pytest.raises((OffsetsError, KafkaError), match=r"created again|UNKNOWN_TOPIC_ID"):
        set_offsets(ports, copy)
    with pytest.raises(InvalidSettingsError, match=f"topic {topic} was deleted and created again since the snapshot"):
        set_offsets(ports, replace(copy, from_group="").limited(parse(taken, "undo")))
    # An offset of the former topic that is in range: only its leader epoch betrays it.
    seed(admin, f"{name}-old", topic, 1, 2, 3, epoch=5)
    with pytest.raises(OffsetsError, match="was committed in leader epoch 5, the log is in epoch 0"):
        set_offsets(ports, replace(copy, from_group=f"{name}-old"))


def test_edge_16_a_source_with_an_open_transaction(
    ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest
) -> None:
    topic = kafka.topic(records=10)
    seed(admin, f"{name}-blue", topic, 1, 2, 3)
    consumer = kafka.join(f"{name}-blue", topic, **{"enable.auto.commit": False})
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers, "transactional.id": name})
    producer.init_transactions(HANG)
    producer.begin_transaction()
    producer.send_offsets_to_transaction(
        [confluent_kafka.TopicPartition(topic, 0, 7)], consumer.consumer_group_metadata(), HANG
    )
    with pytest.raises(PendingOffsetsError, match=f"of transactional id {name},.* \\(waited 1 s\\)") as raised:
        ended("the copy", lambda: set_offsets(ports, replace(copy, wait_transactions=1.0)))
    assert raised.value.result["pending_transactions"][0]["abort"].startswith("kafka-transactions.sh")
    assert admin.groups([copy.group_id])[copy.group_id].kind == "absent", "the old offset was not copied"
    ending = threading.Timer(2.0, producer.commit_transaction)
    ending.start()
    set_offsets(ports, replace(copy, wait_transactions=float(HANG)))
    joined(ending)
    assert offsets_of(admin, copy.group_id)[(topic, 0)] == 7


@pytest.mark.parametrize("whole", [False, True])
def test_edge_16_a_removal_takes_the_offsets_of_an_open_transaction_along(
    ansible: Ansible, admin: Interrupted, kafka: Kafka, name: str, whole: bool
) -> None:
    """As Kafka's own tool does: at once, and nothing comes back when the transaction is committed."""
    topic = kafka.topic(records=10)
    seed(admin, name, topic, 1, 2)
    consumer = kafka.join(name, topic, **{"enable.auto.commit": False})
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers, "transactional.id": name})
    producer.init_transactions(HANG)
    producer.begin_transaction()
    pending = [confluent_kafka.TopicPartition(topic, number, 7) for number in (0, 2)]
    producer.send_offsets_to_transaction(pending, consumer.consumer_group_metadata(), HANG)
    consumer.unsubscribe()
    consumer.close()
    removal = {
        "group_id": name,
        "state": "absent",
        "wait_empty_timeout": HANG,
        **({} if whole else {"topics": [topic]}),
    }
    done = ansible("kafka_group_offsets", **removal)
    assert (done["failed"], done["changed_partitions"]) == (False, 2 if whole else 3)
    assert admin.committed_or_pending(name, tps(topic)) == ({}, frozenset())
    producer.commit_transaction(HANG)
    # Markers are written after the answer.
    stays("no offset", lambda: admin.committed_or_pending(name, tps(topic)), lambda seen: seen == ({}, frozenset()))
    assert ansible("kafka_group_offsets", **removal)["changed"] is False


def until_led(admin: KafkaAdapter, topics: t.Sequence[str]) -> None:
    """Wait until every partition of the topics, a thousand each, has a leader that every broker knows."""

    def said(topic: str) -> str:
        try:
            admin.log_ranges(tps(topic, 1_000))
        except KafkaError as error:
            return error.message
        return ""

    for topic in topics:
        until(f"all of {topic} have leaders", partial(said, topic), lambda text: not text)


@pytest.mark.parametrize("count", [1_000, 5_000])
def test_edge_20_many_partitions(
    ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest, count: int
) -> None:
    topics = [f"{name}-many-{number}" for number in range(count // 1_000)]
    kafka._topics += topics
    for topic in topics:
        kafka.admin.create_topics([NewTopic(topic, 1_000, 1)])[topic].result(HANG)
    wanted = {tp: CommittedOffset(0, 0, "m") for topic in topics for tp in tps(topic, 1_000)}
    until_led(admin, topics)
    assert admin.commit(f"{name}-blue", wanted) == {}
    done = set_offsets(ports, copy)
    assert done["changed_partitions"] == count
    assert admin.all_committed(copy.group_id) == wanted


def test_edge_22_a_partition_the_broker_does_not_know(
    ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest
) -> None:
    stays, goes = kafka.topic("stays", records=10), kafka.topic("goes", records=10)
    seed(admin, f"{name}-blue", stays, 1, 2, 3)
    seed(admin, f"{name}-blue", goes, 4, 5, 6)
    copied = set_offsets(ports, replace(copy, group_id=f"{name}-keeps-them"))["after"]
    explicit = {
        TopicPartition(topic, int(number)): Desired(offset)
        for topic, offsets in copied.items()
        for number, offset in offsets.items()
    }

    def vanish() -> None:
        kafka.admin.delete_topics([goes])[goes].result(HANG)
        kafka._topics.remove(goes)
        kafka.wait_forgotten(goes)

    admin.meanwhile = vanish
    request = OffsetRequest(copy.group_id, explicit=explicit, allow_create=True)
    with pytest.raises(OffsetsError, match=rf"{goes}-0 \(UNKNOWN_TOPIC_OR_PARTITION\)") as raised:
        set_offsets(ports, request)
    assert raised.value.result["moved"] == [str(tp) for tp in tps(stays)]
    assert set(raised.value.result["refused"]) == {str(tp) for tp in tps(goes)}
    assert offsets_of(admin, copy.group_id) == {(stays, 0): 1, (stays, 1): 2, (stays, 2): 3}
    kafka.topic("goes", records=10)
    admin.log_ranges(tps(goes))
    set_offsets(ports, request)
    assert offsets_of(admin, copy.group_id)[(goes, 2)] == 6


def test_edge_38_a_new_topic_of_a_regular_expression(
    ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest
) -> None:
    topic = kafka.topic("a", records=10)
    seed(admin, f"{name}-blue", topic, 1, 2, 3)
    settings = {"enable.auto.commit": False, "topic.metadata.refresh.interval.ms": 300}
    consumer = kafka.join(f"{name}-blue", f"^{name}-.*", **settings)
    new = kafka.topic("b", records=10)

    def owned() -> list[confluent_kafka.TopicPartition]:
        consumer.poll(0.1)
        return consumer.assignment()

    until("it owns the new topic as well", owned, lambda found: len(found) == 6, every=0.0)
    (seen,) = read_groups(ports, [f"{name}-blue"])
    assert [row["committed_offset"] for row in seen["partitions"] if row["topic"] == new] == [None] * 3
    set_offsets(ports, replace(copy, topics=(topic, new)))
    assert {tp: offset for tp, offset in offsets_of(admin, copy.group_id).items() if tp[0] == new} == {
        (new, number): 0 for number in range(3)
    }


def test_edge_42_metadata_that_is_too_long(
    ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest
) -> None:
    topic = kafka.topic(records=10)
    first, second, third = tps(topic)
    explicit = {first: Desired(1, metadata="x" * 4097), second: Desired(2, metadata="x" * 4096), third: Desired(3)}
    request = OffsetRequest(copy.group_id, explicit=explicit, allow_create=True)
    with pytest.raises(OffsetsError, match=rf"{first} \(OFFSET_METADATA_TOO_LARGE\)") as raised:
        set_offsets(ports, request)
    assert (raised.value.result["changed"], raised.value.result["moved"]) == (True, [str(second), str(third)])
    set_offsets(ports, replace(request, explicit={**explicit, first: Desired(1, metadata="x")}))
    assert offsets_of(admin, copy.group_id) == {(topic, 0): 1, (topic, 1): 2, (topic, 2): 3}


@pytest.mark.parametrize("kind", ["share", "streams"])
def test_edge_44_share_and_streams_groups(
    bed: dict[str, str], ports: Ports, admin: Interrupted, kafka: Kafka, name: str, copy: OffsetRequest, kind: str
) -> None:
    topic = kafka.topic(records=10)
    seed(admin, f"{name}-blue", topic, 1, 2, 3)
    leave = group_kinds.join(bed, f"{name}-{kind}", kind, topic)
    (seen,) = read_groups(ports, [f"{name}-{kind}"])
    assert (seen["type"], seen["empty"], seen["total_lag"]) == (kind, False, None)
    leave()
    try:
        for request in (replace(copy, group_id=f"{name}-{kind}"), replace(copy, from_group=f"{name}-{kind}")):
            with pytest.raises(OffsetsError, match=f"Group {name}-{kind} is a ({kind}|Kafka Streams) group"):
                set_offsets(ports, request)
        with pytest.raises(OffsetsError, match=f"Group {name}-{kind} is a ({kind}|Kafka Streams) group"):
            remove_group(ports, OffsetRequest(f"{name}-{kind}", remove=True))
        assert f"{name}-{kind}" in [group.group_id for group in admin.list_groups()]
        assert admin.groups([copy.group_id])[copy.group_id].kind == "absent"
    finally:
        admin.delete_group(f"{name}-{kind}")


def test_places_in_the_log(ports: Ports, admin: Interrupted, kafka: Kafka, name: str) -> None:
    topic = kafka.topic()
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers})
    for number in range(10):
        producer.produce(topic, b"x", partition=0, timestamp=1_795_000_000_000 + number * 1000)
    assert producer.flush(HANG) == 0
    seed(admin, name, topic, 5)
    wanted = {
        Position("latest"): {0: 10, 1: 0, 2: 0},
        Position("earliest"): {0: 0, 1: 0, 2: 0},
        Position("timestamp", 1_795_000_003_500): {0: 4, 1: 0, 2: 0},
        Position("shift", shift=-3): {0: 1, 1: 0, 2: 0},
    }
    for position, offsets in wanted.items():
        set_offsets(ports, OffsetRequest(name, to=position) if position.shift == 0 else shift_of(name, topic, position))
        assert offsets_of(admin, name) == {(topic, number): offset for number, offset in offsets.items()}
    assert kafka.witness(name) == {(topic, 0): 1, (topic, 1): 0, (topic, 2): 0}


def shift_of(group: str, topic: str, position: Position) -> OffsetRequest:
    return OffsetRequest(group, to=position, topics=(topic,), partitions=frozenset({0}))


def test_info_of_several_groups(ansible: Ansible, kafka: Kafka, adapter: KafkaAdapter, name: str) -> None:
    topic = kafka.topic(records=10)
    seed(adapter, f"{name}-a", topic, 1, 2, 3)
    kafka.join(f"{name}-b", topic, "consumer", **{"group.instance.id": "pod-0", "enable.auto.commit": False})
    seen = ansible("kafka_group_offsets_info", pattern=f"{name}-[ab]", isolation_level="read_committed")
    first, second = seen["groups"]
    assert (first["type"], first["state"], first["total_lag"], first["protocol_type"]) == ("classic", "Empty", 24, "")
    assert (first["expiry"]["retention_minutes"], first["expiry"]["clock"]) == (10080, "since_commit")
    assert first["expiry"]["latest"] > "2026"
    assert (second["type"], second["state"], second["protocol"]) == ("consumer", "Stable", "uniform")
    assert (second["members"][0]["instance_id"], len(second["members"][0]["assignment"])) == ("pod-0", 3)
    assert (second["expiry"]["clock"], second["total_lag"]) == ("stopped", None)
