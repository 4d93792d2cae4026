# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""consumer_pause against a real Spring Cloud Stream application in real pods, reached through the API server's proxy.

It also shows the weakness that the module warns of: records go on being processed after the binding says ``paused``.
"""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

import confluent_kafka
import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import NotReadyError
from testbed.kafka import JAVA
from tests.bed.conftest import ROOT, Ansible, Kafka, Kubectl
from tests.bed.pausing import java_deployment, maven, pause
from tests.unit.waiting import HANG, finished, until

pytestmark = [pytest.mark.bed, pytest.mark.long]

SOURCES = ROOT / "tests/bed/spring"
COMPILER = "org.eclipse.jdt:ecj:3.40.0"
"""Runs on the Java that the bed has, which comes without a compiler."""
START = """
exec "$JAVA" -Xmx160m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '/program:/jars/*' orders.App \
  --management.endpoints.web.exposure.include=bindings --spring.cloud.function.definition=orders \
  --spring.cloud.stream.kafka.binder.brokers="$SERVERS" --spring.cloud.stream.kafka.binder.auto-create-topics=false \
  --spring.cloud.stream.bindings.orders-in-0.destination="$TOPIC" --spring.cloud.stream.bindings.orders-in-0.group="$GROUP"
"""


@pytest.fixture
def spring(kafka: Kafka, kubectl: Kubectl, name: str, tmp_path: Path) -> t.Iterator[str]:
    """Two pods on two partitions; the topic."""
    library, program = tmp_path / "lib", tmp_path / "app"
    maven("dependency:copy-dependencies", f"-DoutputDirectory={library}", "-DincludeScope=runtime", directory=SOURCES)
    maven("dependency:copy", f"-Dartifact={COMPILER}", f"-DoutputDirectory={tmp_path}", directory=tmp_path)
    compiler = next(tmp_path.glob("ecj-*.jar"))
    command = [
        JAVA,
        "-jar",
        compiler,
        "-17",
        "-proc:none",
        "-cp",
        ":".join(map(str, library.glob("*.jar"))),
        "-d",
        program,
    ]
    finished([*command, SOURCES / "App.java"], check=True)
    topic = kafka.topic("events", partitions=2)
    env = {"JAVA": JAVA, "SERVERS": kafka.servers, "TOPIC": topic, "GROUP": name}
    folders = {"/program": str(program), "/jars": str(library)}
    probe = {"path": "/actuator/bindings", "port": 8080}
    kubectl("apply", "--filename=-", manifest=[java_deployment("orders", 2, START, folders, env, probe)])
    kubectl("rollout", "status", "deployment/orders", f"--timeout={HANG}s")
    yield topic
    kubectl("delete", "deployment/orders", "--cascade=foreground", f"--timeout={HANG}s")


def produce(kafka: Kafka, topic: str, records: int) -> None:
    """So many records in each partition."""
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers})
    for partition in range(2):
        for number in range(records):
            producer.produce(topic, str(number).encode(), partition=partition)
    assert producer.flush(HANG) == 0


def test_pause_stop_and_run(
    bed: dict[str, str], ansible: Ansible, kafka: Kafka, kubectl: Kubectl, name: str, spring: str
) -> None:
    given: dict[str, t.Any] = {"dialect": "spring_cloud_stream", "targets": ["orders-in-0"]}

    def go(state: str, **options: t.Any) -> dict[str, t.Any]:
        # A stop is answered when the batch is done.
        return pause(bed, kubectl.namespace, "orders", **{"state": state, "request_timeout": 60.0, **given, **options})

    def committed() -> dict[int, int]:
        asked = [confluent_kafka.ConsumerGroupTopicPartitions(name)]
        rows = kafka.admin.list_consumer_group_offsets(asked)[name].result(HANG).topic_partitions
        return {row.partition: row.offset for row in rows}

    def members() -> int:
        return len(kafka.described(name).members)

    assert go("running")["changed"] is False
    produce(kafka, spring, 1)
    ansible("kafka_lag_wait", group_id=name, timeout=HANG)
    produce(kafka, spring, 100)
    time.sleep(3.0)  # nothing tells when they are in work, which takes ten seconds

    predicted = go("paused", check=True)
    paused = go("paused")
    assert (paused["changed"], paused["diff"], paused["proof"]) == (True, predicted["diff"], "reported")
    assert paused["pods"][0]["evidence"]["orders-in-0"][0]["state"] == "paused"
    assert "records that were polled before are still being processed" in paused["warnings"][0]
    before = committed()
    # Paused is what was asked for, not what is. Each pod commits once more, when it has done what it had polled.
    until("both have gone on", committed, lambda seen: all(seen[number] > before[number] for number in range(2)))
    after = kafka.witness(name)
    assert (go("paused")["changed"], members()) == (False, 2)
    produce(kafka, spring, 5)
    time.sleep(1.0)
    assert kafka.witness(name) == after, "and then it is quiet"

    stopped = go("stopped")
    assert (stopped["changed"], {pod["state"] for pod in stopped["pods"]}, members()) == (True, {"stopped"}, 0)
    time.sleep(2.0)
    assert (go("stopped")["changed"], kafka.witness(name)) == (False, after), "RESUMED did not let it process"

    assert go("running")["changed"] is True
    ansible("kafka_lag_wait", group_id=name, timeout=HANG)
    assert set(kafka.witness(name).values()) == {106}
    assert go("running")["changed"] is False

    produce(kafka, spring, 20)
    time.sleep(0.5)
    assert go("stopped")["changed"] is True
    assert members() == 0
    with pytest.raises(NotReadyError, match=r"shows none of the states .*: \[\]"):
        go("paused", targets=["nope"], timeout=10.0)
