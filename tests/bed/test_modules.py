# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules with the real ansible against the real services: check, real, repeat, check, with independent witnesses."""

from __future__ import annotations

import sys
import threading
import typing as t

import confluent_kafka
import pytest
import yaml

from tests.bed.conftest import ROOT, Ansible, Kafka, Kubectl
from tests.unit.waiting import HANG, finished, joined, until

pytestmark = pytest.mark.bed

IMAGE = "order-consumer:dev"
BLUE = "order-consumer-blue"


def seed(kafka: Kafka, group: str, topic: str) -> None:
    """Commit offsets 1 and 2 of the first two partitions with leader epoch and metadata, as an application does."""
    kafka.commit(group, [confluent_kafka.TopicPartition(topic, number, number + 1, "mine", 0) for number in range(2)])


def test_kafka_group_offsets(ansible: Ansible, kafka: Kafka, name: str) -> None:
    topic = kafka.topic(records=10)
    seed(kafka, f"{name}-blue", topic)
    copy = {"group_id": f"{name}-green", "from_group": f"{name}-blue", "allow_create": True}
    wanted = {(topic, 0): 1, (topic, 1): 2, (topic, 2): 0}

    predicted = ansible("kafka_group_offsets", check=True, **copy)
    assert (predicted["failed"], predicted["changed"]) == (False, True)
    assert f"{topic}-2" in predicted["diff_text"]
    assert kafka.witness(f"{name}-green") == {}

    done = ansible("kafka_group_offsets", **copy)
    assert (done["failed"], done["changed"], done["diff_text"]) == (False, True, predicted["diff_text"])
    assert done["after"] == predicted["after"] == {topic: {"0": 1, "1": 2, "2": 0}}
    assert kafka.witness(f"{name}-green") == wanted

    for check in (False, True):
        again = ansible("kafka_group_offsets", check=check, **copy)
        assert (again["failed"], again["changed"]) == (False, False)
    assert kafka.witness(f"{name}-green") == wanted


def test_kafka_group_offsets_refuses_a_group_with_members(ansible: Ansible, kafka: Kafka, name: str) -> None:
    topic = kafka.topic(records=10)
    seed(kafka, f"{name}-blue", topic)
    kafka.join(f"{name}-green", topic, **{"client.id": "order-9", "enable.auto.commit": "false"})
    copy = {"group_id": f"{name}-green", "from_group": f"{name}-blue", "allow_create": True}
    refused = ansible("kafka_group_offsets", **copy)
    assert (refused["failed"], refused["changed"]) == (True, False)
    assert "order-9" in refused["msg"]
    warned = ansible("kafka_group_offsets", check=True, **copy)
    assert (warned["failed"], warned["changed"]) == (False, True)
    assert set(kafka.witness(f"{name}-green").values()) <= {None}


def test_kafka_group_offsets_checks_the_log(ansible: Ansible, kafka: Kafka, name: str) -> None:
    topic = kafka.topic(records=10)
    wanted = [{"topic": topic, "partition": 0, "offset": 11}, {"topic": topic, "partition": 1, "offset": 4}]
    refused = ansible("kafka_group_offsets", group_id=name, offsets=wanted, allow_create=True)
    assert "lies beyond the end of the log 10" in refused["msg"]
    assert kafka.witness(name) == {}
    moved = ansible("kafka_group_offsets", group_id=name, offsets=wanted, allow_create=True, out_of_range="earliest")
    assert moved["changed"] is True
    assert kafka.witness(name) == {(topic, 0): 0, (topic, 1): 4}


def test_info_and_wait(ansible: Ansible, kafka: Kafka, name: str) -> None:
    topic = kafka.topic(records=10)
    seed(kafka, name, topic)
    consumer = kafka.join(name, topic, protocol="consumer", **{"client.id": "c", "enable.auto.commit": "false"})

    seen = ansible("kafka_group_offsets_info", group_id=name)
    assert (seen["changed"], seen["type"], seen["empty"], seen["total_lag"]) == (False, "consumer", False, None)
    assert [(row["committed_offset"], row["log_end_offset"], row["lag"]) for row in seen["partitions"]] == [
        (1, 10, 9),
        (2, 10, 8),
        (None, 10, None),
    ]
    assert [member["client_id"] for member in seen["members"]] == ["c"]

    late = ansible("kafka_lag_wait", group_id=name, until="empty", timeout=5, sleep=0.2)
    assert (late["failed"], late["satisfied"], late["attempts"] > 1) == (True, False, True)
    assert "still has 1 members (c; state Stable)" in late["msg"]
    assert ansible("kafka_lag_wait", check=True, group_id=name, until="empty")["satisfied"] is False

    leaving = threading.Timer(3.0, consumer.close)
    leaving.start()
    assert ansible("kafka_lag_wait", group_id=name, until="empty", timeout=HANG, sleep=0.2)["satisfied"] is True
    joined(leaving)
    offsets = [{"topic": topic, "partition": number, "offset": 9} for number in range(3)]
    ansible("kafka_group_offsets", group_id=name, offsets=offsets)
    caught_up = ansible("kafka_lag_wait", group_id=name, max_lag=3)
    assert (caught_up["satisfied"], caught_up["total_lag"]) == (True, 3)


def test_kafka_modules_end_in_time_without_kafka(ansible: Ansible) -> None:
    result = ansible(
        "kafka_group_offsets_info", group_id="g", bootstrap_servers="10.199.0.250:9092", default_api_timeout_ms=2000
    )
    assert "no connection to Kafka at 10.199.0.250:9092 within 2 s" in result["msg"]


def test_bg_configmap_switch(ansible: Ansible, kubectl: Kubectl) -> None:
    app = {"name": "app", "namespace": kubectl.namespace}
    predicted = ansible("bg_configmap_switch", check=True, active="blue", **app)
    assert (predicted["changed"], predicted["created"]) == (True, True)
    assert kubectl("get", "configmaps", "--output=name").count("app-active-version") == 0
    done = ansible("bg_configmap_switch", active="blue", **app)
    assert (done["changed"], done["diff_text"]) == (True, predicted["diff_text"])
    assert kubectl.json("get", "configmap", "app-active-version")["data"]["active"] == "blue"
    kubectl("patch", "configmap", "app-active-version", '--patch={"data":{"owner":"team-a"}}')

    predicted = ansible("bg_configmap_switch", check=True, active="green", expected_epoch=1, **app)
    done = ansible("bg_configmap_switch", active="green", expected_epoch=1, **app)
    assert (done["changed"], done["epoch"], done["diff_text"]) == (True, 2, predicted["diff_text"])
    stored = kubectl.json("get", "configmap", "app-active-version")
    assert (stored["data"]["active"], stored["data"]["epoch"], stored["data"]["owner"]) == ("green", "2", "team-a")
    for check in (False, True):
        assert ansible("bg_configmap_switch", check=check, active="green", **app)["changed"] is False
    assert kubectl.json("get", "configmap", "app-active-version") == stored

    refused = ansible("bg_configmap_switch", active="blue", expected_epoch=1, **app)
    assert (refused["failed"], "epoch is 2, expected 1" in refused["msg"]) == (True, True)
    lost = ansible(
        "bg_configmap_switch", active="blue", host="https://10.199.0.250:443", api_key="x", api_server_timeout=2, **app
    )
    assert "https://10.199.0.250:443 within 2 s" in lost["msg"]
    assert kubectl.json("get", "configmap", "app-active-version") == stored


@pytest.fixture
def application(bed: dict[str, str], ansible: Ansible, kafka: Kafka, kubectl: Kubectl, name: str) -> t.Iterator[str]:
    """The example application, blue, with five pods, on a topic of its own with four partitions; the topic."""
    context = ROOT / "consumers/python"
    finished([sys.executable, "-m", "testbed", "image", str(context), IMAGE], check=True, cwd=ROOT)
    topic = kafka.topic("events", partitions=4, records=20)
    ledger = kafka.topic("ledger", partitions=1)
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": bed["KAFKA_BOOTSTRAP_SERVERS"],
        "KAFKA_CONSUMER_GROUP": f"{name}-blue",
        "KAFKA_TOPICS": topic,
        "KAFKA_LEDGER_TOPIC": ledger,
    }
    objects = [
        item
        for file in ("20-pod-rbac.yaml", "30-blue.yaml")
        for item in yaml.safe_load_all((ROOT / "examples/manifests" / file).read_text(encoding="utf-8"))
    ]
    for item in objects:
        item["metadata"]["namespace"] = kubectl.namespace
        for subject in item.get("subjects", []):
            subject["namespace"] = kubectl.namespace
    deployment = objects[-1]["spec"]
    deployment["replicas"] = 5
    for variable in deployment["template"]["spec"]["containers"][0]["env"]:
        if variable["name"] in settings:
            variable["value"] = settings[variable["name"]]
    ansible("bg_configmap_switch", name="order-consumer", namespace=kubectl.namespace, active="blue")
    kubectl("apply", "--filename=-", manifest=objects)
    kubectl("rollout", "status", f"deployment/{BLUE}", f"--timeout={HANG}s")
    yield topic
    # Its pods have to leave their group before that can be removed.
    kubectl("delete", f"deployment/{BLUE}", "--cascade=foreground", f"--timeout={HANG}s")


def ready_to_process(ansible: Ansible, pods: dict[str, t.Any], group: str) -> None:
    """Until the pods process and own all partitions."""

    def at_work(seen: dict[str, t.Any]) -> bool:
        return not seen["changed"] and sum(len(pod["partitions"]) for pod in seen["pods"]) == 4

    until(
        f"the pods of {group} process",
        lambda: ansible("consumer_pause", check=True, state="running", epoch=1, **pods),
        at_work,
        every=0.5,
    )


def test_consumer_pause(ansible: Ansible, kafka: Kafka, kubectl: Kubectl, name: str, application: str) -> None:
    topic, group = application, f"{name}-blue"
    pods = {"name": BLUE, "namespace": kubectl.namespace}
    ready_to_process(ansible, pods, group)
    ansible("kafka_lag_wait", group_id=group, timeout=HANG)

    record = {"name": "order-consumer", "namespace": kubectl.namespace}
    assert ansible("bg_configmap_switch", phase="switching", **record)["epoch"] == 2

    predicted = ansible("consumer_pause", check=True, state="paused", epoch=2, **pods)
    assert predicted["changed"] is True
    assert {pod["state"] for pod in predicted["pods"]} == {"ACTIVE"}, "check mode left them alone"

    done = ansible("consumer_pause", state="paused", epoch=2, **pods)
    assert (done["failed"], done["changed"], done["diff_text"]) == (False, True, predicted["diff_text"])
    positions = {(row["topic"], row["partition"]): row["position"] for pod in done["pods"] for row in pod["partitions"]}
    assert positions == dict.fromkeys(((topic, number) for number in range(4)), 20)
    assert kafka.witness(group) == positions
    spare = [pod for pod in done["pods"] if not pod["partitions"]]
    assert len(spare) == 1, "five pods, four partitions"
    assert [(pod["state"], pod["proof"], pod["in_flight"]) for pod in done["pods"]] == [("DRAINED", "drained", 0)] * 5

    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers})
    for number in range(4):
        producer.produce(topic, b"late", partition=number)
    assert producer.flush(HANG) == 0
    for check in (False, True):
        assert ansible("consumer_pause", check=check, state="paused", epoch=2, **pods)["changed"] is False
    assert kafka.witness(group) == positions, "nothing was processed while paused"

    stopped = ansible("consumer_pause", state="stopped", epoch=2, **pods)
    assert (stopped["failed"], stopped["changed"], stopped["proof"]) == (False, True, "drained")
    assert "DRAINED, not a member" in stopped["diff_text"]
    assert ansible("kafka_lag_wait", group_id=group, until="empty", timeout=HANG)["satisfied"] is True
    assert kafka.described(group).state.name == "EMPTY"
    assert ansible("consumer_pause", state="stopped", epoch=2, **pods)["changed"] is False
    assert kafka.witness(group) == positions

    stale = ansible("consumer_pause", state="running", epoch=1, **pods)
    assert (stale["failed"], "answered 409" in stale["msg"]) == (True, True)

    assert ansible("bg_configmap_switch", phase="stable", expected_epoch=2, **record)["epoch"] == 3
    running = ansible("consumer_pause", state="running", epoch=3, **pods)
    assert running.get("msg") is None
    assert running["failed"] is False, "whether the pods or the module read the record first is not said"
    ansible("kafka_lag_wait", group_id=group, timeout=HANG)
    assert set(kafka.witness(group).values()) == {21}

    # A pause by hand, at the epoch of the record, has a way back.
    for state, changed in (("paused", True), ("paused", False), ("running", True), ("running", False)):
        done = ansible("consumer_pause", state=state, epoch=3, **pods)
        assert (done.get("msg"), done["failed"], done["changed"]) == (None, False, changed), state

    kubectl("scale", f"deployment/{BLUE}", "--replicas=0")
    kubectl("wait", "--for=delete", "pods", f"--selector=app.kubernetes.io/instance={BLUE}", f"--timeout={HANG}s")
    assert ansible("consumer_pause", state="paused", epoch=4, **pods)["pods"] == []
    assert "scaled to 0" in ansible("consumer_pause", state="running", epoch=4, **pods)["msg"]
