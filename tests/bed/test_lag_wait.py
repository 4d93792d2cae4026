# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for real consumers of a real Kafka: under load, with transactions, with gaps, and with what is not known.

Numbers behind "edge" are those of the list of edge cases in the documentation of the comparison.
"""

from __future__ import annotations

import abc
import subprocess
import sys
import threading
import time
import typing as t

import confluent_kafka
import pytest
import yaml
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, ResourceType

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.system import SystemClock
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import WaitTimeoutError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.wait_goal import Goal
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.wait_lag import LagRequest, wait_lag
from tests.bed.conftest import ROOT, Ansible, Kafka
from tests.unit.waiting import HANG, NEVER, ended, joined, until

pytestmark = pytest.mark.bed

Wait = t.Callable[..., dict[str, t.Any]]


class Meanwhile(SystemClock):
    """Lets something happen in each of the first pauses between two looks."""

    def __init__(self, *actions: t.Callable[[], object]) -> None:
        super().__init__()
        self._actions = list(actions)

    def sleep(self, seconds: float) -> None:
        if self._actions:
            self._actions.pop(0)()
        super().sleep(seconds)


def waiting(adapter: KafkaAdapter, name: str) -> Wait:
    """The use case on an adapter, for a group. meanwhile: what happens between the looks, one after the other."""

    def call(check: bool = False, meanwhile: t.Sequence[t.Callable[[], object]] = (), **options: t.Any) -> t.Any:
        names = ("until", "max_lag", "max_partition_lag", "barrier", "polls")
        goal = Goal(**{key: options.pop(key) for key in names if key in options})
        request = {"timeout": float(HANG), "sleep": 0.2, **options}
        return wait_lag(adapter, Meanwhile(*meanwhile), LagRequest(name, goal, **request), check)

    return call


@pytest.fixture
def wait(adapter: KafkaAdapter, name: str) -> Wait:
    """See waiting, for the group of this test."""
    return waiting(adapter, name)


def seen_at_timeout(wait: Wait, timeout: float = 1.0, **options: t.Any) -> tuple[dict[str, t.Any], str]:
    """What a wait that fails returns, and its message."""
    with pytest.raises(WaitTimeoutError) as raised:
        wait(timeout=timeout, **options)
    return raised.value.result, raised.value.message


class Load(abc.ABC):
    """Something that goes on in a thread until the test leaves the block."""

    def __init__(self, per_second: float) -> None:
        self._pause = 1.0 / per_second
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.done = 0

    def __enter__(self) -> t.Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        joined(self._thread)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._over.is_set():
            self.step()
            self.done += 1
            due += self._pause
            self._over.wait(max(0.0, due - time.monotonic()))
        self.end()

    @abc.abstractmethod
    def step(self) -> None:
        """One round."""

    def end(self) -> None:  # noqa: B027 - most have nothing left to do
        """The last thing."""


class Producing(Load):
    """Records to every partition, one each a round."""

    def __init__(self, kafka: Kafka, topic: str, partitions: int, per_second: float) -> None:
        super().__init__(per_second)
        self._producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers})
        self._topic, self._partitions = topic, partitions
        self._delivered = 0

    def step(self) -> None:
        for partition in range(self._partitions):
            self._producer.produce(self._topic, b"x", partition=partition, on_delivery=self._count)
        self._producer.poll(0)

    def _count(self, error: confluent_kafka.KafkaError | None, _record: confluent_kafka.Message) -> None:
        assert error is None, error
        self._delivered += 1

    def wait_under_way(self, records: int) -> None:
        """Brokers that have other work take the first records late, and a lag shrinks meanwhile."""
        until(f"{records} records are taken", lambda: self._delivered, lambda count: count >= records, every=0.02)

    def end(self) -> None:
        assert self._producer.flush(HANG) == 0


class Consuming(Load):
    """A member that reads and commits a few records a round, at its own pace."""

    def __init__(self, consumer: confluent_kafka.Consumer, records: int, per_second: float) -> None:
        super().__init__(per_second)
        self._consumer, self._records = consumer, records

    def step(self) -> None:
        if self._consumer.consume(self._records, timeout=0.05):
            self._consumer.commit(asynchronous=False)


SLOW = {
    "enable.auto.commit": "false",
    "auto.offset.reset": "earliest",
    "queued.min.messages": "50",
    # Else a fetch brings all there is of one partition, and who is slower than the producers reaches the others ever later.
    "max.partition.fetch.bytes": "4096",
}


def commit(kafka: Kafka, group: str, topic: str, *offsets: int) -> None:
    """Offsets of the first partitions, as an application commits them."""
    kafka.commit(group, [confluent_kafka.TopicPartition(topic, *row) for row in enumerate(offsets)])


def test_a_barrier_ends_while_the_lag_never_does(kafka: Kafka, wait: Wait, name: str) -> None:
    topic = kafka.topic(partitions=3, records=150)
    commit(kafka, name, topic, 0, 0, 0)
    consumer = kafka.join(name, topic, **SLOW)
    with Producing(kafka, topic, 3, per_second=250) as producing, Consuming(consumer, 25, per_second=10):
        producing.wait_under_way(records=300)
        behind, said = seen_at_timeout(wait, timeout=3.0, max_lag=10)
        done = wait(until="barrier")
    assert "still has a lag of" in said
    assert (behind["satisfied"], behind["estimated_seconds"]) == (False, None), "it only gets further away"
    lags = [sample["lag"] for sample in behind["history"]]
    assert max(lags) > lags[0]  # the last sample may be of the moment at which the consumer has just committed
    assert behind["rate"] > 0

    assert (done["satisfied"], done["remaining"]) == (True, 0)
    marks = {(mark["topic"], mark["partition"]): mark["offset"] for mark in done["barrier"]}
    committed = kafka.witness(name)
    assert len(marks) == 3
    assert all((committed[partition] or 0) >= mark for partition, mark in marks.items())
    assert done["total_lag"] > 10, "the end of the log is somewhere else meanwhile"
    remaining = [sample["remaining"] for sample in done["history"]]
    assert remaining == sorted(remaining, reverse=True), "production does not push it away"
    assert done["attempts"] > 2


def test_the_lag_in_total_and_per_partition(kafka: Kafka, wait: Wait, name: str) -> None:
    topic = kafka.topic(partitions=3, records=10)
    commit(kafka, name, topic, 10, 8, 3)
    assert wait(max_lag=9)["total_lag"] == 9
    result, said = seen_at_timeout(wait, max_lag=8)
    assert (result["remaining"], result["rate"], result["estimated_seconds"]) == (1, 0.0, None)
    assert f"wanted: at most 8; most in {topic}-2: 7" in said
    assert wait(max_partition_lag=7)["satisfied"] is True
    assert seen_at_timeout(wait, max_lag=9, max_partition_lag=6)[0]["remaining"] == 1
    consumer = kafka.join(name, topic, protocol="consumer", **SLOW)
    with Consuming(consumer, 100, per_second=10):
        caught_up = wait()
    assert (caught_up["satisfied"], set(kafka.witness(name).values())) == (True, {10})


def test_what_is_not_known_never_satisfies(kafka: Kafka, wait: Wait, name: str) -> None:
    """Edges 11 and 46: a partition with records and no commit, and a group that nobody knows, even where nothing is to be read."""
    topic, nothing = kafka.topic(partitions=2, records=1), kafka.topic("idle")
    for goal in ("lag", "barrier", "stable"):
        options = {"until": goal, "polls": 1, "timeout": 0.5}
        for topics in ((), (topic,), (nothing,)):
            result, said = seen_at_timeout(wait, topics=topics, **options)
            assert "is not known to Kafka (check its name)" in said
            assert {result[key] for key in ("remaining", "rate")} == {None}
    result, said = ended("the wait", lambda: seen_at_timeout(wait, until="empty", timeout=NEVER))
    assert (result["type"], "so whether it is empty is unknown, after 5 s" in said) == ("absent", True)
    commit(kafka, name, topic, 1)
    for goal in ("lag", "barrier", "stable"):
        result, said = seen_at_timeout(wait, until=goal, polls=1, timeout=0.5)
        assert f"no committed offset for 1 partitions ({topic}-1)" in said
        assert [row["lag"] for row in result["partitions"]] == [0, None]
    commit(kafka, name, topic, 1, 1)
    for goal in ("lag", "barrier", "stable"):
        assert wait(until=goal, polls=1)["satisfied"] is True
    assert wait(until="empty")["type"] == "classic"


def test_partitions_without_records_need_no_commit(ansible: Ansible, kafka: Kafka, wait: Wait, name: str) -> None:
    """Edge 11: records in 3 of 12 partitions, and a consumer that commits by itself what it read."""
    topic = kafka.topic(partitions=12)
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers})
    for number in range(3):
        producer.produce(topic, b"x", partition=number)
    assert producer.flush(HANG) == 0
    settings = {**SLOW, "enable.auto.commit": "true", "auto.commit.interval.ms": "200"}
    with Consuming(kafka.join(name, topic, **settings), 100, per_second=10):
        for goal in ("lag", "barrier", "stable"):
            assert wait(until=goal, polls=2)["satisfied"] is True
    assert [row["lag"] for row in wait()["partitions"]] == [0] * 12
    assert {offset for offset in kafka.witness(name).values() if offset is not None} == {1}
    seen = ansible("kafka_group_offsets_info", group_id=name)
    assert seen["total_lag"] == 0, "the same everywhere"


def test_a_tail_of_aborted_records_is_named(kafka: Kafka, wait: Wait, name: str) -> None:
    """Edge 45: 20 aborted records behind 3 committed ones; the consumer commits where the last of these was."""
    topic = kafka.topic(partitions=1, records=3)
    commit(kafka, name, topic, 3)
    producer = transactional(kafka, name)
    producer.begin_transaction()
    for _number in range(20):
        producer.produce(topic, b"aborted", partition=0)
    assert producer.flush(HANG) == 0
    settings = {**SLOW, "isolation.level": "read_committed"}
    with Consuming(kafka.join(name, topic, **settings), 100, per_second=10):
        assert "may be aborted" not in seen_at_timeout(wait, timeout=2.0)[1], "the transaction is open"
        producer.abort_transaction(HANG)
        message = lambda: seen_at_timeout(wait, timeout=2.0)[1]  # noqa: E731
        said = until("the tail is named", message, lambda text: "may be aborted" in text)
        assert "The 21 offsets may be aborted records or transaction markers" in said, "with the marker"
        assert (
            "the last stable offset is the end of the log, no transaction is open and the commits do not move" in said
        )
        assert wait(until="stable", polls=3)["satisfied"] is True
        assert wait(max_lag=21)["satisfied"] is True


def test_a_partition_is_added_under_way(kafka: Kafka, wait: Wait, name: str) -> None:
    """Edge 14: its records are unknown work for the lag, and came after the barrier; without records it is none."""
    topic = kafka.topic(partitions=2, records=20)
    commit(kafka, name, topic, 0, 0)

    def add() -> None:
        kafka.admin.create_partitions([NewPartitions(topic, 3)])[topic].result(HANG)
        kafka.wait_known(topic, 3)

    done = wait(until="barrier", meanwhile=[add, lambda: None, lambda: commit(kafka, name, topic, 20, 20)])
    assert (done["satisfied"], len(done["barrier"])) == (True, 2)
    assert done["not_in_barrier"] == [{"topic": topic, "partition": 2}]
    assert wait(max_lag=1000)["satisfied"] is True
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers})
    producer.produce(topic, b"x", partition=2)
    assert producer.flush(HANG) == 0
    assert f"no committed offset for 1 partitions ({topic}-2)" in seen_at_timeout(wait, max_lag=1000)[1]


def test_stable_is_a_group_that_was_paused(kafka: Kafka, wait: Wait, name: str) -> None:
    topic = kafka.topic(partitions=2, records=500)
    commit(kafka, name, topic, 0, 0)
    consumer = kafka.join(name, topic, protocol="consumer", **SLOW)
    with Consuming(consumer, 10, per_second=10):
        # More looks than fit in, because a consumer that gets no processor stands still as well.
        assert "still moves" in seen_at_timeout(wait, until="stable", polls=50, timeout=2.0)[1]
        consumer.pause(consumer.assignment())
        still = wait(until="stable", polls=5)
    assert (still["satisfied"], still["unchanged_polls"], still["total_lag"] > 0) == (True, 5, True)
    offsets = {(row["topic"], row["partition"]): row["committed_offset"] for row in still["partitions"]}
    assert kafka.witness(name) == offsets


def transactional(kafka: Kafka, name: str) -> confluent_kafka.Producer:
    """A producer of transactions."""
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers, "transactional.id": name})
    producer.init_transactions(HANG)
    return producer


def test_an_open_transaction_pins_the_end_for_those_who_read_committed(kafka: Kafka, wait: Wait, name: str) -> None:
    """Edge 17 as a wait sees it: the last stable offset stands still, production behind it goes on."""
    topic = kafka.topic(partitions=1, records=5)
    commit(kafka, name, topic, 5)
    producer = transactional(kafka, name)
    producer.begin_transaction()
    for _number in range(3):
        producer.produce(topic, b"open", partition=0)
    assert producer.flush(HANG) == 0
    with Producing(kafka, topic, 1, per_second=50) as producing:
        producing.wait_under_way(records=10)
        assert wait(read_committed=True)["total_lag"] == 0
        assert wait(until="barrier", read_committed=True)["barrier"][0]["offset"] == 5
        assert seen_at_timeout(wait)[0]["total_lag"] > 3
    producer.abort_transaction(HANG)
    # The coordinator answers before the markers that end the transaction are in the log.
    what = "what was behind it counts now"
    until(what, lambda: wait(check=True, read_committed=True)["total_lag"], lambda lag: lag > 3)


def test_offsets_of_an_open_transaction_are_waited_for(kafka: Kafka, wait: Wait, name: str) -> None:
    """Edge 16: until it ends nobody knows the committed offset; then it is the transaction's.

    The wait is as long as it says, whatever time the adapter gives one call to Kafka.
    """
    topic = kafka.topic(partitions=1, records=5)
    commit(kafka, name, topic, 0)
    consumer = kafka.join(name, topic, **SLOW)
    producer = transactional(kafka, name)
    producer.begin_transaction()
    rows = [confluent_kafka.TopicPartition(topic, 0, 5)]
    producer.send_offsets_to_transaction(rows, consumer.consumer_group_metadata(), HANG)
    patient = KafkaAdapter({"bootstrap_servers": kafka.servers.split(",")}, NEVER)
    result, said = ended("the wait", lambda: seen_at_timeout(waiting(patient, name), timeout=2.0))
    patient.close()
    assert result["elapsed"] > 1.5
    assert (result["pending"], result["total_lag"]) == ([{"topic": topic, "partition": 0}], None)
    assert result["partitions"][0]["committed_offset"] == 0, "what was decided before"
    assert f"of transactional id {name}," in said
    assert "abort --topic __consumer_offsets --partition" in said
    done = wait(meanwhile=[lambda: None, lambda: producer.commit_transaction(HANG)])
    assert (done["total_lag"], done["partitions"][0]["committed_offset"]) == (0, 5), "not the offset of before"
    assert done["attempts"] > 2, "the transaction was open at the first two looks"


def test_the_marker_of_a_transaction_is_a_lag_for_ever(kafka: Kafka, wait: Wait, name: str) -> None:
    """Edge 18: last record 4, its commit 5, end of the log 6."""
    topic = kafka.topic(partitions=1)
    producer = transactional(kafka, name)
    for number in range(3):
        producer.begin_transaction()
        producer.produce(topic, str(number).encode(), partition=0)
        producer.commit_transaction(HANG)
    settings = {**SLOW, "isolation.level": "read_committed", "enable.partition.eof": "true"}
    reader = kafka.join(name, topic, protocol="consumer", **settings)
    last = None
    while (record := reader.poll(HANG)) is not None and not record.error():
        last = record
    assert last is not None
    assert (last.offset(), reader.position(reader.assignment())[0].offset) == (4, 6)
    reader.commit(message=last, asynchronous=False)
    for read_committed in (False, True):
        result, said = seen_at_timeout(wait, read_committed=read_committed)
        assert (result["total_lag"], f"a lag of 1 records (wanted: at most 0; most in {topic}-0: 1)" in said) == (
            1,
            True,
        )
        assert seen_at_timeout(wait, until="barrier", read_committed=read_committed)[0]["remaining"] == 1
        assert wait(max_partition_lag=1, read_committed=read_committed)["satisfied"] is True
        assert wait(until="barrier", max_partition_lag=1, read_committed=read_committed)["satisfied"] is True
        assert wait(until="stable", polls=3, read_committed=read_committed)["satisfied"] is True
    reader.commit(offsets=reader.position(reader.assignment()), asynchronous=False)
    assert wait()["total_lag"] == 0, "who commits his position has no such lag"


def compact(kafka: Kafka, topic: str) -> None:
    """Have the log cleaned as soon and as thoroughly as Kafka does it."""
    settings = {
        "cleanup.policy": "compact",
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.001",
        "max.compaction.lag.ms": "100",
    }
    entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in settings.items()]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    for future in kafka.admin.incremental_alter_configs([resource]).values():
        future.result(HANG)


def offsets_left(kafka: Kafka, topic: str) -> list[int]:
    """Offsets of the records that can still be read."""
    reader = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka.servers, "group.id": "none", "enable.partition.eof": "true"}
    )
    reader.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
    found: list[int] = []
    while (record := reader.poll(HANG)) is not None and not record.error():
        found.append(t.cast(int, record.offset()))
    reader.close()
    return found


def test_gaps_of_a_compacted_topic(kafka: Kafka, wait: Wait, name: str) -> None:
    """Edge 19: offsets are compared, records are not counted."""
    topic = kafka.topic(partitions=1)
    compact(kafka, topic)
    commit(kafka, name, topic, 0)
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers})

    def write(key: bytes, count: int) -> None:
        for _number in range(count):
            producer.produce(topic, b"v", key=key, partition=0)
        assert producer.flush(HANG) == 0

    write(b"same", 500)

    def left_after_one_more() -> list[int]:
        write(b"tick", 1)  # a segment is closed by the record after it
        return offsets_left(kafka, topic)

    left = until("the log is compacted", left_after_one_more, lambda found: len(found) < 100, every=1.0)
    end = left[-1] + 1
    before = wait(check=True, until="barrier")
    assert (before["total_lag"], before["remaining"], before["barrier"][0]["offset"]) == (end, end, end)
    consumer = kafka.join(name, topic, protocol="consumer", **SLOW)
    with Consuming(consumer, 1000, per_second=10):
        assert wait(until="barrier")["satisfied"] is True
        assert wait()["total_lag"] == 0
    assert kafka.witness(name) == {(topic, 0): end}


def test_the_module_waits_and_looks_once_in_check_mode(ansible: Ansible, kafka: Kafka, name: str) -> None:
    topic = kafka.topic(partitions=2, records=10)
    commit(kafka, name, topic, 0, 4)
    looked = ansible("kafka_lag_wait", check=True, group_id=name, until="barrier", timeout=60)
    assert (looked["failed"], looked["satisfied"], looked["attempts"], looked["remaining"]) == (False, False, 1, 16)
    late = ansible("kafka_lag_wait", group_id=name, max_lag=3, timeout=5, sleep=0.5, progress=2)
    assert (late["failed"], late["changed"], late["total_lag"], late["remaining"]) == (True, False, 16, 13)
    assert late["msg"].endswith("after 5 s")
    assert late["elapsed"] > 4
    assert len(late["history"]) == late["attempts"] > 2, "one history, though it was three processes"
    assert not {"resume", "line"} & set(late)
    commit(kafka, name, topic, 10, 10)
    reached = ansible("kafka_lag_wait", group_id=name, until="barrier", barrier=looked["barrier"], progress=0)
    assert (reached["satisfied"], reached["attempts"], reached["barrier"]) == (True, 1, looked["barrier"])
    wrong = ansible("kafka_lag_wait", group_id=name, until="stable", max_lag=-1, sleep=0)
    assert (wrong["failed"], len(wrong["faults"])) == (True, 2)


PLAY = """
- hosts: all
  gather_facts: false
  module_defaults:
    group/streamops.bluegreen.kafka:
      bootstrap_servers: "{{ servers }}"
  tasks:
    - name: Lines
      streamops.bluegreen.kafka_lag_wait: {group_id: "{{ group }}", timeout: BOUND, sleep: 0.5, progress: 3}
      register: whole
    - name: In the background
      streamops.bluegreen.kafka_lag_wait: {group_id: "{{ group }}", until: stable, polls: 2, sleep: 0.5}
      async: BOUND
      poll: 1
      register: background
    - name: Nothing to tell
      streamops.bluegreen.kafka_lag_wait: {group_id: "{{ group }}", until: empty, sleep: 0.2}
    - name: Same results
      ansible.builtin.assert:
        that:
          - whole.satisfied and background.satisfied
          - whole.history | length == whole.attempts
          - whole.history | map(attribute='elapsed') | list == whole.history | map(attribute='elapsed') | sort
          - whole.rate > 0
          - whole.history[-1].processed == 30
"""


def test_lines_appear_while_it_waits(bed: dict[str, str], kafka: Kafka, name: str, tmp_path: t.Any) -> None:
    """With the default callback and no terminal, as in AWX and CI: each line is there when it is written."""
    topic = kafka.topic(partitions=1, records=30)
    commit(kafka, name, topic, 0)
    (tmp_path / "play.yml").write_text(PLAY.replace("BOUND", str(HANG)), encoding="utf-8")
    (tmp_path / "hosts.yml").write_text(
        yaml.safe_dump(
            {
                "all": {
                    "hosts": {"orders": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}},
                    "vars": {"servers": kafka.servers.split(","), "group": name},
                }
            }
        ),
        encoding="utf-8",
    )
    environment = {key: value for key, value in bed.items() if not key.startswith("KAFKA_")}
    environment |= {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "1",
    }
    # The group goes on when a line was read: one that came only at the end would never come.
    offsets = iter((10, 20, 30))
    arrived: list[str] = []
    told: list[str] = []
    with subprocess.Popen(
        ["ansible-playbook", "--inventory", str(tmp_path / "hosts.yml"), str(tmp_path / "play.yml")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            arrived.append(line.rstrip())
            if f"orders: group {name}: lag" in line:
                told.append(line)
                commit(kafka, name, topic, next(offsets, 30))
    text = "\n".join(arrived)
    assert running.returncode == 0, text
    assert "lag 30 records, 0/s processed, waited" in told[0], text
    assert any("about" in line and "s left, waited" in line for line in told[1:]), text
    assert "members left" not in text, "what is over at once has nothing to tell"
