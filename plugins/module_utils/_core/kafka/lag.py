# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""How far a group is behind: the one rule, for modules, waits and gates. No I/O.

A lag counts offsets that are still there to be read. It is not known where the commit is not: where there is none although
there is something to read, and where one is part of an open transaction.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)


@dataclass(frozen=True)
class PartitionLag:
    """One partition. pending: an offset of it is part of an open transaction; committed is what was decided before."""

    partition: TopicPartition
    committed: CommittedOffset | None
    log: LogRange
    pending: bool = False

    @property
    def readable(self) -> int:
        """Offsets in the log, whoever read them."""
        return max(0, self.log.end - self.log.start)

    @property
    def position(self) -> int | None:
        """The next offset that the group can read; None where that is unknown. Where there is nothing to read it is known."""
        if self.pending or (self.committed is None and self.readable):
            return None
        return self.log.start if self.committed is None else max(self.committed.offset, self.log.start)

    @property
    def lag(self) -> int | None:
        """Offsets from there to the end of the log, never negative; None where it is unknown, which is not 0."""
        return None if self.position is None else max(0, self.log.end - self.position)

    @property
    def passed(self) -> int | None:
        """Offsets after the commit that retention deleted, records or not; None without a commit."""
        return None if self.committed is None else max(0, self.log.start - self.committed.offset)


def lags(
    committed: t.Mapping[TopicPartition, CommittedOffset],
    ranges: t.Mapping[TopicPartition, LogRange],
    pending: t.Collection[TopicPartition] = (),
) -> list[PartitionLag]:
    """Every partition of ``ranges``, sorted. pending: as ``Kafka.committed_or_pending`` tells."""
    return [PartitionLag(tp, committed.get(tp), ranges[tp], tp in pending) for tp in sorted(ranges)]


def uncommitted(rows: t.Iterable[PartitionLag]) -> list[PartitionLag]:
    """Partitions that have something to read and no commit: where their reader begins is somebody's decision."""
    return [row for row in rows if row.committed is None and row.readable and not row.pending]


def backlog(rows: t.Iterable[PartitionLag]) -> int:
    """Offsets that a reader which begins at the commits has before it, for a limit that asks whether a run is worth beginning.

    Where the commit is unknown the whole log counts. A partition that is a single offset behind does not: that may be a
    transaction's marker, which nobody commits beyond, and a thousand idle partitions would lag by a thousand for ever. It
    proves nothing.
    """
    return sum(row.readable if row.lag is None else row.lag for row in rows if row.lag != 1)


def pending(rows: t.Iterable[PartitionLag]) -> list[TopicPartition]:
    """Partitions whose commit an open transaction will decide."""
    return [row.partition for row in rows if row.pending]


def unreadable_tail(
    rest: int, remedy: str, stable: bool | None = None, closed: bool | None = None, still: bool | None = None
) -> str:
    """Why a lag of ``rest`` may stay for ever, as words for a message; empty when it is seen that this is not the reason.

    What is left may be aborted records or markers, which a reader of committed records is never given, and behind which its
    commit need not move. What tells that: stable, the last stable offset is the end of the log; closed, no transaction is
    open; still, the commits do not move while members read. None where it was not looked at. remedy: what to set.
    """
    signs = {
        "the last stable offset is the end of the log": stable,
        "no transaction is open": closed,
        "the commits do not move while the consumers read": still,
    }
    if rest < 1 or False in signs.values():
        return ""
    seen = [sign for sign, value in signs.items() if value]
    left = [sign for sign, value in signs.items() if value is None]
    said = f"The {rest} offsets may be aborted records or transaction markers, which readers of committed records skip"
    said += f": {_listed(seen)}" if seen else ""
    said += f"{';' if seen else ':'} it is so if {_listed(left)}" if left else ""
    return f"{said}. Then {remedy}" + ("; else the consumers hang" if still else "")


def _listed(signs: t.Sequence[str]) -> str:
    return ", ".join(signs[:-1]) + (" and " if len(signs) > 1 else "") + signs[-1]


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
