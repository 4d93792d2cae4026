"""A Kafka in memory and a consumer thread that never sleeps."""

import pytest

from bgconsumer import worker as worker_module
from bgconsumer.model import State
from tests.consumers.fakes import GroupBroker
from tests.consumers.worker_pod import Pod


@pytest.fixture
def no_waiting(monkeypatch):
    monkeypatch.setattr(worker_module, "POLL_SECONDS", 0)
    monkeypatch.setattr(worker_module, "PARKED_SECONDS", 0)
    monkeypatch.setattr(worker_module, "BATCH_SECONDS", 0)
    monkeypatch.setattr(worker_module, "RETRY_SECONDS", 0)


@pytest.fixture
def kafka():
    kafka = GroupBroker(partitions=2)
    kafka.produce(0, 10)
    kafka.produce(1, 10)
    return kafka


@pytest.fixture
def active(kafka):
    pod = Pod(kafka)
    pod.record("blue", 6)
    pod.steps()
    assert pod.now.state is State.ACTIVE
    return pod
