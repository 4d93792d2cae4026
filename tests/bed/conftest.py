# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test bed as seen by these tests. Everything they make has a name of its own and is removed again."""

from __future__ import annotations

import gc
import json
import os
import re
import sys
import typing as t
import uuid
import warnings
from pathlib import Path

import confluent_kafka
import pytest
import yaml
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConsumerGroupDescription, NewTopic

import testbed
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.adapter import KubernetesAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.api_server import ApiServer
from demo.audits import JAVA, WITNESS
from testbed import metadata
from tests.unit.waiting import HANG, finished, until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def bed() -> dict[str, str]:
    """Environment of the test bed, for programs that are started."""
    return {**os.environ, **testbed.env()}


def forget_sockets_of_clients_that_gave_up() -> None:
    """kafka-python does not close its sockets when a connection cannot be made; that is not what is tested here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _round in range(5):  # as often as pytest itself does at its end, where one would fail the whole run
            gc.collect()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where a thread kept such a socket beyond the end of its test, the collector meets it in any other one."""
    sockets = r"ignore:Exception ignored in. <(ssl\.SSLSocket|socket\.socket):pytest.PytestUnraisableExceptionWarning"
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings(sockets))


@pytest.fixture(scope="module", autouse=True)
def _sockets() -> t.Iterator[None]:
    yield
    forget_sockets_of_clients_that_gave_up()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Some are still held when the last module ends."""
    forget_sockets_of_clients_that_gave_up()


@pytest.fixture
def name() -> str:
    """A name nobody else uses."""
    return f"bed-{uuid.uuid4().hex[:8]}"


COORDINATOR_MOVES = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)


def described(servers: str, group: str) -> ConsumerGroupDescription:
    """A group as its coordinator has it, once it has one. Raises KafkaException.

    A client of librdkafka does not ask again, and believes in the coordinator that it once found for as long as it is asked: each
    look has a client of its own.
    """

    def look() -> ConsumerGroupDescription | str:
        admin = AdminClient({"bootstrap.servers": servers})
        try:
            found: ConsumerGroupDescription = admin.describe_consumer_groups([group])[group].result(HANG)
        except KafkaException as error:
            if error.args[0].code() in COORDINATOR_MOVES:
                return str(error)
            raise
        return found

    seen = until(f"the coordinator of {group}", look, lambda found: not isinstance(found, str))
    assert not isinstance(seen, str)
    return seen


class Kafka:
    """Kafka as tests use it: topics, members, and Kafka's own tool as witness."""

    def __init__(self, bed: t.Mapping[str, str], name: str) -> None:
        self.bed = bed
        self.servers = bed["KAFKA_BOOTSTRAP_SERVERS"]
        self.admin = AdminClient({"bootstrap.servers": self.servers})
        self.name = name
        self._topics: list[str] = []
        self._members: list[confluent_kafka.Consumer] = []

    def topic(self, suffix: str = "t", partitions: int = 3, records: int = 0) -> str:
        """A new topic; records per partition."""
        topic = f"{self.name}-{suffix}"
        self.admin.create_topics([NewTopic(topic, partitions, 3)])[topic].result(HANG)
        self._topics.append(topic)
        self.wait_known(topic, partitions)
        producer = confluent_kafka.Producer({"bootstrap.servers": self.servers})
        for partition in range(partitions):
            for number in range(records):
                producer.produce(topic, str(number).encode(), partition=partition)
        if producer.flush(HANG):
            pytest.fail(f"the records of {topic} could not be written")
        return topic

    def wait_known(self, topic: str, partitions: int) -> None:
        """Wait until every broker has heard of a new topic, as it may be any of them that is asked next."""
        known = self.known(topic)
        until(f"every broker knows {partitions} of {topic}", known, lambda seen: min(seen.values()) >= partitions)

    def wait_forgotten(self, topic: str) -> None:
        """Wait until no broker knows a topic that was deleted."""
        until(f"every broker forgot {topic}", self.known(topic), lambda seen: not any(seen.values()))

    def known(self, topic: str) -> t.Callable[[], dict[str, int]]:
        """What looks how many partitions of a topic each broker knows."""

        def look() -> dict[str, int]:
            addresses = [server.rsplit(":", 1) for server in self.servers.split(",")]
            return {host: metadata.partitions_known_to(host, int(port), topic) for host, port in addresses}

        return look

    def described(self, group: str) -> ConsumerGroupDescription:
        """A group as its coordinator has it."""
        return described(self.servers, group)

    def commit(self, group: str, rows: list[confluent_kafka.TopicPartition]) -> None:
        """Commit from outside of the group."""
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.servers, "group.id": group})
        consumer.commit(offsets=rows, asynchronous=False)
        consumer.close()

    def join(self, group: str, topic: str, protocol: str = "classic", **settings: t.Any) -> confluent_kafka.Consumer:
        """A member of the group that owns every partition."""
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self.servers, "group.id": group, "group.protocol": protocol, **settings}
        )
        self._members.append(consumer)
        consumer.subscribe([topic])

        def owned() -> list[confluent_kafka.TopicPartition]:
            consumer.poll(0.1)
            return consumer.assignment()

        until(f"a member of {group} has partitions", owned, every=0.0)
        return consumer

    def witness(self, group: str) -> dict[tuple[str, int], int | None]:
        """Committed offsets by (topic, partition), as Kafka's own tool shows them."""
        command = [*JAVA, "-cp", self.bed["KAFKA_TOOLS_CLASSPATH"], WITNESS, "--bootstrap-server", self.servers]
        shown = finished([*command, "--describe", "--offsets", "--group", group], capture_output=True, text=True)
        rows = re.findall(rf"^{re.escape(group)}\s+(\S+)\s+(\d+)\s+(\S+)\s+", shown.stdout, re.MULTILINE)
        return {(topic, int(number)): None if offset == "-" else int(offset) for topic, number, offset in rows}

    def clean_up(self) -> None:
        """Remove members, groups and topics."""
        for consumer in self._members:
            consumer.close()
        groups = [
            g.group_id for g in self.admin.list_consumer_groups().result(HANG).valid if g.group_id.startswith(self.name)
        ]
        if groups:
            for future in self.admin.delete_consumer_groups(groups).values():
                future.exception(HANG)
        if self._topics:
            for future in self.admin.delete_topics(self._topics).values():
                future.result(HANG)


@pytest.fixture
def kafka(bed: dict[str, str], name: str) -> t.Iterator[Kafka]:
    """See Kafka."""
    made = Kafka(bed, name)
    yield made
    made.clean_up()


@pytest.fixture
def adapter(bed: dict[str, str]) -> t.Iterator[KafkaAdapter]:
    """The adapter under test."""
    made = KafkaAdapter({"bootstrap_servers": bed["KAFKA_BOOTSTRAP_SERVERS"].split(",")})
    yield made
    made.close()


class Kubectl:
    """kubectl in one namespace."""

    def __init__(self, bed: t.Mapping[str, str], namespace: str) -> None:
        self._bed = bed
        self.namespace = namespace

    def __call__(self, *arguments: str, manifest: t.Any = None) -> str:
        """Run it; manifest: objects for standard input."""
        ended = finished(
            ["kubectl", "--namespace", self.namespace, *arguments],
            env=dict(self._bed),
            input=None if manifest is None else yaml.safe_dump_all(manifest),
            capture_output=True,
            text=True,
        )
        if ended.returncode:
            pytest.fail(f"kubectl {' '.join(arguments)}: {ended.stdout}{ended.stderr}")
        return ended.stdout

    def json(self, *arguments: str) -> t.Any:
        """Its answer as data."""
        return json.loads(self(*arguments, "--output", "json"))


@pytest.fixture
def kubectl(bed: dict[str, str], name: str) -> t.Iterator[Kubectl]:
    """In a namespace of its own."""
    made = Kubectl(bed, name)
    made("create", "namespace", name)
    yield made
    made("delete", "namespace", name, "--wait=false")


@pytest.fixture
def cluster(bed: dict[str, str], kubectl: Kubectl) -> KubernetesAdapter:
    """The adapter under test."""
    return KubernetesAdapter(ApiServer({"kubeconfig": bed["KUBECONFIG"]}), kubectl.namespace)


class Ansible(t.Protocol):
    """Runs a module with the real ansible."""

    def __call__(self, module: str, *, check: bool = False, diff: bool = True, **options: t.Any) -> dict[str, t.Any]:
        """Its result; ``failed`` is set when it failed, ``diff_text`` what was printed before the result."""


@pytest.fixture
def ansible(bed: dict[str, str]) -> Ansible:
    """See Ansible."""

    def call(module: str, *, check: bool = False, diff: bool = True, **options: t.Any) -> dict[str, t.Any]:
        command = ["ansible", "localhost", "--connection", "local", "--module-name", f"streamops.bluegreen.{module}"]
        command += ["--args", json.dumps(options), *(["--check"] if check else []), *(["--diff"] if diff else [])]
        environment = {
            **bed,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "LC_ALL": "C.UTF-8",
        }
        ended = finished(command, env=environment, capture_output=True, text=True)
        before, arrow, answer = ended.stdout.partition("=> {")
        if not arrow:
            pytest.fail(f"{module} gave no result: {ended.stdout}{ended.stderr}")
        result = t.cast("dict[str, t.Any]", json.loads("{" + answer))
        return {"failed": ended.returncode != 0, **result, "diff_text": before.rpartition("localhost |")[0]}

    return call
