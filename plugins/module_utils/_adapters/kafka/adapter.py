# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Port ``Kafka`` on a real cluster (brokers 3.0 or newer)."""

from __future__ import annotations

import base64
import typing as t
import uuid

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import commits, messages
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.connection import (
    KafkaConnection,
    check,
    error_name,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.groups import (
    GROUP_ID_NOT_FOUND,
    broker_ids,
    delete_group,
    describe,
    evict,
    list_all,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.transactions import (
    open_transactions,
    transactions_beside,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    GroupNotEmptyError,
    KafkaError,
    OffsetsError,
    PendingOffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import members_refusal
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import (
    OFFSETS_TOPIC,
    OpenTransaction,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    PartitionInfo,
    Topic,
    TopicPartition,
)

HAS_MEMBERS = frozenset({22, 25, 27, 68, 82, 110, 113})
"""Errors that mean: the group has members (ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS, ...)."""
GROUP_SUBSCRIBED_TO_TOPIC = 86

Offsets = t.Mapping[TopicPartition, CommittedOffset]


class KafkaAdapter:
    """Port ``Kafka``. Connects at the first call; safe to use from several threads.

    settings: kafka-python's names. timeout and request_timeout: seconds; answered: whether one of the brokers did so before. See
    KafkaConnection.
    """

    def __init__(
        self,
        settings: t.Mapping[str, t.Any],
        timeout: float = 15.0,
        request_timeout: float = 5.0,
        answered: bool = False,
    ) -> None:
        self._kafka = KafkaConnection(settings, timeout, request_timeout, answered)
        self._timeout_ms = int(timeout * 1000)

    def topics(self, names: t.Collection[str]) -> dict[str, Topic]:
        """The named topics; a name that does not exist, or may not be described, is missing from the answer."""
        if not names:
            return {}

        async def work() -> dict[str, Topic]:
            found = {}
            for row in (await self._kafka.metadata(names)).topics:
                if row.error_code in commits.NO_TOPIC:
                    continue
                check(row.error_code, f"topic {row.name}")
                partitions = {
                    p.partition_index: PartitionInfo(p.leader_id, tuple(p.replica_nodes), tuple(p.isr_nodes))
                    for p in row.partitions
                }
                found[row.name] = Topic(row.name, id_text(row.topic_id), partitions)
            return found

        return self._kafka.call(f"describe the topics {', '.join(sorted(names))}", work)

    def groups(self, group_ids: t.Collection[str]) -> dict[str, Group]:
        """Type, state and members of each group; an unknown one has kind ``absent``."""

        if not group_ids:
            return {}
        what = f"describe the groups {', '.join(sorted(group_ids))}"
        return self._kafka.call(what, lambda: describe(self._kafka, group_ids))

    def committed(
        self, group_id: str, partitions: t.Collection[TopicPartition]
    ) -> dict[TopicPartition, CommittedOffset]:
        """Committed offsets of the named partitions. A partition without a commit is missing; one that may not be read is an error.

        Raises PendingOffsetsError, at once, with every partition that has one in an open transaction.
        """
        return self._decided(group_id, partitions) if partitions else {}

    def committed_or_pending(
        self, group_id: str, partitions: t.Collection[TopicPartition] | None
    ) -> tuple[dict[TopicPartition, CommittedOffset], frozenset[TopicPartition]]:
        """As ``committed`` (None: as ``all_committed``), for a look: the last decided commits, and where one is pending.

        A partition that never had another commit than the pending one is only among the named ones.
        """
        if partitions is not None and not partitions:
            return {}, frozenset()
        found, pending = self._fetch(group_id, partitions)
        if pending:
            found |= self._fetch(group_id, sorted(pending), stable=False)[0]
        return found, frozenset(pending)

    def committed_topics(self, group_id: str) -> set[str]:
        """Topics for which the group has at least one committed offset."""
        found, pending = self._fetch(group_id, None)
        return {tp.topic for tp in found} | {tp.topic for tp in pending}

    def all_committed(self, group_id: str) -> dict[TopicPartition, CommittedOffset]:
        """Every committed offset of the topics we may describe; a broker is silent about the others.

        Raises PendingOffsetsError as ``committed`` does.
        """
        return self._decided(group_id, None)

    def _decided(
        self, group_id: str, partitions: t.Collection[TopicPartition] | None
    ) -> dict[TopicPartition, CommittedOffset]:
        found, pending = self._fetch(group_id, partitions)
        if pending:
            raise PendingOffsetsError(group_id, pending)
        return found

    def _fetch(
        self, group_id: str, partitions: t.Collection[TopicPartition] | None, stable: bool = True
    ) -> tuple[dict[TopicPartition, CommittedOffset], set[TopicPartition]]:
        what = f"read the committed offsets of group {group_id}"
        return self._kafka.call(what, lambda: commits.fetch(self._kafka, group_id, partitions, stable))

    def list_groups(self) -> list[Group]:
        """Type and state of every group we may describe, sorted by name, without members."""
        return self._kafka.call("list the groups", lambda: list_all(self._kafka))

    def log_ranges(
        self, partitions: t.Collection[TopicPartition], read_committed: bool = False
    ) -> dict[TopicPartition, LogRange]:
        """First and end offset of every named partition; one that cannot be read is an error."""
        first, end = self._list_offsets(partitions, (messages.EARLIEST, messages.LATEST), int(read_committed))
        return {tp: LogRange(first[tp][0], *end[tp]) for tp in partitions}

    def offsets_for_time(
        self, partitions: t.Collection[TopicPartition], timestamp_ms: int
    ) -> dict[TopicPartition, int]:
        """First offset whose record is at or after the time (ms since epoch); partitions without one are missing."""
        (found,) = self._list_offsets(partitions, (timestamp_ms,), 0)
        return {tp: offset for tp, (offset, epoch) in found.items() if offset >= 0}

    def open_transactions(self, partitions: t.Collection[TopicPartition]) -> list[OpenTransaction]:
        """Transactions begun on the partitions and not ended, sorted; a partition that may not be read is an error."""
        what = f"find the open transactions on {', '.join(sorted({tp.topic for tp in partitions}))}"
        return self._kafka.call(what, lambda: open_transactions(self._kafka, partitions)) if partitions else []

    def transactions_beside(self, group_id: str) -> list[OpenTransaction]:
        """Open transactions that may hold offsets of the group: those on the partition where Kafka keeps them, sorted."""
        what = f"find the open transactions on {OFFSETS_TOPIC}"
        return self._kafka.call(what, lambda: transactions_beside(self._kafka, group_id))

    def _list_offsets(
        self, partitions: t.Collection[TopicPartition], timestamps: t.Sequence[int], isolation: int
    ) -> list[dict[TopicPartition, tuple[int, int]]]:
        """Offset and leader epoch, one answer per timestamp. All leaders are asked for all timestamps at once."""

        async def work() -> list[dict[TopicPartition, tuple[int, int]]]:
            leaders = await self._kafka.by_leader(partitions)
            sent = [
                [
                    self._kafka.send(messages.list_offsets(led, when, isolation, self._timeout_ms), node)
                    for node, led in leaders.items()
                ]
                for when in timestamps
            ]
            found: list[dict[TopicPartition, tuple[int, int]]] = []
            for answers in sent:
                offsets: dict[TopicPartition, tuple[int, int]] = {}
                for answer in answers:
                    for topic in (await answer).topics:
                        name = topic.name
                        for row in topic.partitions:
                            if row.error_code:
                                check(row.error_code, f"partition {name}-{row.partition_index}")
                            offsets[TopicPartition(name, row.partition_index)] = (row.offset, row.leader_epoch)
                found.append(offsets)
            return found

        topics = ", ".join(sorted({tp.topic for tp in partitions}))
        return (
            self._kafka.call(f"read the log offsets of {topics}", work) if partitions else [{} for when in timestamps]
        )

    def commit(self, group_id: str, offsets: Offsets) -> dict[TopicPartition, str]:
        """Write offsets as an outsider. Returns the partitions that were refused with Kafka's error name.

        Raises ``GroupNotEmptyError`` when the group has members. May be repeated.
        """
        senseless = sorted(tp for tp, committed in offsets.items() if committed.offset < 0)
        if senseless:  # a broker takes -1 without a word, and consumers then start anywhere
            raise OffsetsError(
                f"Refused to commit a negative offset for {', '.join(map(str, senseless))} of group {group_id}"
            )
        codes = commits.commit(self._kafka, group_id, offsets) if offsets else {}
        if not HAS_MEMBERS.isdisjoint(codes.values()):
            raise self._not_empty(group_id, "committed")
        return {tp: error_name(code) for tp, code in codes.items() if code}

    def delete_offsets(self, group_id: str, partitions: t.Collection[TopicPartition]) -> dict[TopicPartition, str]:
        """Remove committed offsets, of topics that no member reads. Returns refused partitions. May be repeated."""
        if not partitions:
            return {}
        code, codes = commits.delete(self._kafka, group_id, partitions)
        if code in HAS_MEMBERS or GROUP_SUBSCRIBED_TO_TOPIC in codes.values():
            raise self._not_empty(group_id, "deleted")
        if code not in (0, GROUP_ID_NOT_FOUND):
            return dict.fromkeys(partitions, error_name(code))
        return {tp: error_name(refusal) for tp, refusal in codes.items() if refusal}

    def delete_group(self, group_id: str) -> None:
        """Remove an empty group with all its offsets; gone already is fine. May be repeated."""
        what = f"delete group {group_id}"
        code = self._kafka.call(what, lambda: delete_group(self._kafka, group_id))
        if code in HAS_MEMBERS:
            raise self._not_empty(group_id, "deleted")

    def remove_members(self, group_id: str, members: t.Collection[str]) -> None:
        """Evict members (member ids); one that is gone already is fine. May be repeated."""

        if members:
            what = f"evict {len(members)} members of group {group_id}"
            self._kafka.call(what, lambda: evict(self._kafka, group_id, members))

    def min_insync_replicas(self, topics: t.Collection[str]) -> dict[str, int]:
        """``min.insync.replicas`` in force for each topic; missing where it may not be read."""
        return self._configs(messages.TOPIC_RESOURCE, topics, "min.insync.replicas") if topics else {}

    def offsets_retention(self) -> int | None:
        """``offsets.retention.minutes`` of the brokers (the shortest); None where it may not be read."""
        key = "offsets.retention.minutes"
        brokers = self._kafka.call("list the brokers", lambda: broker_ids(self._kafka))
        return min(self._configs(messages.BROKER_RESOURCE, map(str, brokers), key).values(), default=None)

    def _configs(self, kind: int, names: t.Iterable[str], key: str) -> dict[str, int]:
        """A number among the settings of topics (any broker knows them) or of brokers (each its own)."""
        wanted = sorted(names)
        apart = [[name] for name in wanted] if kind == messages.BROKER_RESOURCE else [wanted]

        async def work() -> dict[str, int]:
            sent = [
                self._kafka.send(
                    messages.describe_configs(kind, some, key),
                    int(some[0]) if kind == messages.BROKER_RESOURCE else None,
                )
                for some in apart
            ]
            return {
                row.resource_name: int(config.value)
                for answer in sent
                for row in (await answer).results
                if not row.error_code
                for config in row.configs
                if config.value
            }

        return self._kafka.call(f"read {key} of {', '.join(wanted)}", work)

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


def id_text(topic_id: uuid.UUID) -> str:
    """A topic id as Kafka's own tools and clients write it: pods compare it with what theirs says."""
    return base64.urlsafe_b64encode(topic_id.bytes).decode().rstrip("=")
