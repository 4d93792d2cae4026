# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kafka in memory. It counts reads and writes, and can fail or be changed under way."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    GroupNotEmptyError,
    KafkaError,
    PendingOffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import OpenTransaction
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    Member,
    PartitionInfo,
    Topic,
    TopicPartition,
)


def nothing() -> None:
    """Default of the hooks."""


@dataclass
class FakeKafka:
    """Topics with log ranges, groups and committed offsets. before_commit, after_commit: what others do around our write.

    times: offset of the first record at or after any time. breaks: the answer to the next commit never comes.
    """

    logs: dict[TopicPartition, LogRange] = field(default_factory=dict)
    known: dict[str, Group] = field(default_factory=dict)
    offsets: dict[str, dict[TopicPartition, CommittedOffset]] = field(default_factory=dict)
    refuse: dict[TopicPartition, str] = field(default_factory=dict)
    loses: set[TopicPartition] = field(default_factory=set)
    unstable: int = 0
    """Records at the end of every log that belong to an open transaction."""
    transactions: list[OpenTransaction] = field(default_factory=list)
    hides_transactions: str = ""
    """Why nobody may see them, or empty."""
    pending: dict[str, set[TopicPartition]] = field(default_factory=dict)
    """Partitions of a group that have an offset in an open transaction."""
    beside: list[OpenTransaction] = field(default_factory=list)
    """Transactions open where the offsets of groups are kept."""
    retention: int | None = 10080
    down: bool = False
    before_commit: t.Callable[[], None] = nothing
    topic_ids: dict[str, str] = field(default_factory=dict)
    times: dict[TopicPartition, int] = field(default_factory=dict)
    breaks: bool = False
    after_commit: t.Callable[[], None] = nothing
    stubborn: bool = False
    """Evicted members join again."""
    fetched: list[t.Any] = field(default_factory=list)
    """What the committed offsets were asked for."""
    on_read: t.Callable[[], None] = nothing
    reads: int = 0
    writes: int = 0

    def _read(self) -> None:
        self.reads += 1
        self.on_read()
        if self.down:
            raise KafkaError("Kafka at fake:9092 does not answer")

    def topics(self, names: t.Collection[str]) -> dict[str, Topic]:
        self._read()
        info = PartitionInfo(1, (1,), (1,))
        numbers = {name: sorted(tp.partition for tp in self.logs if tp.topic == name) for name in names}
        return {
            name: Topic(name, self.topic_ids.get(name, f"id-{name}"), dict.fromkeys(found, info))
            for name, found in numbers.items()
            if found
        }

    def groups(self, group_ids: t.Collection[str]) -> dict[str, Group]:
        self._read()
        return {group_id: self.known.get(group_id, Group(group_id)) for group_id in group_ids}

    def committed(
        self, group_id: str, partitions: t.Collection[TopicPartition]
    ) -> dict[TopicPartition, CommittedOffset]:
        self.fetched.append(partitions)
        self._read()
        self._decided(group_id, partitions)
        stored = self.offsets.get(group_id, {})
        return {tp: stored[tp] for tp in partitions if tp in stored}

    def committed_or_pending(
        self, group_id: str, partitions: t.Collection[TopicPartition] | None
    ) -> tuple[dict[TopicPartition, CommittedOffset], frozenset[TopicPartition]]:
        self._read()
        stored = self.offsets.get(group_id, {})
        asked = stored if partitions is None else partitions
        found = {tp: stored[tp] for tp in asked if tp in stored}
        return found, frozenset(self.pending.get(group_id, set()) & set(asked))

    def _decided(self, group_id: str, partitions: t.Collection[TopicPartition]) -> None:
        if pending := self.pending.get(group_id, set()) & set(partitions):
            raise PendingOffsetsError(group_id, pending)

    def committed_topics(self, group_id: str) -> set[str]:
        self._read()
        return {tp.topic for tp in self.offsets.get(group_id, {})}

    def all_committed(self, group_id: str) -> dict[TopicPartition, CommittedOffset]:
        self._read()
        self._decided(group_id, self.offsets.get(group_id, {}))
        return dict(self.offsets.get(group_id, {}))

    def offsets_retention(self) -> int | None:
        self._read()
        return self.retention

    def log_ranges(
        self, partitions: t.Collection[TopicPartition], read_committed: bool = False
    ) -> dict[TopicPartition, LogRange]:
        self._read()
        open_records = self.unstable if read_committed else 0
        return {tp: self.logs[tp]._replace(end=self.logs[tp].end - open_records) for tp in partitions}

    def open_transactions(self, partitions: t.Collection[TopicPartition]) -> list[OpenTransaction]:
        self._read()
        if self.hides_transactions:
            raise KafkaError(self.hides_transactions)
        return [one for one in self.transactions if one.partition in partitions]

    def transactions_beside(self, group_id: str) -> list[OpenTransaction]:
        self._read()
        if self.hides_transactions:
            raise KafkaError(self.hides_transactions)
        return list(self.beside)

    def list_groups(self) -> list[Group]:
        self._read()
        return [replace(self.known[name], members=()) for name in sorted(self.known)]

    def offsets_for_time(
        self, partitions: t.Collection[TopicPartition], timestamp_ms: int
    ) -> dict[TopicPartition, int]:
        self._read()
        return {tp: self.times[tp] for tp in partitions if tp in self.times}

    def commit(self, group_id: str, offsets: t.Mapping[TopicPartition, CommittedOffset]) -> dict[TopicPartition, str]:
        try:
            self._vacant(group_id)
            stored = self.offsets.setdefault(group_id, {})
            lost = self.refuse.keys() | self.loses
            stored.update({tp: offset for tp, offset in offsets.items() if tp not in lost})
            self.known.setdefault(group_id, Group(group_id, "classic", "Empty"))
        finally:
            self.after_commit()
        if self.breaks:
            raise KafkaError("no usable answer from Kafka at fake:9092")
        return {tp: why for tp, why in self.refuse.items() if tp in offsets}

    def _vacant(self, group_id: str, topics: t.Collection[str] | None = None) -> None:
        """topics: a removal of offsets of these alone is refused only by members that read one of them."""
        self.before_commit()
        if self.down:
            raise KafkaError("Kafka at fake:9092 does not answer")
        group = self.known.get(group_id, Group(group_id))
        told = [member.subscribed for member in group.members]
        beside = topics is not None and None not in told and not set().union(*told) & set(topics)  # type: ignore[arg-type]
        if not group.is_empty and not beside:
            raise GroupNotEmptyError(f"group {group_id} has members", {"members": [m.member_id for m in group.members]})
        self.writes += 1

    def delete_offsets(self, group_id: str, partitions: t.Collection[TopicPartition]) -> dict[TopicPartition, str]:
        self._vacant(group_id, {tp.topic for tp in partitions})
        for tp in partitions:
            if tp not in self.refuse:
                self.offsets.get(group_id, {}).pop(tp, None)
                self.pending.get(group_id, set()).discard(tp)
        return {tp: why for tp, why in self.refuse.items() if tp in partitions}

    def delete_group(self, group_id: str) -> None:
        self._vacant(group_id)
        self.known.pop(group_id, None)
        self.offsets.pop(group_id, None)
        self.pending.pop(group_id, None)

    def remove_members(self, group_id: str, members: t.Collection[str]) -> None:
        self.writes += 1
        group = self.known[group_id]
        left = tuple(
            replace(m, member_id=f"{m.member_id}-again") if m.member_id in members else m
            for m in group.members
            if self.stubborn or m.member_id not in members
        )
        self.known[group_id] = replace(group, members=left, state="Stable" if left else "Empty")

    def join_static(self, group_id: str, *instances: str) -> None:
        """Static members join."""
        members = tuple(Member(f"{name}-id", "app", "10.0.0.2", name) for name in instances)
        before = self.known.get(group_id, Group(group_id)).members
        self.known[group_id] = Group(group_id, "classic", "Stable", (*before, *members))

    def seed(self, group_id: str, offsets: t.Mapping[TopicPartition, CommittedOffset], kind: str = "classic") -> None:
        """A group without members that has committed offsets."""
        self.offsets[group_id] = dict(offsets)
        self.known[group_id] = Group(group_id, kind, "Empty")

    def join(self, group_id: str, *clients: str, kind: str = "classic") -> None:
        """Members join."""
        members = tuple(Member(f"{client}-1", client, "10.0.0.1") for client in clients)
        self.known[group_id] = Group(group_id, kind, "Stable" if members else "Empty", members)
