# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Reads which producers have a transaction open on a partition (DescribeProducers). Only its leader knows."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import kafka_messages as messages
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka_client import KafkaConnection, check
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.transactions import OpenTransaction


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
