# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example consumer leaves its group at any moment, also in the middle of joining it."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import KafkaException

from bgconsumer.commands import Command
from bgconsumer.confluent_client import ConfluentMember
from bgconsumer.contract import Contract
from bgconsumer.model import ActiveRecord
from bgconsumer.worker import Worker
from tests.bed.conftest import Kafka
from tests.consumers.fakes import FakeLedger
from tests.unit.waiting import stays, until

pytestmark = pytest.mark.bed


@pytest.mark.parametrize(
    ("member_state", "group_state"), [("rebalancing", "PREPARING_REBALANCING"), ("stable", "STABLE")]
)
def test_a_pod_told_to_stand_by_cold_leaves_its_group(
    kafka: Kafka, name: str, member_state: str, group_state: str
) -> None:
    """While the first member waits for three seconds to be let in, and when it has its partitions."""
    topic = kafka.topic(partitions=2)
    settings = {"bootstrap.servers": kafka.servers, "group.id": name, "enable.auto.commit": False}
    member = ConfluentMember({**settings, "auto.offset.reset": "earliest"}, [topic])
    contract = Contract("green", True, 600.0)
    worker = Worker(contract, member, FakeLedger(colour="green"))
    contract.observe_record(ActiveRecord("blue", 7, "switching"), time.monotonic())

    def stepped() -> tuple[str, str]:
        """One step; what the member and the brokers say then."""
        worker.step()
        try:
            state = kafka.described(name).state.name
        except KafkaException as error:  # nobody knows the group before its first member
            state = str(error)
        return contract.snapshot().view.member_state, state

    try:
        wanted = (member_state, group_state)
        until(f"member and group are {wanted}", stepped, lambda seen: seen == wanted, every=0.0)
        contract.submit(Command("prepare", 7, standby="cold"))
        until("the group is empty", stepped, lambda seen: seen[1] == "EMPTY", every=0.0)
        stays("the group is empty", stepped, lambda seen: seen[1] == "EMPTY", looks=60, every=0.1)
        assert not kafka.described(name).members
    finally:
        member.close()
