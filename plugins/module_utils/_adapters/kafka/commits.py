# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Reads, writes and removes committed offsets. A broker takes a commit as one write, so large ones are cut by bytes."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import messages
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.connection import (
    KafkaConnection,
    check,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.groups import GROUP_ID_NOT_FOUND
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)

try:
    from kafka import errors
except ImportError:
    pass  # connection.py says so before anything here is used

COMMIT_BYTES = 900_000
"""Largest OffsetCommit we send: it must fit one batch of __consumer_offsets (message.max.bytes, 1,048,588 by default)."""
PARTITION_BYTES = 63
"""Measured size of one committed partition in that batch, without group, topic and metadata."""
TOO_LARGE = frozenset({-1, 10, 18, 28})
"""What brokers answer to a commit above message.max.bytes; Kafka 4.3 says UNKNOWN (-1) for every partition."""
NO_TOPIC = frozenset({3, 17, 29})
UNSTABLE_OFFSET_COMMIT = 88
"""What the broker says of a partition, for a stable read, while one of its offsets is part of an open transaction."""

Offsets = t.Mapping[TopicPartition, CommittedOffset]
Codes = dict[TopicPartition, int]


async def fetch(
    connection: KafkaConnection, group_id: str, partitions: t.Collection[TopicPartition] | None, stable: bool = True
) -> tuple[dict[TopicPartition, CommittedOffset], set[TopicPartition]]:
    """Committed offsets of the named partitions, or of all that may be described (None); those that are not decided yet.

    stable: of a partition that has an offset in an open transaction the broker tells only that. Otherwise it tells what was
    committed before, and of no transaction.
    """
    node = (await connection.coordinators([group_id]))[group_id]
    answer = (await connection.send(messages.offset_fetch(group_id, partitions, stable), node)).groups[0]
    if answer.error_code != GROUP_ID_NOT_FOUND:
        check(answer.error_code, f"group {group_id}")
    found, pending = {}, set()
    for topic in answer.topics:
        name = topic.name
        for row in topic.partitions:
            if row.error_code == UNSTABLE_OFFSET_COMMIT:
                pending.add(TopicPartition(name, row.partition_index))
            elif row.error_code:
                check(row.error_code, f"partition {name}-{row.partition_index}")
            if row.committed_offset >= 0:
                found[TopicPartition(name, row.partition_index)] = CommittedOffset(
                    row.committed_offset, row.committed_leader_epoch, row.metadata or ""
                )
    return found, pending


def commit(connection: KafkaConnection, group_id: str, offsets: Offsets) -> Codes:
    """Send the commit in as few parts as fit, all at once; error codes by partition, 0 where it was taken."""
    codes: Codes = {}
    chunks = commit_chunks(group_id, offsets)
    while chunks:
        answers = _send(connection, group_id, chunks)
        chunks, sent = [], chunks
        for chunk, answer in zip(sent, answers, strict=True):
            if len(chunk) > 1 and set(answer.values()) <= TOO_LARGE:
                # The broker allows less than the default; nothing was written.
                listed, half = list(chunk.items()), len(chunk) // 2
                chunks += [dict(listed[:half]), dict(listed[half:])]
            else:
                codes.update(answer)
    return codes


def _send(connection: KafkaConnection, group_id: str, chunks: t.Sequence[Offsets]) -> list[Codes]:
    async def work() -> list[Codes]:
        node = (await connection.coordinators([group_id]))[group_id]
        sent = [connection.send(messages.offset_commit(group_id, chunk), node) for chunk in chunks]
        answers = [codes_of(await answer) for answer in sent]
        for codes in answers:
            for tp, code in codes.items():
                # Unknown topics are an answer, not a reason to send the whole commit again.
                if code and errors.for_code(code).retriable and code not in NO_TOPIC:
                    check(code, f"partition {tp}")
        return answers

    return connection.call(f"commit {sum(map(len, chunks))} offsets to group {group_id}", work)


def delete(connection: KafkaConnection, group_id: str, partitions: t.Collection[TopicPartition]) -> tuple[int, Codes]:
    """Remove committed offsets; the error code of the group and those of the partitions."""

    async def work() -> tuple[int, Codes]:
        node = (await connection.coordinators([group_id]))[group_id]
        answer = await connection.send(messages.offset_delete(group_id, partitions), node)
        if answer.error_code and errors.for_code(answer.error_code).retriable:
            check(answer.error_code, f"group {group_id}")
        return answer.error_code, codes_of(answer)

    return connection.call(f"delete {len(partitions)} offsets of group {group_id}", work)


def commit_chunks(
    group_id: str, offsets: Offsets, limit: int = COMMIT_BYTES
) -> list[dict[TopicPartition, CommittedOffset]]:
    """The offsets in as few parts as fit one write of the broker each, in their order."""
    chunks: list[dict[TopicPartition, CommittedOffset]] = []
    size = limit + 1
    each = PARTITION_BYTES + len(group_id.encode())
    for tp, committed in offsets.items():
        needed = each + len(tp.topic) + len(committed.metadata.encode())
        if size + needed > limit:
            chunks.append({})
            size = 0
        chunks[-1][tp] = committed
        size += needed
    return chunks


def codes_of(answer: t.Any) -> Codes:
    """Error codes of an answer that has them per partition."""
    return {
        TopicPartition(topic.name, row.partition_index): row.error_code
        for topic in answer.topics
        for row in topic.partitions
    }
