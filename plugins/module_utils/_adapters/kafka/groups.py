# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Reads consumer groups: the broker has one request for classic groups, one for KIP-848 groups, and a list of all."""

from __future__ import annotations

import struct
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import messages
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.connection import (
    KafkaConnection,
    check,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    Group,
    Member,
    TopicPartition,
)

try:
    from kafka import errors
    from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment
except ImportError:
    pass  # connection.py says so before anything here is used

GROUP_ID_NOT_FOUND = 69
UNKNOWN_MEMBER_ID = 25
NON_EMPTY_GROUP = 68
NOT_OF_THIS_KIND = frozenset({35, GROUP_ID_NOT_FOUND})


async def describe(connection: KafkaConnection, group_ids: t.Collection[str]) -> dict[str, Group]:
    """Type, state and members of each group; runs inside ``KafkaConnection.call``."""
    by_node: dict[int, list[str]] = {}
    for group_id, node in (await connection.coordinators(group_ids)).items():
        by_node.setdefault(node, []).append(group_id)
    # No answer tells both the type and the members, so all coordinators are asked for both kinds at once.
    sent = []
    for node, ids in by_node.items():
        classic = connection.send(messages.describe_classic(ids), node)
        sent.append((node, ids, classic, connection.send(messages.describe_consumer(ids), node)))
    found: dict[str, Group] = {}
    for node, ids, classic, consumer in sent:
        found.update(await _read_classic(classic))
        for group_id, group in (await _read_consumer(consumer)).items():
            found.setdefault(group_id, group)
        missing = [group_id for group_id in ids if group_id not in found]
        if missing:
            # Share and streams groups, and groups nobody knows: only the list tells them apart.
            listed = await connection.send(messages.list_groups(), node)
            check(listed.error_code, "list of groups")
            rows = {row.group_id: row for row in listed.groups}
            found.update({group_id: _listed(group_id, rows.get(group_id)) for group_id in missing})
    return found


async def _read_classic(answer: t.Awaitable[t.Any]) -> dict[str, Group]:
    found = {}
    for row in (await answer).groups:
        dead = row.error_code == 0 and row.group_state == "Dead"  # how brokers before 4.0 say not found
        if row.error_code != GROUP_ID_NOT_FOUND and not dead:
            check(row.error_code, f"group {row.group_id}")
            found[row.group_id] = _classic(row)
    return found


async def _read_consumer(answer: t.Awaitable[t.Any]) -> dict[str, Group]:
    try:
        rows = (await answer).groups
    except errors.IncompatibleBrokerVersion:
        return {}  # a broker that has no such groups
    found = {}
    for row in rows:
        if row.error_code not in NOT_OF_THIS_KIND:
            check(row.error_code, f"group {row.group_id}")
            found[row.group_id] = _consumer(row)
    return found


def _classic(row: t.Any) -> Group:
    members = tuple(
        Member(
            m.member_id,
            m.client_id,
            m.client_host.lstrip("/"),
            m.group_instance_id,
            _decode(row.protocol_type, m.member_assignment),
            _subscribed(row.protocol_type, m.member_metadata),
        )
        for m in row.members
    )
    return Group(row.group_id, "classic", row.group_state, members, row.protocol_type or "", row.protocol_data or "")


def _decode(protocol_type: str, assignment: bytes) -> frozenset[TopicPartition]:
    if protocol_type != "consumer" or not assignment:
        return frozenset()  # Kafka Connect and others put something else there
    decoded = ConsumerProtocolAssignment.decode(bytes(assignment))
    return frozenset(
        TopicPartition(topic, partition)
        for topic, partitions in decoded.assigned_partitions
        for partition in partitions
    )


def _subscribed(protocol_type: str, subscription: bytes) -> frozenset[str] | None:
    if protocol_type != "consumer" or not subscription:
        return None  # also while the group rebalances: a broker tells it of a stable one only
    # Only the topics, which come first in every version: the partitions after them are many, and the critical section reads groups
    # again and again.
    found, data, at = set(), bytes(subscription), 6
    try:
        (number,) = struct.unpack_from(">i", data, 2)
        for _topic in range(number):
            (length,) = struct.unpack_from(">h", data, at)
            (name,) = struct.unpack_from(f">{length}s", data, at + 2)
            found.add(name.decode())
            at += 2 + length
    except (struct.error, ValueError):  # a client may write nonsense: then it is not known
        return None
    return frozenset(found) if number >= 0 else None


def _consumer(row: t.Any) -> Group:
    members = tuple(
        Member(
            m.member_id,
            m.client_id,
            m.client_host.lstrip("/"),
            m.instance_id,
            frozenset(
                TopicPartition(tps.topic_name, number)
                for tps in m.assignment.topic_partitions
                for number in tps.partitions
            ),
            None if m.subscribed_topic_regex else frozenset(m.subscribed_topic_names),
        )
        for m in row.members
    )
    return Group(row.group_id, "consumer", row.group_state, members, "consumer", row.assignor_name or "")


def _listed(group_id: str, row: t.Any) -> Group:
    if row is None:
        return Group(group_id)
    kind, state = (row.group_type or "classic").lower(), row.group_state or "unknown"
    return Group(group_id, kind, state, protocol_type=row.protocol_type or "")


async def broker_ids(connection: KafkaConnection) -> list[int]:
    """Ids of the brokers that are up."""
    return sorted(row.node_id for row in (await connection.metadata([])).brokers)


async def list_all(connection: KafkaConnection) -> list[Group]:
    """Every group of every broker, without members; all brokers are asked at once."""
    sent = [connection.send(messages.list_groups(), node) for node in await broker_ids(connection)]
    found: dict[str, Group] = {}
    for answer in sent:
        listed = await answer
        check(listed.error_code, "list of groups")
        found.update({row.group_id: _listed(row.group_id, row) for row in listed.groups})
    return [found[group_id] for group_id in sorted(found)]


async def delete_group(connection: KafkaConnection, group_id: str) -> int:
    """Remove a group; 0 (also when it is gone already) or NON_EMPTY_GROUP."""
    node = (await connection.coordinators([group_id]))[group_id]
    row = (await connection.send(messages.delete_group(group_id), node)).results[0]
    if row.error_code not in (GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP):
        check(row.error_code, f"group {group_id}")
    return 0 if row.error_code == GROUP_ID_NOT_FOUND else int(row.error_code)


async def evict(connection: KafkaConnection, group_id: str, members: t.Collection[str]) -> None:
    """Make members (ids) leave; one that is gone already is fine."""
    node = (await connection.coordinators([group_id]))[group_id]
    answer = await connection.send(messages.leave_group(group_id, members, "evicted by streamops.bluegreen"), node)
    if answer.error_code not in (UNKNOWN_MEMBER_ID, GROUP_ID_NOT_FOUND):
        check(answer.error_code, f"group {group_id}")
    for row in answer.members:
        if row.error_code != UNKNOWN_MEMBER_ID:
            check(row.error_code, f"member {row.member_id}")
