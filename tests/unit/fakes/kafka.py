# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""FakeKafka with what only setting offsets needs: times, removal, eviction, topics that change under way."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import GroupNotEmptyError, KafkaError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    LogRange,
    Member,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import FakeKafka, World, nothing


@dataclass
class OffsetsKafka(FakeKafka):
    """times: offset of the first record at or after any time. breaks: the answer to the next commit never comes."""

    topic_ids: dict[str, str] = field(default_factory=dict)
    times: dict[TopicPartition, int] = field(default_factory=dict)
    breaks: bool = False
    after_commit: t.Callable[[], None] = nothing
    stubborn: bool = False
    """Evicted members join again."""
    fetched: list[t.Any] = field(default_factory=list)
    """What the committed offsets were asked for."""

    def topics(self, names: t.Collection[str]) -> dict[str, Topic]:
        found = super().topics(names)
        return {
            name: replace(topic, topic_id=self.topic_ids.get(name, topic.topic_id)) for name, topic in found.items()
        }

    def committed(
        self, group_id: str, partitions: t.Collection[TopicPartition]
    ) -> dict[TopicPartition, CommittedOffset]:
        self.fetched.append(partitions)
        return super().committed(group_id, partitions)

    def log_ranges(
        self, partitions: t.Collection[TopicPartition], read_committed: bool = False
    ) -> dict[TopicPartition, LogRange]:
        found = super().log_ranges(partitions, read_committed)
        return {tp: log._replace(epoch=self.logs[tp].epoch) for tp, log in found.items()}

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
            refused = super().commit(group_id, offsets)
        finally:
            self.after_commit()
        if self.breaks:
            raise KafkaError("no usable answer from Kafka at fake:9092")
        return refused

    def _vacant(self, group_id: str) -> None:
        self.before_commit()
        if self.down:
            raise KafkaError("Kafka at fake:9092 does not answer")
        group = self.known.get(group_id, Group(group_id))
        if not group.is_empty:
            raise GroupNotEmptyError(f"group {group_id} has members", {"members": [m.member_id for m in group.members]})
        self.writes += 1

    def delete_offsets(self, group_id: str, partitions: t.Collection[TopicPartition]) -> dict[TopicPartition, str]:
        self._vacant(group_id)
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


@dataclass
class OffsetsWorld(World):
    """World with this Kafka."""

    kafka: OffsetsKafka = field(default_factory=OffsetsKafka)
