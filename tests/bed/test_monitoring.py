# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The monitoring of the bed, and the rulebook of the collection in a real ansible-rulebook: who gets in, and what starts a playbook."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import prometheus_client
import pytest
import yaml
from confluent_kafka import TopicPartition

import testbed
from demo.receiver import Monitoring, Receiver
from tests.bed.conftest import Kafka
from tests.unit.waiting import HANG, until

pytestmark = [pytest.mark.bed, pytest.mark.monitoring]

ROOT = Path(__file__).parents[2]
HOST = "order-consumer"


@pytest.fixture(scope="module")
def env() -> dict[str, str]:
    found = testbed.env()
    assert "PROMETHEUS_URL" in found, "run: python -m testbed up --with monitoring"
    return found


@pytest.fixture(scope="module")
def monitoring(env: dict[str, str]) -> Monitoring:
    return Monitoring(env)


def checked(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_amtool_accepts_the_receiver(env: dict[str, str]) -> None:
    assert "SUCCESS" in checked(env["TESTBED_AMTOOL"], "check-config", str(ROOT / "monitoring/alertmanager.yml"))


def routed(env: dict[str, str], *labels: str) -> list[str]:
    config = str(ROOT / "monitoring/alertmanager.yml")
    return (
        checked(env["TESTBED_AMTOOL"], "config", "routes", "test", f"--config.file={config}", *labels)
        .strip()
        .split(",")
    )


def test_only_what_asks_for_it_is_sent_to_the_rulebook(env: dict[str, str]) -> None:
    assert routed(env, "alertname=BGActiveColourFailing", "bg_action=rollback") == ["rollback", "people"]
    assert routed(env, "alertname=KafkaHighConsumerLag") == ["people"]
    assert routed(env, "alertname=x", "bg_action=page") == ["people"]


def test_what_is_published_is_found_with_its_own_labels(env: dict[str, str], monitoring: Monitoring, name: str) -> None:
    registry = prometheus_client.CollectorRegistry()
    gauge = prometheus_client.Gauge("bg_epoch", "Epoch", ["namespace", "app"], registry=registry)
    gauge.labels(name, HOST).set(7)
    with monitoring.published(HOST, name):
        prometheus_client.push_to_gateway(
            env["PUSHGATEWAY_URL"], "bluegreen", registry, grouping_key={"app": HOST, "namespace": name}
        )
        [found] = until(
            "Prometheus has it",
            lambda: monitoring.query(f'bg_epoch{{namespace="{name}"}}'),
            lambda seen: len(seen) == 1,
        )
        assert (found["metric"]["job"], found["metric"]["app"], found["value"][1]) == ("bluegreen", HOST, "7")


def test_the_stand_in_for_kafka_exporter(kafka: Kafka, monitoring: Monitoring, name: str) -> None:
    topic = kafka.topic(partitions=2, records=5)
    kafka.commit(name, [TopicPartition(topic, 0, 2)])
    lags = until(
        "both partitions have a lag",
        lambda: monitoring.query(f'kafka_consumergroup_lag{{consumergroup="{name}"}}'),
        lambda seen: len(seen) == 2,
    )
    assert {row["metric"]["partition"]: row["value"][1] for row in lags} == {"0": "3", "1": "-1"}


@pytest.fixture(scope="module")
def receiver(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Receiver]:
    """The rulebook, for an application that is nowhere: its playbook ends before it reads anything of a cluster."""
    out = tmp_path_factory.mktemp("rulebook")
    inventory = out / "inventory.yml"
    host = {"ansible_python_interpreter": sys.executable, "bg_namespace": "nowhere"}
    inventory.write_text(yaml.safe_dump({"bluegreen": {"hosts": {HOST: host}}}), encoding="utf-8")
    operator = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections")}
    with Receiver(env, operator, inventory, out / "rulebook.log") as started:
        yield started


def message(key: str, app: str = "other", status: str = "firing", action: str = "rollback") -> dict[str, t.Any]:
    alert = {"status": status, "labels": {"app": app, "bg_action": action}, "annotations": {"summary": "{{ 6 * 7 }}"}}
    return {"groupKey": key, "status": status, "alerts": [alert]}


def played(receiver: Receiver, number: int) -> int:
    return until(f"{number} playbooks have ended", receiver.played, lambda seen: seen >= number)


def test_nobody_without_the_token_starts_anything(receiver: Receiver) -> None:
    before = receiver.played()
    assert receiver.post(message("a"), token="wrong") == 401
    assert receiver.post(message("b")) == 200
    assert played(receiver, before + 1) == before + 1
    assert "not about order-consumer" in receiver.said()


def test_what_is_over_or_does_not_ask_starts_nothing(receiver: Receiver) -> None:
    before, heard = receiver.played(), len(receiver.received())
    assert receiver.post(message("c", status="resolved")) == 200
    assert receiver.post(message("d", action="page")) == 200
    assert receiver.post({"nonsense": True}) == 200
    assert receiver.post(message("e")) == 200
    until("all four were received", lambda: len(receiver.received()) - heard, lambda seen: seen == 4)
    assert played(receiver, before + 1) == before + 1


def test_two_equal_messages_start_one_playbook(receiver: Receiver) -> None:
    before, heard = receiver.played(), len(receiver.received())
    receiver.post(message("twice"))
    receiver.post(message("twice"))
    receiver.post(message("another"))
    until("all three were received", lambda: len(receiver.received()) - heard, lambda seen: seen == 3)
    assert played(receiver, before + 2) == before + 2
