# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Commit offsets of a group, or remove some, read them back, and compare: the only place that does it. Members prevent most of it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    GroupNotEmptyError,
    KafkaError,
    OffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Kafka, Ports

LISTED = 20
"""Partitions written out in a message."""

Changes = t.Mapping[TopicPartition, "CommittedOffset | None"]


@dataclass(frozen=True)
class Written:
    """What became of the changes. wrong: why a partition does not have its requested offset. beside: what was read with it.

    trouble: what stopped the write; some of it may have been done before. unread: why nobody knows what became of it, then
    wrong is empty.
    """

    wrong: t.Mapping[TopicPartition, str] = field(default_factory=dict)
    trouble: BlueGreenError | None = None
    unread: BlueGreenError | None = None
    beside: t.Mapping[str, t.Any] = field(default_factory=dict)


def write_offsets(ports: Ports, group: str, offsets: t.Mapping[TopicPartition, CommittedOffset]) -> int:
    """Make the group's commits equal to ``offsets``, read them back, and return how many changed.

    Raises GroupNotEmptyError when the group has members, PendingOffsetsError when some of its offsets are part of an open
    transaction, KafkaError, and OffsetsError when a partition was refused, reads back differently or cannot be read back.
    """
    before = ports.kafka.committed(group, list(offsets))
    changes = {tp: wanted for tp, wanted in offsets.items() if before.get(tp) != wanted}
    if not changes:
        return 0
    done = change_offsets(ports, group, changes)
    if done.trouble is not None:
        raise done.trouble
    if done.unread is not None:
        raise done.unread
    if done.wrong:
        raise OffsetsError(
            f"{len(done.wrong)} of {len(changes)} offsets of group {group} were not set: {named(done.wrong)}; "
            "either Kafka refuses them, or somebody else writes to the group"
        )
    return len(changes)


def change_offsets(
    ports: Ports, group: str, changes: Changes, beside: t.Mapping[str, t.Callable[[], t.Any]] | None = None
) -> Written:
    """Write the changes (None: remove the commit) and read them back. beside: other reads to make at the same time.

    Never raises for what the broker answers: a part may be done, and only the caller knows what to say of it. What was written
    is looked at also after an error, because an answer that is lost says nothing about the write.
    """
    writes = {tp: wanted for tp, wanted in changes.items() if wanted is not None}
    removals = [tp for tp, wanted in changes.items() if wanted is None]
    refused: dict[TopicPartition, str] = {}
    trouble: BlueGreenError | None = None
    try:
        refused |= ports.kafka.commit(group, writes) if writes else {}
        refused |= ports.kafka.delete_offsets(group, removals) if removals else {}
    except (GroupNotEmptyError, KafkaError) as error:
        trouble = error
    try:
        reads = {"stored": lambda: _stored(ports.kafka, group, writes, removals), **(beside or {})}
        found = ports.parallel.run(reads)
    except KafkaError as error:
        return Written(trouble=trouble, unread=error)
    stored = found.pop("stored")
    wrong = {
        tp: refused.get(tp) or f"reads back as {in_words(stored.get(tp))}"
        for tp, wanted in changes.items()
        if stored.get(tp) != wanted
    }
    return Written(wrong, trouble, beside=found)


def _stored(
    kafka: Kafka, group: str, writes: t.Collection[TopicPartition], removals: t.Collection[TopicPartition]
) -> dict[TopicPartition, CommittedOffset]:
    """What the group has now. A removal takes pending offsets away with it, so there a transaction is no reason to fail."""
    stored = kafka.committed(group, list(writes)) if writes else {}
    return stored | (kafka.committed_or_pending(group, removals)[0] if removals else {})


def named(wrong: t.Mapping[TopicPartition, str]) -> str:
    """The first partitions, with why, for a message."""
    texts = [f"{tp} ({why})" for tp, why in sorted(wrong.items())]
    more = f", and {len(texts) - LISTED} more" if len(texts) > LISTED else ""
    return ", ".join(texts[:LISTED]) + more


def in_words(committed: CommittedOffset | None) -> str:
    """All that a commit is."""
    if committed is None:
        return "not committed"
    return f"offset {committed.offset}, leader epoch {committed.leader_epoch}, metadata {committed.metadata!r}"
