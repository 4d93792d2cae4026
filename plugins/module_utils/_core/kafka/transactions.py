# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Transactions begun on a partition and not ended: who reads only what is committed stops before them. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.times import readable
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition

AHEAD = 300_000
"""Milliseconds a producer's clock may be ahead of ours; a record from further in the future tells no age."""
NAMED = 3
"""Most transactions a message names."""
OFFSETS_TOPIC = "__consumer_offsets"
"""Where a broker keeps committed offsets. A transaction that commits some is open on the partition of their group."""


@dataclass(frozen=True)
class OpenTransaction:
    """One producer's open transaction on one partition; its first record there is at ``start_offset``.

    last_timestamp: of the last record the producer wrote there, milliseconds since 1970, -1 where unknown. A partition's
    leader does not tell when a transaction began; since when it is silent is what tells one that hangs from one at work.
    transactional_id, began (as last_timestamp), timeout (milliseconds): as its coordinator tells; unknown unless it was asked.
    """

    partition: TopicPartition
    producer_id: int
    producer_epoch: int
    start_offset: int
    last_timestamp: int = -1
    transactional_id: str = ""
    began: int = -1
    timeout: int = -1

    @property
    def ends(self) -> int | None:
        """When its coordinator aborts it (milliseconds since 1970); None where that is unknown."""
        return self.began + self.timeout if self.began >= 0 and self.timeout >= 0 else None

    def age(self, now: int) -> int | None:
        """Whole seconds since the last record; None where that is unknown. now: milliseconds since 1970."""
        if self.last_timestamp < 0 or self.last_timestamp > now + AHEAD:
            return None
        return max(0, now - self.last_timestamp) // 1000

    def words(self, now: int) -> str:
        """For a message: where, who, since where, and how old."""
        age = self.age(now)
        last = "at an unknown time" if age is None else f"{age} s ago"
        who = f"producer id {self.producer_id} (epoch {self.producer_epoch})"
        if self.transactional_id:
            who = f"{who} of transactional id {self.transactional_id}"
        return f"{self.partition}: {who}, open since offset {self.start_offset}, last record {last}{self._until()}"

    def _until(self) -> str:
        if self.ends is None:
            return ""
        return f", began {readable(self.began)}, is aborted by Kafka at about {readable(self.ends)}"


@dataclass(frozen=True)
class Transactions:
    """What was seen at ``now`` (milliseconds since 1970). unknown: why nothing could be seen, or empty."""

    found: tuple[OpenTransaction, ...]
    now: int
    unknown: str = ""

    @property
    def by_age(self) -> list[OpenTransaction]:
        """The oldest first; before them those of unknown age, which may be older."""
        return sorted(self.found, key=lambda one: -_age(one, self.now))

    def older_than(self, seconds: int) -> list[OpenTransaction]:
        """Those that are older, or of unknown age."""
        return [one for one in self.by_age if _age(one, self.now) > seconds]

    def named(self, some: t.Sequence[OpenTransaction]) -> str:
        """The first few of them."""
        return "; ".join(one.words(self.now) for one in some[:NAMED]) + (" ..." if len(some) > NAMED else "")

    @property
    def seen(self) -> str:
        """In a few words: how many, and how old the oldest is."""
        if self.unknown or not self.found:
            return "unknown" if self.unknown else "none"
        age = self.by_age[0].age(self.now)
        return f"{len(self.found)}, the oldest {'of unknown age' if age is None else f'{age} s old'}"


def abort_command(one: OpenTransaction) -> str:
    """What ends it from outside when its producer is gone."""
    where = f"--topic {one.partition.topic} --partition {one.partition.partition} --start-offset {one.start_offset}"
    return f"kafka-transactions.sh --bootstrap-server HOST:PORT abort {where}"


def offsets_partition(group_id: str, partitions: int) -> TopicPartition:
    """The partition of OFFSETS_TOPIC (it has so many) that has the offsets of a group: by Java's hash of its name."""
    code, units = 0, group_id.encode("utf-16-be")
    for at in range(0, len(units), 2):
        code = (31 * code + int.from_bytes(units[at : at + 2], "big")) & 0xFFFFFFFF
    # Java's numbers are signed, and the smallest one has no absolute value: Kafka takes 0 for it.
    positive = code if code < 2**31 else (2**32 - code) % 2**31
    return TopicPartition(OFFSETS_TOPIC, positive % partitions)


def pending_words(group_id: str, partitions: t.Collection[TopicPartition], seen: Transactions) -> str:
    """For a message: offsets that are not decided yet, what may hold them, and what ends that."""
    named = ", ".join(map(str, sorted(partitions)[:NAMED])) + (", ..." if len(partitions) > NAMED else "")
    said = f"Offsets of group {group_id} are part of an open transaction for {len(partitions)} partitions ({named})"
    if seen.unknown:
        return f"{said}. Whose it is cannot be seen: {seen.unknown}"
    if not seen.found:
        return f"{said}, which is ending just now"
    which = "It is" if len(seen.found) == 1 else f"It is one of {len(seen.found)}"
    return (
        f"{said}. {which}: {seen.named(seen.by_age)}. Its producer ends it, also by starting again with the same transactional "
        f"id; if that is gone for good, end it with: {abort_command(seen.by_age[0])}"
    )


def as_pending(seen: Transactions) -> list[dict[str, t.Any]]:
    """JSON-ready: transactions that may hold offsets of a group, with what is known of their end."""
    return [
        {
            **row,
            "transactional_id": one.transactional_id or None,
            "began": readable(one.began) if one.began >= 0 else None,
            "ends": None if one.ends is None else readable(one.ends),
            "abort": abort_command(one),
        }
        for row, one in zip(as_result(seen), _sorted(seen), strict=True)
    ]


def as_result(seen: Transactions) -> list[dict[str, t.Any]]:
    """JSON-ready, sorted by partition."""
    return [
        {
            "topic": one.partition.topic,
            "partition": one.partition.partition,
            "producer_id": one.producer_id,
            "producer_epoch": one.producer_epoch,
            "start_offset": one.start_offset,
            "age": one.age(seen.now),
        }
        for one in _sorted(seen)
    ]


def _sorted(seen: Transactions) -> list[OpenTransaction]:
    return sorted(seen.found, key=lambda one: (one.partition, one.start_offset))


def _age(one: OpenTransaction, now: int) -> float:
    age = one.age(now)
    return float("inf") if age is None else age
