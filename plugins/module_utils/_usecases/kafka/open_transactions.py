# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Look at open transactions: on some partitions, or those that hold offsets of a group, which can be waited for."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import KafkaError, PendingOffsetsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.times import to_milliseconds
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import (
    OpenTransaction,
    Transactions,
    as_pending,
    pending_words,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Clock, Kafka
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.looks import looks

POLL = 0.25
"""Seconds between two looks at offsets that are not decided yet."""


def open_transactions(kafka: Kafka, clock: Clock, partitions: t.Collection[TopicPartition]) -> Transactions:
    """Transactions open on the partitions. What keeps us from seeing them is part of the answer, not an error."""
    return _seen(clock, lambda: kafka.open_transactions(partitions))


def transactions_beside(kafka: Kafka, clock: Clock, group_id: str) -> Transactions:
    """Transactions that may hold offsets of the group; as ``open_transactions``."""
    return _seen(clock, lambda: kafka.transactions_beside(group_id))


def wait_decided(
    kafka: Kafka, clock: Clock, group_id: str, partitions: t.Collection[TopicPartition] | None, wait: float
) -> dict[TopicPartition, CommittedOffset]:
    """Committed offsets (None: all) once no open transaction has one of them.

    Raises PendingOffsetsError after ``wait`` seconds, with what may hold them and what ends it.
    """
    for _look in looks(clock, wait, POLL):
        try:
            return kafka.all_committed(group_id) if partitions is None else kafka.committed(group_id, partitions)
        except PendingOffsetsError as error:
            pending = error
    raise explained(kafka, clock, pending, wait) from pending


def explained(kafka: Kafka, clock: Clock, error: PendingOffsetsError, waited: float = 0.0) -> PendingOffsetsError:
    """The error with what may hold the offsets and what ends that, and the same as data in its result."""
    seen = transactions_beside(kafka, clock, error.group_id)
    after = f" (waited {waited:g} s)" if waited else ""
    told = PendingOffsetsError(error.group_id, error.partitions)
    told.message = pending_words(error.group_id, error.partitions, seen) + after
    told.args = (told.message,)
    told.result = {"pending_transactions": None if seen.unknown else as_pending(seen)}
    return told


def _seen(clock: Clock, look: t.Callable[[], list[OpenTransaction]]) -> Transactions:
    try:
        found, unknown = look(), ""
    except KafkaError as error:
        found, unknown = [], error.message
    return Transactions(tuple(found), to_milliseconds(clock.now()), unknown)
