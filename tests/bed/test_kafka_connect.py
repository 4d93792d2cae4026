# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""consumer_pause against real Kafka Connect workers in real pods, reached through the API server's proxy.

The pods borrow Java and Kafka's jars from the node; the connector is Kafka's own FileStreamSink.
"""

from __future__ import annotations

import json
import time
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import confluent_kafka
import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ConflictError, NotReadyError
from testbed.kafka import JAVA
from testbed.settings import KAFKA_VERSION
from tests.bed.conftest import Ansible, Kafka, Kubectl
from tests.bed.pausing import java_deployment, maven, pause
from tests.unit.waiting import HANG, until

pytestmark = [pytest.mark.bed, pytest.mark.long]

START = """
printf '%s' "$SETTINGS" >/tmp/worker.properties
echo "rest.advertised.host.name=$ADDRESS" >>/tmp/worker.properties
exec "$JAVA" -Xmx160m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '/kafka/*:/plugins/*' \
  org.apache.kafka.connect.cli.ConnectDistributed /tmp/worker.properties
"""


def worker(name: str, servers: str) -> str:
    """Settings of the workers."""
    text = "org.apache.kafka.connect.storage.StringConverter"
    settings = {
        "bootstrap.servers": servers,
        "group.id": name,
        "key.converter": text,
        "value.converter": text,
        "listeners": "http://0.0.0.0:8083",
        "offset.flush.interval.ms": "1000",
        "consumer.auto.offset.reset": "earliest",
        "plugin.discovery": "service_load",
    }
    for kind in ("config", "offset", "status"):
        settings[f"{kind}.storage.topic"] = f"{name}-{kind}"
        settings[f"{kind}.storage.replication.factor"] = "3"
    settings |= {"offset.storage.partitions": "1", "status.storage.partitions": "1"}
    return "".join(f"{key}={value}\n" for key, value in settings.items())


@pytest.fixture
def connect(bed: dict[str, str], kafka: Kafka, kubectl: Kubectl, name: str, tmp_path: Path) -> t.Iterator[str]:
    """Two workers that run a sink with two tasks; its topic."""
    artifact = f"-Dartifact=org.apache.kafka:connect-file:{KAFKA_VERSION}"
    maven("dependency:copy", artifact, f"-DoutputDirectory={tmp_path}", directory=tmp_path)
    topic = kafka.topic("events", partitions=2, records=10)
    kafka._topics += [f"{name}-{kind}" for kind in ("config", "offset", "status")]
    jars = str(Path(bed["KAFKA_TOOLS_CLASSPATH"].split(":")[0]).parent)
    folders = {"/kafka": jars, "/plugins": str(tmp_path)}
    env = {"SETTINGS": worker(name, kafka.servers), "JAVA": JAVA}
    probe = {"path": "/connectors", "port": 8083}
    kubectl("apply", "--filename=-", manifest=[java_deployment("connect", 2, START, folders, env, probe)])
    kubectl("rollout", "status", "deployment/connect", f"--timeout={HANG}s")
    address = kubectl.json("get", "pods", "--selector=app=connect")["items"][0]["status"]["podIP"]
    config = {"connector.class": "FileStreamSink", "tasks.max": "2", "topics": topic, "file": "/tmp/sink"}
    created(f"http://{address}:8083/connectors/{name}/config", config)
    yield topic
    kubectl("delete", "deployment/connect", "--cascade=foreground", f"--timeout={HANG}s")
    for future in kafka.admin.delete_consumer_groups([f"connect-{name}"]).values():
        future.exception(HANG)


def created(url: str, config: dict[str, str]) -> None:
    """Workers answer 409 while they rebalance."""

    def refusal() -> bytes:
        request = urllib.request.Request(
            url, json.dumps(config).encode(), {"Content-Type": "application/json"}, method="PUT"
        )
        try:
            with urllib.request.urlopen(request, timeout=HANG):
                return b""
        except urllib.error.HTTPError as error:
            with error:
                return error.read() or b"no reason given"

    until("the connector is created", refusal, lambda said: not said, every=1.0)


def produce(kafka: Kafka, topic: str) -> None:
    """One more record in each partition."""
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers})
    for partition in range(2):
        producer.produce(topic, b"late", partition=partition)
    assert producer.flush(HANG) == 0


def test_pause_stop_set_offsets_and_resume(
    bed: dict[str, str], ansible: Ansible, kafka: Kafka, kubectl: Kubectl, name: str, connect: str
) -> None:
    group = f"connect-{name}"

    def go(state: str, **options: t.Any) -> dict[str, t.Any]:
        given: dict[str, t.Any] = {
            "dialect": "kafka_connect",
            "targets": [name],
            "timeout": float(HANG),
            "state": state,
        }
        return pause(bed, kubectl.namespace, "connect", **{**given, **options})

    def state() -> str:
        return str(kafka.described(group).state.name)

    go("running")
    ansible("kafka_lag_wait", group_id=group, timeout=HANG)

    predicted = go("paused", check=True)
    paused = go("paused")
    assert (predicted["changed"], paused["changed"], paused["diff"]) == (True, True, predicted["diff"])
    assert [pod["commanded"] for pod in paused["pods"]].count(True) == 1
    workers = set()
    for pod in paused["pods"]:
        evidence = pod["evidence"][name]
        assert (evidence["connector"], [task["state"] for task in evidence["tasks"]]) == ("PAUSED", ["PAUSED"] * 2)
        workers |= {task["worker"] for task in evidence["tasks"]}
    assert len(workers) == 2, "a task on each worker"
    assert go("paused")["changed"] is False
    produce(kafka, connect)
    time.sleep(2.0)
    assert set(kafka.witness(group).values()) == {10}
    assert state() == "STABLE", "paused tasks keep their partitions"

    stopped = go("stopped")
    assert stopped["changed"] is True
    assert [pod["evidence"][name] for pod in stopped["pods"]] == [{"connector": "STOPPED", "tasks": []}] * 2
    until("the tasks have left the group", state, lambda seen: seen == "EMPTY")
    offsets = [{"topic": connect, "partition": number, "offset": 5} for number in range(2)]
    assert ansible("kafka_group_offsets", group_id=group, offsets=offsets)["changed"] is True

    assert go("running")["changed"] is True
    ansible("kafka_lag_wait", group_id=group, timeout=HANG)
    assert set(kafka.witness(group).values()) == {11}
    with pytest.raises((NotReadyError, ConflictError), match=r"answered 404: .*nope"):
        go("paused", targets=["nope"], timeout=10.0)
