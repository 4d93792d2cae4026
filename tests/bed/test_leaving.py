# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example consumer leaves its group at any moment, also in the middle of joining it."""

from __future__ import annotations

import time

import pytest

from bgconsumer.commands import Command
from bgconsumer.confluent_client import ConfluentMember
from bgconsumer.contract import Contract
from bgconsumer.model import ActiveRecord
from bgconsumer.worker import Worker
from tests.bed.conftest import Kafka
from tests.consumers.fakes import FakeLedger

pytestmark = pytest.mark.bed


@pytest.mark.parametrize("seconds", [2.0, 8.0])
def test_a_pod_told_to_stand_by_cold_leaves_its_group(kafka: Kafka, name: str, seconds: float) -> None:
    """After 2 s the first member is still waiting to be let in, after 8 s it has its partitions."""
    topic = kafka.topic(partitions=2)
    settings = {"bootstrap.servers": kafka.servers, "group.id": name, "enable.auto.commit": False}
    member = ConfluentMember({**settings, "auto.offset.reset": "earliest"}, [topic])
    contract = Contract("green", True, 600.0)
    worker = Worker(contract, member, FakeLedger(colour="green"))
    contract.observe_record(ActiveRecord("blue", 7, "switching"), time.monotonic())
    try:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            worker.step()
        assert contract.snapshot().view.member_state == ("rebalancing" if seconds < 3 else "stable")
        contract.submit(Command("prepare", 7, standby="cold"))
        until = time.monotonic() + 20
        while (state := kafka.admin.describe_consumer_groups([name])[name].result(30).state.name) != "EMPTY":
            assert time.monotonic() < until, f"the group is {state}"
            worker.step()
        until = time.monotonic() + 6  # it stays so
        while time.monotonic() < until:
            worker.step()
        assert not kafka.admin.describe_consumer_groups([name])[name].result(30).members
    finally:
        member.close()
