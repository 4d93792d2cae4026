# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Look at consumer groups: who is in them, how far they are, and what they have lost or will lose."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka import lag
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.retention import expiry
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import (
    as_pending,
    pending_words,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Kafka, Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.open_transactions import (
    transactions_beside,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.wait_lag import (
    describe,
    of_partitions,
)

AT_ONCE = 16
"""Groups whose offsets are read at the same time."""

Offsets = tuple[dict[TopicPartition, CommittedOffset], frozenset[TopicPartition]]
"""As last decided, and the partitions that have one in an open transaction."""


def matching(kafka: Kafka, pattern: str) -> list[str]:
    """Names of the groups that match a regular expression as a whole. Raises InvalidSettingsError when it is none."""
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise InvalidSettingsError([f"pattern {pattern!r} is not a regular expression: {error}"]) from error
    return [group.group_id for group in kafka.list_groups() if wanted.fullmatch(group.group_id)]


def read_groups(
    ports: Ports, group_ids: t.Sequence[str], topics: t.Sequence[str] = (), read_committed: bool = False
) -> list[dict[str, t.Any]]:
    """Every group, in the order asked. A group nobody knows is an answer, not an error.

    topics empty: those a group has committed offsets for or its members own. Committed offsets are read before the ends of
    the logs: a lag may be overstated, never understated.
    """
    kafka = ports.kafka
    groups = kafka.groups(group_ids)
    known = _topics_of(kafka, topics) if topics else {}
    offsets = _committed(ports, group_ids, known)
    if not topics:
        known = kafka.topics({name for group_id in group_ids for name in _names(groups[group_id], offsets[group_id])})
    partitions = [TopicPartition(name, number) for name in known for number in known[name].partitions]
    ranges = kafka.log_ranges(partitions, read_committed)
    retention, now = kafka.offsets_retention(), ports.clock.now()
    found = []
    for group_id in group_ids:
        group, (committed, pending) = groups[group_id], offsets[group_id]
        names = set(known) if topics else _names(group, offsets[group_id]) & set(known)
        rows = lag.lags(committed, {tp: log for tp, log in ranges.items() if tp.topic in names}, pending)
        seen = {
            **describe(group),
            "protocol_type": group.protocol_type,
            "protocol": group.protocol,
            **of_partitions(rows),
            "partitions": _rows(rows),
            "total_lost": sum(row.passed or 0 for row in rows),
            "expiry": expiry(group, retention, now, len(committed)),
        }
        if seen["pending"]:
            beside = transactions_beside(kafka, ports.clock, group_id)
            seen["pending_transactions"] = None if beside.unknown else as_pending(beside)
            seen["warnings"] = [pending_words(group_id, pending, beside)]
        found.append(seen)
    return found


def _topics_of(kafka: Kafka, topics: t.Sequence[str]) -> dict[str, Topic]:
    known = kafka.topics(topics)
    missing = [name for name in topics if name not in known]
    if missing:
        raise InvalidSettingsError([f"topic {name} does not exist, or may not be described" for name in missing])
    return known


def _committed(ports: Ports, group_ids: t.Sequence[str], topics: t.Mapping[str, Topic]) -> dict[str, Offsets]:
    """Offsets by group: of the named topics (one that may not be read is an error), or all we are shown."""
    partitions = [TopicPartition(name, number) for name in topics for number in topics[name].partitions]

    def read(group_id: str) -> t.Callable[[], Offsets]:
        return lambda: ports.kafka.committed_or_pending(group_id, partitions if topics else None)

    found: dict[str, Offsets] = {}
    for first in range(0, len(group_ids), AT_ONCE):
        found |= ports.parallel.run({group_id: read(group_id) for group_id in group_ids[first : first + AT_ONCE]})
    return found


def _names(group: Group, offsets: Offsets) -> set[str]:
    committed, pending = offsets
    owned = {tp.topic for member in group.members for tp in member.assignment}
    return {tp.topic for tp in committed} | {tp.topic for tp in pending} | owned


def _rows(rows: t.Sequence[lag.PartitionLag]) -> list[dict[str, t.Any]]:
    return [{**shown, "lost": row.passed} for shown, row in zip(lag.as_result(rows), rows, strict=True)]
