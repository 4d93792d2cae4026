# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Reads which producers have a transaction open on a partition (DescribeProducers). Only its leader knows.

Since when it is open and when it ends by itself knows its coordinator, any of the brokers: one is asked for the transactional
ids of a producer (ListTransactions), then for the transactions (DescribeTransactions).
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import messages
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.connection import (
    KafkaConnection,
    check,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.groups import broker_ids
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import (
    OFFSETS_TOPIC,
    OpenTransaction,
    offsets_partition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition

try:
    from kafka import errors
except ImportError:
    pass  # connection.py says so before anything here is used


async def open_transactions(
    connection: KafkaConnection, partitions: t.Collection[TopicPartition]
) -> list[OpenTransaction]:
    """The open ones, sorted by partition; runs inside ``KafkaConnection.call``. One request to each leader, all at once."""
    leaders = await connection.by_leader(partitions)
    sent = [connection.send(messages.describe_producers(led), node) for node, led in leaders.items()]
    found = []
    for answer in sent:
        for topic in (await answer).topics:
            for row in topic.partitions:
                check(row.error_code, f"partition {topic.name}-{row.partition_index}")
                found += [
                    OpenTransaction(
                        TopicPartition(topic.name, row.partition_index),
                        producer.producer_id,
                        producer.producer_epoch,
                        producer.current_txn_start_offset,
                        producer.last_timestamp,
                    )
                    for producer in row.active_producers
                    if producer.current_txn_start_offset >= 0
                ]
    return sorted(found, key=lambda one: (one.partition, one.start_offset))


async def transactions_beside(connection: KafkaConnection, group_id: str) -> list[OpenTransaction]:
    """Those open where the group's offsets are, with what their coordinators tell of them; as ``open_transactions``.

    A coordinator tells only those who may describe the transactional id, and says nothing to the others.
    """
    (topic,) = (await connection.metadata([OFFSETS_TOPIC])).topics
    check(topic.error_code, f"topic {OFFSETS_TOPIC}")
    found = await open_transactions(connection, [offsets_partition(group_id, len(topic.partitions))])
    try:
        known = await _coordinated(connection, {one.producer_id for one in found}) if found else {}
    except (errors.BrokerResponseError, errors.IncompatibleBrokerVersion):
        known = {}  # only more words for those who read it
    return [
        dataclasses.replace(
            one,
            transactional_id=row.transactional_id,
            began=row.transaction_start_time_ms,
            timeout=row.transaction_timeout_ms,
        )
        if (row := known.get((one.producer_id, one.producer_epoch))) is not None
        else one
        for one in found
    ]


async def _coordinated(connection: KafkaConnection, producers: t.Collection[int]) -> dict[tuple[int, int], t.Any]:
    """What coordinators say of the ongoing transactions of these producers, by producer id and epoch."""
    listed = [
        (node, connection.send(messages.list_transactions(producers), node)) for node in await broker_ids(connection)
    ]
    asked = []
    for node, answer in listed:
        ids = [row.transactional_id for row in (await answer).transaction_states]
        if ids:
            asked.append(connection.send(messages.describe_transactions(ids), node))
    return {
        (row.producer_id, row.producer_epoch): row
        for answer in asked
        for row in (await answer).transaction_states
        if not row.error_code and row.transaction_state == "Ongoing"
    }
