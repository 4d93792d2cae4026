# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ACLs each operation needs: it works with these, and without any one of them it fails and says which.

The table in docs/kafka-security.md is this one.
"""

from __future__ import annotations

import typing as t

import confluent_kafka
import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import KafkaError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from tests.bed.access import PASSWORD, Access, Acl
from tests.bed.conftest import Kafka
from tests.unit.waiting import HANG, until

pytestmark = pytest.mark.bed

Operation = t.Callable[[KafkaAdapter, str, str], t.Any]


def offsets(topic: str) -> dict[TopicPartition, CommittedOffset]:
    return {TopicPartition(topic, number): CommittedOffset(1) for number in range(3)}


def told(refused: dict[TopicPartition, str], group: str) -> None:
    """A refused partition is an answer, so that callers can say which moved; here it is a failure like the others."""
    if refused:
        raise KafkaError(f"group {group}: {refused}")


def committed(adapter: KafkaAdapter, topic: str, group: str) -> None:
    told(adapter.commit(group, offsets(topic)), group)


def deleted(adapter: KafkaAdapter, topic: str, group: str) -> None:
    told(adapter.delete_offsets(group, list(offsets(topic))), group)


OPERATIONS: dict[str, tuple[Operation, tuple[tuple[str, str], ...]]] = {
    "describe topics": (lambda a, topic, group: a.topics([topic]), (("DESCRIBE", "topic"),)),
    "read log offsets": (lambda a, topic, group: a.log_ranges(list(offsets(topic))), (("DESCRIBE", "topic"),)),
    "find open transactions": (lambda a, topic, group: a.open_transactions(list(offsets(topic))), (("READ", "topic"),)),
    "describe groups": (lambda a, topic, group: a.groups([group]), (("DESCRIBE", "group"),)),
    "read committed offsets": (
        lambda a, topic, group: a.committed(group, list(offsets(topic))),
        (("DESCRIBE", "group"), ("DESCRIBE", "topic")),
    ),
    "commit offsets": (committed, (("READ", "group"), ("READ", "topic"))),
    "evict members": (lambda a, topic, group: a.remove_members(group, ["nobody"]), (("READ", "group"),)),
    "delete offsets": (deleted, (("DELETE", "group"), ("READ", "topic"))),
}


@pytest.fixture
def access(bed: dict[str, str]) -> t.Iterator[Access]:
    """See Access."""
    made = Access(bed["KAFKA_BOOTSTRAP_SERVERS"])
    yield made
    made.clean_up()


def attempt(work: t.Callable[[], t.Any], fails: bool) -> str:
    """Until the change of an ACL has reached every broker; returns what the last failure said."""

    def said() -> str:
        try:
            work()
        except KafkaError as error:
            return error.message
        return ""

    return until("it fails" if fails else "it works", said, lambda text: bool(text) is fails, every=0.2)


def connected(bed: dict[str, str], user: str) -> KafkaAdapter:
    """The adapter of a user."""
    return KafkaAdapter(
        {
            "bootstrap_servers": bed["TESTBED_KAFKA_SASL_SERVERS"].split(","),
            "security_protocol": "SASL_SSL",
            "ssl_cafile": bed["TESTBED_KAFKA_CA"],
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": user,
            "sasl_plain_password": PASSWORD,
        },
        30.0,
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_least_acls(operation: str, bed: dict[str, str], kafka: Kafka, name: str, access: Access) -> None:
    work, wanted = OPERATIONS[operation]
    topic, group = kafka.topic(records=2), name
    adapter_of_all = KafkaAdapter({"bootstrap_servers": kafka.servers.split(",")})
    adapter_of_all.commit(group, offsets(topic))
    adapter_of_all.close()
    acls = [Acl(what, resource, topic if resource == "topic" else group) for what, resource in wanted]
    user = access.user(f"{name}-user", *acls)
    adapter = connected(bed, user)
    try:
        attempt(lambda: work(adapter, topic, group), fails=False)
        for acl in acls:
            access.withdraw(user, acl)
            said = attempt(lambda: work(adapter, topic, group), fails=True)
            assert f"{acl.resource.upper()}_AUTHORIZATION_FAILED" in said
            assert acl.name in said
            if "answered" in said:  # the adapter's own message, not that of a refused partition
                assert f"allows {acl.operation} on the {acl.resource}" in said, said
            access.allow(user, acl)
            attempt(lambda: work(adapter, topic, group), fails=False)
    finally:
        adapter.close()


def test_open_transactions_take_more_than_describe(
    bed: dict[str, str], kafka: Kafka, name: str, access: Access
) -> None:
    """A user who may describe the topic reads its log offsets, and is told that this takes READ."""
    topic = kafka.topic(records=2)
    adapter = connected(bed, access.user(f"{name}-user", Acl("DESCRIBE", "topic", topic)))
    try:
        attempt(lambda: adapter.log_ranges(list(offsets(topic))), fails=False)
        with pytest.raises(KafkaError) as refused:
            adapter.open_transactions(list(offsets(topic)))
    finally:
        adapter.close()
    assert f"TOPIC_AUTHORIZATION_FAILED (partition {topic}-" in refused.value.message
    assert "The principal needs an ACL that allows READ on the topic" in refused.value.message


def test_what_holds_pending_offsets_takes_more_than_looking_at_them(
    bed: dict[str, str], kafka: Kafka, name: str, access: Access
) -> None:
    """Without more than the table asks for, pending offsets are seen and not whose they are; the message says what it takes."""
    topic = kafka.topic(records=2)
    kafka.commit(name, [confluent_kafka.TopicPartition(topic, 0, 1)])
    member = kafka.join(name, topic, **{"enable.auto.commit": False})
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.servers, "transactional.id": name})
    producer.init_transactions(HANG)
    producer.begin_transaction()
    row = confluent_kafka.TopicPartition(topic, 0, 2)
    producer.send_offsets_to_transaction([row], member.consumer_group_metadata(), HANG)
    user = access.user(f"{name}-user", Acl("DESCRIBE", "topic", topic), Acl("DESCRIBE", "group", name))
    adapter = connected(bed, user)

    def ids() -> set[str]:
        return {one.transactional_id for one in adapter.transactions_beside(name)}

    def sees_which(known: bool) -> None:
        if (name in ids()) is not known:
            raise KafkaError("not yet")

    try:
        pending = frozenset({TopicPartition(topic, 0)})
        looked = adapter.committed_or_pending(name, list(offsets(topic)))
        assert (looked[0][TopicPartition(topic, 0)].offset, looked[1]) == (1, pending)
        said = attempt(ids, fails=True)
        assert "TOPIC_AUTHORIZATION_FAILED (__consumer_offsets)" in said
        assert "The principal needs an ACL that allows READ on the topic" in said
        access.allow(user, Acl("READ", "topic", "__consumer_offsets"))
        attempt(lambda: sees_which(known=False), fails=False)
        access.allow(user, Acl("DESCRIBE", "transactional_id", name))
        attempt(lambda: sees_which(known=True), fails=False)
    finally:
        adapter.close()
    producer.abort_transaction(HANG)
