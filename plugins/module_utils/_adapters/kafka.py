# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Port ``Kafka`` on a real cluster (brokers 3.0 or newer)."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import kafka_messages as messages
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka_client import (
    KafkaConnection,
    check,
    error_name,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka_groups import (
    GROUP_ID_NOT_FOUND,
    describe,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    GroupNotEmptyError,
    KafkaError,
    OffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    CommittedOffset,
    Group,
    LogRange,
    PartitionInfo,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.offsets import members_refusal

try:
    from kafka import errors
except ImportError:
    pass  # kafka_client says so before anything here is used

COMMIT_BYTES = 900_000
"""Largest OffsetCommit we send: it must fit one batch of __consumer_offsets (message.max.bytes, 1,048,588 by default)."""
PARTITION_BYTES = 63
"""Measured size of one committed partition in that batch, without group, topic and metadata."""
HAS_MEMBERS = frozenset({22, 25, 27, 68, 82, 110, 113})
"""Errors that mean: the group has members (ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, ...)."""
UNKNOWN_MEMBER_ID = 25
GROUP_SUBSCRIBED_TO_TOPIC = 86
TOO_LARGE = frozenset({-1, 10, 18, 28})
"""What brokers answer to a commit above message.max.bytes; Kafka 4.3 says UNKNOWN (-1) for every partition."""
NO_TOPIC = frozenset({3, 17, 29})

Offsets = t.Mapping[TopicPartition, CommittedOffset]


class KafkaAdapter:
    """Port ``Kafka``. Connects at the first call; safe to use from several threads.

    settings: kafka-python's names. timeout and request_timeout: seconds, see KafkaConnection.
    """

    def __init__(self, settings: t.Mapping[str, t.Any], timeout: float = 15.0, request_timeout: float = 5.0) -> None:
        self._kafka = KafkaConnection(settings, timeout, request_timeout)
        self._timeout_ms = int(timeout * 1000)

    def topics(self, names: t.Collection[str]) -> dict[str, Topic]:
        """The named topics; a name that does not exist, or may not be described, is missing from the answer."""
        if not names:
            return {}

        async def work() -> dict[str, Topic]:
            found = {}
            for row in (await self._kafka.metadata(names)).topics:
                if row.error_code in NO_TOPIC:
                    continue
                check(row.error_code, f"topic {row.name}")
                partitions = {
                    p.partition_index: PartitionInfo(p.leader_id, tuple(p.replica_nodes), tuple(p.isr_nodes))
                    for p in row.partitions
                }
                found[row.name] = Topic(row.name, str(row.topic_id), partitions)
            return found

        return self._kafka.call(f"describe the topics {', '.join(sorted(names))}", work)

    def groups(self, group_ids: t.Collection[str]) -> dict[str, Group]:
        """Type, state and members of each group; an unknown one answers kind ``absent``."""

        if not group_ids:
            return {}
        what = f"describe the groups {', '.join(sorted(group_ids))}"
        return self._kafka.call(what, lambda: describe(self._kafka, group_ids))

    def committed(
        self, group_id: str, partitions: t.Collection[TopicPartition]
    ) -> dict[TopicPartition, CommittedOffset]:
        """Committed offsets of the named partitions (stable ones: open transactions are waited for).

        A partition without a commit is missing from the answer; a partition that may not be read is an error.
        """
        return self._fetch(group_id, partitions) if partitions else {}

    def committed_topics(self, group_id: str) -> set[str]:
        """Topics for which the group has at least one committed offset."""
        return {tp.topic for tp in self._fetch(group_id, None)}

    def _fetch(
        self, group_id: str, partitions: t.Collection[TopicPartition] | None
    ) -> dict[TopicPartition, CommittedOffset]:
        async def work() -> dict[TopicPartition, CommittedOffset]:
            node = (await self._kafka.coordinators([group_id]))[group_id]
            answer = (await self._kafka.send(messages.offset_fetch(group_id, partitions), node)).groups[0]
            if answer.error_code != GROUP_ID_NOT_FOUND:
                check(answer.error_code, f"group {group_id}")
            found = {}
            for topic in answer.topics:
                for row in topic.partitions:
                    tp = TopicPartition(topic.name, row.partition_index)
                    check(row.error_code, f"partition {tp}")
                    if row.committed_offset >= 0:
                        found[tp] = CommittedOffset(
                            row.committed_offset, row.committed_leader_epoch, row.metadata or ""
                        )
            return found

        return self._kafka.call(f"read the committed offsets of group {group_id}", work)

    def log_ranges(
        self, partitions: t.Collection[TopicPartition], read_committed: bool = False
    ) -> dict[TopicPartition, LogRange]:
        """First and end offset of every named partition; one that cannot be read is an error."""
        first, end = self._list_offsets(partitions, (messages.EARLIEST, messages.LATEST), int(read_committed))
        return {tp: LogRange(first[tp], end[tp]) for tp in partitions}

    def offsets_for_time(
        self, partitions: t.Collection[TopicPartition], timestamp_ms: int
    ) -> dict[TopicPartition, int]:
        """First offset whose record is at or after the time (ms since epoch); partitions without one are missing."""
        (found,) = self._list_offsets(partitions, (timestamp_ms,), 0)
        return {tp: offset for tp, offset in found.items() if offset >= 0}

    def _list_offsets(
        self, partitions: t.Collection[TopicPartition], timestamps: t.Sequence[int], isolation: int
    ) -> list[dict[TopicPartition, int]]:
        """One answer per timestamp. All leaders are asked for all timestamps at once."""

        async def work() -> list[dict[TopicPartition, int]]:
            leaders = await self._kafka.by_leader(partitions)
            sent = [
                [
                    self._kafka.send(messages.list_offsets(led, when, isolation, self._timeout_ms), node)
                    for node, led in leaders.items()
                ]
                for when in timestamps
            ]
            found: list[dict[TopicPartition, int]] = []
            for answers in sent:
                offsets: dict[TopicPartition, int] = {}
                for answer in answers:
                    for topic in (await answer).topics:
                        for row in topic.partitions:
                            tp = TopicPartition(topic.name, row.partition_index)
                            check(row.error_code, f"partition {tp}")
                            offsets[tp] = row.offset
                found.append(offsets)
            return found

        topics = ", ".join(sorted({tp.topic for tp in partitions}))
        return (
            self._kafka.call(f"read the log offsets of {topics}", work) if partitions else [{} for when in timestamps]
        )

    def commit(self, group_id: str, offsets: Offsets) -> dict[TopicPartition, str]:
        """Write offsets as an outsider. Answers the partitions that were refused with Kafka's error name.

        Raises ``GroupNotEmptyError`` when the group has members. May be repeated.
        """
        senseless = sorted(tp for tp, committed in offsets.items() if committed.offset < 0)
        if senseless:  # a broker takes -1 without a word, and consumers then start anywhere
            raise OffsetsError(
                f"Refused to commit a negative offset for {', '.join(map(str, senseless))} of group {group_id}"
            )
        refused: dict[TopicPartition, str] = {}
        for chunk in commit_chunks(group_id, offsets):
            refused.update(self._commit(group_id, chunk))
        return refused

    def _commit(self, group_id: str, offsets: Offsets) -> dict[TopicPartition, str]:
        codes = self._commit_once(group_id, offsets)
        if len(offsets) > 1 and set(codes.values()) <= TOO_LARGE:
            # The broker allows less than the default; nothing was written.
            half = len(offsets) // 2
            listed = list(offsets.items())
            return {**self._commit(group_id, dict(listed[:half])), **self._commit(group_id, dict(listed[half:]))}
        if any(code in HAS_MEMBERS for code in codes.values()):
            raise self._not_empty(group_id, "committed")
        return {tp: error_name(code) for tp, code in codes.items() if code}

    def _commit_once(self, group_id: str, offsets: Offsets) -> dict[TopicPartition, int]:
        async def work() -> dict[TopicPartition, int]:
            node = (await self._kafka.coordinators([group_id]))[group_id]
            answer = await self._kafka.send(messages.offset_commit(group_id, offsets), node)
            codes = _codes(answer)
            for tp, code in codes.items():
                # Unknown topics are an answer, not a reason to send the whole commit again.
                if code and errors.for_code(code).retriable and code not in NO_TOPIC:
                    check(code, f"partition {tp}")
            return codes

        return self._kafka.call(f"commit {len(offsets)} offsets to group {group_id}", work)

    def delete_offsets(self, group_id: str, partitions: t.Collection[TopicPartition]) -> dict[TopicPartition, str]:
        """Remove committed offsets of an empty group. Answers refused partitions. May be repeated."""

        async def work() -> tuple[int, dict[TopicPartition, int]]:
            node = (await self._kafka.coordinators([group_id]))[group_id]
            answer = await self._kafka.send(messages.offset_delete(group_id, partitions), node)
            if answer.error_code not in HAS_MEMBERS and answer.error_code != GROUP_ID_NOT_FOUND:
                check(answer.error_code, f"group {group_id}")
            return answer.error_code, _codes(answer)

        if not partitions:
            return {}
        code, codes = self._kafka.call(f"delete {len(partitions)} offsets of group {group_id}", work)
        if code in HAS_MEMBERS or GROUP_SUBSCRIBED_TO_TOPIC in codes.values():
            raise self._not_empty(group_id, "deleted")
        return {tp: error_name(refusal) for tp, refusal in codes.items() if refusal}

    def remove_members(self, group_id: str, members: t.Collection[str]) -> None:
        """Evict members (member ids); one that is gone already is fine. May be repeated."""

        async def work() -> None:
            node = (await self._kafka.coordinators([group_id]))[group_id]
            answer = await self._kafka.send(
                messages.leave_group(group_id, members, "evicted by streamops.bluegreen"), node
            )
            if answer.error_code not in (UNKNOWN_MEMBER_ID, GROUP_ID_NOT_FOUND):
                check(answer.error_code, f"group {group_id}")
            for row in answer.members:
                if row.error_code != UNKNOWN_MEMBER_ID:
                    check(row.error_code, f"member {row.member_id}")

        if members:
            self._kafka.call(f"evict {len(members)} members of group {group_id}", work)

    def min_insync_replicas(self, topics: t.Collection[str]) -> dict[str, int]:
        """``min.insync.replicas`` in force for each topic; missing where it may not be read."""

        async def work() -> dict[str, int]:
            answer = await self._kafka.send(messages.describe_topic_configs(topics, "min.insync.replicas"))
            return {
                row.resource_name: int(config.value)
                for row in answer.results
                if not row.error_code
                for config in row.configs
                if config.value
            }

        return self._kafka.call(f"read min.insync.replicas of {', '.join(sorted(topics))}", work) if topics else {}

    def close(self) -> None:
        """Close the connections. Not needed before a process ends."""
        self._kafka.close()

    def _not_empty(self, group_id: str, verb: str) -> GroupNotEmptyError:
        try:
            group = self.groups([group_id])[group_id]
        except KafkaError:
            group = Group(group_id, "unknown", "unknown")
        members = [member.member_id for member in group.members]
        return GroupNotEmptyError(members_refusal(group, verb), {"group_id": group_id, "members": members})


def commit_chunks(
    group_id: str, offsets: Offsets, limit: int = COMMIT_BYTES
) -> list[dict[TopicPartition, CommittedOffset]]:
    """The offsets in as few parts as fit one write of the broker each, in their order."""
    chunks: list[dict[TopicPartition, CommittedOffset]] = []
    size = limit + 1
    for tp, committed in offsets.items():
        needed = PARTITION_BYTES + len(group_id.encode()) + len(tp.topic) + len(committed.metadata.encode())
        if size + needed > limit:
            chunks.append({})
            size = 0
        chunks[-1][tp] = committed
        size += needed
    return chunks


def _codes(answer: t.Any) -> dict[TopicPartition, int]:
    return {
        TopicPartition(topic.name, row.partition_index): row.error_code
        for topic in answer.topics
        for row in topic.partitions
    }
