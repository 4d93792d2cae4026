# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Edge cases 16 and 17 on real brokers: transactions that hang, on the input or with offsets, are found, named, and ended.

The witness is Kafka's own tool for transactions.
"""

from __future__ import annotations

import datetime
import time
import typing as t

import confluent_kafka
import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import PendingOffsetsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import OpenTransaction
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition
from tests.bed.conftest import Ansible, Kafka, Kubectl
from tests.unit.waiting import HANG, NEVER, ended, finished, until

pytestmark = pytest.mark.bed

HANGING = "open transactions on the input"
TOOL = "org.apache.kafka.tools.TransactionsCommand"
CLOCKS = 5
"""Seconds by which an age may differ from ours, the start of a process included."""


class Hanging:
    """A producer that began a transaction on some partitions and wrote its last record ``age`` seconds ago."""

    def __init__(self, kafka: Kafka, topic: str, partitions: t.Collection[int], age: int = 0) -> None:
        # The coordinator ends it by itself only after this, long after the test.
        settings = {"transactional.id": f"{kafka.name}-{topic}-{age}", "transaction.timeout.ms": "600000"}
        self.producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers, **settings})
        self.producer.init_transactions(HANG)
        self.began = time.time()
        self.producer.begin_transaction()
        for partition in partitions:
            for _number in range(3):
                written = int((time.time() - age) * 1000)
                self.producer.produce(topic, b"open", partition=partition, timestamp=written)
        assert self.producer.flush(HANG) == 0
        self.age = age

    def is_as_old(self, age: int | None) -> bool:
        """Whether an age is right."""
        return age is not None and self.age <= age <= self.age + (time.time() - self.began) + CLOCKS


def tool(kafka: Kafka, *arguments: str) -> str:
    """kafka-transactions.sh."""
    command = ["java", "-cp", kafka.bed["KAFKA_TOOLS_CLASSPATH"], TOOL, "--bootstrap-server", kafka.servers]
    ended = finished([*command, *arguments], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def witness(kafka: Kafka, topic: str, partition: int) -> list[tuple[int, int, int, int]]:
    """(producer id, epoch, timestamp, start) of the open transactions, as Kafka's own tool shows them."""
    shown = tool(kafka, "describe-producers", "--topic", topic, "--partition", str(partition))
    head, *rows = [line.split() for line in shown.splitlines() if line.strip()]
    assert head == [
        "ProducerId", "ProducerEpoch", "LatestCoordinatorEpoch", "LastSequence", "LastTimestamp",
        "CurrentTransactionStartOffset",
    ]  # fmt: skip
    return sorted((int(row[0]), int(row[1]), int(row[4]), int(row[5])) for row in rows if row[5] != "None")


def as_witnessed(found: t.Iterable[OpenTransaction], partition: TopicPartition) -> list[tuple[int, int, int, int]]:
    return sorted(
        (one.producer_id, one.producer_epoch, one.last_timestamp, one.start_offset)
        for one in found
        if one.partition == partition
    )


def eventually(
    adapter: KafkaAdapter, partitions: t.Collection[TopicPartition], left: t.Sequence[OpenTransaction] = ()
) -> None:
    """The markers that end a transaction are written a moment after its producer was told, one after the other."""
    until(f"open is {left}", lambda: adapter.open_transactions(partitions), lambda found: found == list(left))


def test_what_is_open_is_what_kafka_says(adapter: KafkaAdapter, kafka: Kafka) -> None:
    """On every leader; of two transactions and a producer without one only the transactions, until they are ended."""
    topic = kafka.topic(partitions=6, records=5)
    partitions = [TopicPartition(topic, number) for number in range(6)]
    plain = confluent_kafka.Producer({"bootstrap.servers": kafka.servers, "enable.idempotence": True})
    plain.produce(topic, b"no transaction", partition=0)
    assert plain.flush(HANG) == 0
    assert adapter.open_transactions(partitions) == []
    old, young = Hanging(kafka, topic, (0, 1, 2), age=1200), Hanging(kafka, topic, (2, 5))
    found = adapter.open_transactions(partitions)
    assert [one.partition.partition for one in found] == [0, 1, 2, 2, 5]
    for number in (0, 2, 3):
        assert as_witnessed(found, partitions[number]) == witness(kafka, topic, number)
    assert [one.start_offset for one in found] == [6, 5, 5, 8, 5]
    now = int(time.time() * 1000)
    assert all(old.is_as_old(one.age(now)) for one in found[:3])
    assert all(young.is_as_old(one.age(now)) for one in found[3:])
    assert len({one.producer_id for one in found}) == 2
    young.producer.commit_transaction(HANG)
    eventually(adapter, partitions, found[:3])
    old.producer.abort_transaction(HANG)
    eventually(adapter, partitions)


def test_a_wait_that_is_over_names_what_holds_it_up(ansible: Ansible, kafka: Kafka, name: str) -> None:
    """Who reads what is committed stands before the transaction, and a mark behind it is never reached."""
    topic = kafka.topic(partitions=1, records=5)
    hanging = Hanging(kafka, topic, (0,), age=300)
    reader = confluent_kafka.Consumer({"bootstrap.servers": kafka.servers, "group.id": name})
    reader.commit(offsets=[confluent_kafka.TopicPartition(topic, 0, 5)], asynchronous=False)
    reader.close()
    mark = [{"topic": topic, "partition": 0, "offset": 8}]
    wait = {"group_id": name, "until": "barrier", "barrier": mark, "isolation_level": "read_committed", "timeout": 2}
    late = ansible("kafka_lag_wait", **wait)
    assert (late["failed"], late["satisfied"], late["remaining"]) == (True, False, 3)
    ((producer, epoch, _last, start),) = witness(kafka, topic, 0)
    assert (
        f"Open transactions hold the end of the log: {topic}-0: producer id {producer} (epoch {epoch})" in late["msg"]
    )
    (row,) = late["open_transactions"]
    assert hanging.is_as_old(row.pop("age"))
    assert row == {
        "topic": topic,
        "partition": 0,
        "producer_id": producer,
        "producer_epoch": epoch,
        "start_offset": start,
    }
    hanging.producer.commit_transaction(HANG)
    late = ansible("kafka_lag_wait", **wait)
    assert (late["remaining"], late["open_transactions"]) == (3, [])
    assert "transactions" not in late["msg"]


class Preflight:
    """bg_info for an application of which only record, topic and groups are there."""

    def __init__(self, ansible: Ansible, kafka: Kafka, kubectl: Kubectl, topic: str) -> None:
        self.ansible = ansible
        groups = {colour: {"group": f"{kafka.name}-{colour}"} for colour in ("blue", "green")}
        self.application = {"name": "app", "namespace": kubectl.namespace, "topics": [topic], **groups}
        where = {"name": "app", "namespace": kubectl.namespace}
        # Green, so that a rollback to blue is one that may be judged.
        for step in (
            {"active": "blue"},
            {"phase": "switching"},
            {"active": "green", "phase": "verifying"},
            {"phase": "stable"},
        ):
            assert not ansible("bg_configmap_switch", **step, **where)["failed"], step

    def gate(self, direction: str = "switch", **settings: t.Any) -> dict[str, str]:
        """The row about transactions."""
        application = {**self.application, **settings}
        seen = self.ansible("bg_info", application=application, mode="cold", direction=direction)
        (row,) = [gate for gate in seen["gates"] if gate["name"] == HANGING]
        assert (row["verdict"] == "NO-GO") <= (seen["verdict"] == "NO-GO")
        return t.cast("dict[str, str]", row)


def test_preflight(ansible: Ansible, adapter: KafkaAdapter, kafka: Kafka, kubectl: Kubectl) -> None:
    """No-Go names the producer, its age and the command that ends it; that command ends it."""
    topic = kafka.topic(partitions=2, records=5)
    preflight = Preflight(ansible, kafka, kubectl, topic)
    assert preflight.gate() == {
        "name": HANGING, "value": "none", "threshold": "none older than 900 s", "verdict": "GO", "advice": "",
    }  # fmt: skip
    Hanging(kafka, topic, (1,), age=1200)
    ((producer, epoch, _last, start),) = witness(kafka, topic, 1)
    row = preflight.gate()
    assert row["verdict"] == "NO-GO"
    assert row["value"].startswith("1, the oldest 12")
    assert (
        f"{topic}-1: producer id {producer} (epoch {epoch}), open since offset {start}, last record 12" in row["advice"]
    )
    assert preflight.gate(direction="rollback")["verdict"] == "WARN"
    assert preflight.gate(max_transaction_age=3600)["verdict"] == "GO"
    command = row["advice"].partition("HOST:PORT ")[2].partition(";")[0].split()
    assert command[0] == "abort"
    tool(kafka, *command)
    eventually(adapter, [TopicPartition(topic, 1)])
    assert preflight.gate()["value"] == "none"


class Pending:
    """A group of which an offset is part of a transaction that its producer left open."""

    def __init__(self, kafka: Kafka, name: str, *decided: int) -> None:
        self.kafka, self.group = kafka, name
        self.topic = kafka.topic(partitions=3, records=10)
        self.partitions = [TopicPartition(self.topic, number) for number in range(3)]
        kafka.commit(name, [confluent_kafka.TopicPartition(self.topic, *row) for row in enumerate(decided)])
        self.member = kafka.join(name, self.topic, **{"enable.auto.commit": False})
        self.producer = confluent_kafka.Producer(
            {"bootstrap.servers": kafka.servers, "transactional.id": f"{name}-tx", "transaction.timeout.ms": "600000"}
        )
        self.producer.init_transactions(HANG)
        self.began = int(time.time())
        self.leave_open(7)
        self.left = time.time()

    def leave_open(self, offset: int) -> None:
        """An offset for the first and one for the last partition, and no end."""
        self.producer.begin_transaction()
        rows = [confluent_kafka.TopicPartition(self.topic, number, offset) for number in (0, 2)]
        self.producer.send_offsets_to_transaction(rows, self.member.consumer_group_metadata(), HANG)


def test_a_look_at_pending_offsets(ansible: Ansible, adapter: KafkaAdapter, kafka: Kafka, name: str) -> None:
    """What was decided before, at once; whose transaction it is, when it ends, and the command that ends it, which does."""
    hanging = Pending(kafka, name, 3, 4)
    patient = KafkaAdapter({"bootstrap_servers": kafka.servers.split(",")}, NEVER)
    with pytest.raises(PendingOffsetsError) as raised:
        ended("a look", lambda: patient.committed(name, hanging.partitions))
    assert raised.value.partitions == {hanging.partitions[0], hanging.partitions[2]}
    with pytest.raises(PendingOffsetsError):
        ended("a look", lambda: patient.all_committed(name))
    patient.close()
    known, undecided = adapter.committed_or_pending(name, hanging.partitions)
    assert {tp.partition: committed.offset for tp, committed in known.items()} == {0: 3, 1: 4}
    assert undecided == raised.value.partitions
    assert adapter.committed_or_pending(name, None)[1] == {hanging.partitions[0]}
    assert adapter.committed_topics(name) == {hanging.topic}

    seen = ansible("kafka_group_offsets_info", group_id=name)
    assert (seen["failed"], seen["total_lag"]) == (False, None)
    assert [(row["committed_offset"], row["lag"]) for row in seen["partitions"]] == [(3, None), (4, 6), (None, None)]
    assert [row["partition"] for row in seen["pending"]] == [0], "a broker lists only what was committed before"
    seen = ansible("kafka_group_offsets_info", group_id=name, topics=[hanging.topic])
    assert [row["partition"] for row in seen["pending"]] == [0, 2]
    (holder,) = [row for row in seen["pending_transactions"] if row["transactional_id"] == f"{name}-tx"]
    shown = witness(kafka, holder["topic"], holder["partition"])
    assert (holder["producer_id"], holder["producer_epoch"]) in [row[:2] for row in shown]
    ends = datetime.datetime.fromisoformat(holder["ends"]).timestamp()
    assert hanging.began + 600 - CLOCKS <= ends <= hanging.left + 600 + CLOCKS

    command = holder["abort"].split()
    assert command[:3] == ["kafka-transactions.sh", "--bootstrap-server", "HOST:PORT"]
    tool(kafka, *command[3:])
    pending = lambda: ansible("kafka_group_offsets_info", group_id=name)["pending"]  # noqa: E731
    until("nothing is pending", pending, lambda rows: not rows)
    assert {tp.partition: row.offset for tp, row in adapter.committed(name, hanging.partitions).items()} == {0: 3, 1: 4}
