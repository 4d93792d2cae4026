"""A real broker from the environment; topics and groups of their own for each test."""

from __future__ import annotations

import os
import uuid

import pytest
from confluent_kafka.admin import AdminClient

from tests.consumers.integration.harness import Application
from tests.unit.waiting import HANG


@pytest.fixture(scope="session")
def bootstrap():
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if not servers:
        pytest.fail('KAFKA_BOOTSTRAP_SERVERS is not set; run: eval "$(python -m testbed env)"')
    return servers


@pytest.fixture
def app(bootstrap, tmp_path):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    brokers = len(admin.list_topics(timeout=HANG).brokers)
    name = f"consumers-it-{uuid.uuid4().hex[:8]}"
    application = Application(bootstrap, name, tmp_path)
    application.create_topics(replicas=min(3, brokers))
    application.write_record("blue", 1, "stable")
    yield application
    application.stop()
    for future in admin.delete_topics([name, f"{name}-ledger"]).values():
        future.result(HANG)
