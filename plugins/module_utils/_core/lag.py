# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""How far a group is behind. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)


@dataclass(frozen=True)
class PartitionLag:
    """One partition. lag in records, None where the group has no committed offset: unknown is not 0."""

    partition: TopicPartition
    committed: CommittedOffset | None
    log: LogRange

    @property
    def lag(self) -> int | None:
        """Records between the committed offset and the end of the log; never negative."""
        if self.committed is None:
            return None
        return max(0, self.log.end - max(self.committed.offset, self.log.start))


def lags(
    committed: t.Mapping[TopicPartition, CommittedOffset], ranges: t.Mapping[TopicPartition, LogRange]
) -> list[PartitionLag]:
    """Every partition of ``ranges``, sorted."""
    return [PartitionLag(tp, committed.get(tp), ranges[tp]) for tp in sorted(ranges)]


def total_lag(rows: t.Collection[PartitionLag]) -> int | None:
    """Sum over all partitions; None when that of one partition is unknown, or when there is none."""
    known = [row.lag for row in rows if row.lag is not None]
    return sum(known) if rows and len(known) == len(rows) else None


def as_result(rows: t.Iterable[PartitionLag]) -> list[dict[str, t.Any]]:
    """JSON-ready."""
    return [
        {
            "topic": row.partition.topic,
            "partition": row.partition.partition,
            "committed_offset": row.committed.offset if row.committed else None,
            "leader_epoch": row.committed.leader_epoch if row.committed else None,
            "metadata": row.committed.metadata if row.committed else None,
            "log_start_offset": row.log.start,
            "log_end_offset": row.log.end,
            "lag": row.lag,
        }
        for row in rows
    ]
