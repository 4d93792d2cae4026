"""From ledger rows to the audit's verdict. Pure: no Kafka, no clock."""

from __future__ import annotations

import functools
import itertools
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TopicPartition = tuple[str, int]
Window = Mapping[TopicPartition, tuple[int, int]]
SAMPLES = 20


@functools.cache
def _partition(topic: str, number: int) -> TopicPartition:
    """One tuple per partition instead of one per row: ledgers have millions of rows."""
    return topic, number


class RowError(ValueError):
    """A ledger message that is not what the contract says."""


@dataclass(frozen=True, order=True, slots=True)
class Row:
    """One processed record. ``ns`` is the wall clock of the pod in nanoseconds; the order of rows is by time."""

    ns: int
    tp: TopicPartition
    offset: int
    colour: str
    pod: str
    epoch: int

    @classmethod
    def parse(cls, value: bytes) -> Row:
        """Read one ledger message; raise `RowError`."""
        try:
            body = json.loads(value)
            return cls(
                ns=int(body["ns"]),
                tp=_partition(str(body["t"]), int(body["p"])),
                offset=int(body["o"]),
                colour=sys.intern(str(body["c"])),
                pod=sys.intern(str(body["pod"])),
                epoch=int(body["e"]),
            )
        except (ValueError, TypeError, KeyError) as error:
            raise RowError(f"ledger message {value[:200]!r}: {error!r}") from error


@dataclass(frozen=True)
class Change:
    """One partition's change from one colour to the other. ``gap_ms`` is negative when the two overlapped."""

    tp: TopicPartition
    source: str
    target: str
    epoch: int
    last_source_offset: int
    first_target_offset: int
    gap_ms: float


@dataclass
class Findings:
    """Everything the rows alone tell, for the offsets inside the window."""

    processed: dict[TopicPartition, set[int]] = field(default_factory=dict)
    duplicated: list[tuple[TopicPartition, int, list[Row]]] = field(default_factory=list)
    out_of_order: list[tuple[TopicPartition, int, int]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    rows: int = 0

    @property
    def both_colours(self) -> list[tuple[TopicPartition, int, list[Row]]]:
        """The duplicates that both colours processed: the ones a switch is to blame for."""
        return [entry for entry in self.duplicated if len({row.colour for row in entry[2]}) > 1]


def examine(rows: Iterable[Row], window: Window) -> Findings:
    """Judge the rows whose offset lies in ``window`` (first offset, end offset exclusive, by partition)."""
    histories: dict[TopicPartition, list[Row]] = {tp: [] for tp in window}
    for row in rows:
        first, end = window.get(row.tp, (0, 0))
        if first <= row.offset < end:
            histories[row.tp].append(row)
    findings = Findings()
    for tp, history in sorted(histories.items()):
        history.sort()
        findings.rows += len(history)
        by_offset: dict[int, list[Row]] = {}
        for row in history:
            by_offset.setdefault(row.offset, []).append(row)
        findings.processed[tp] = set(by_offset)
        findings.duplicated += [(tp, offset, same) for offset, same in sorted(by_offset.items()) if len(same) > 1]
        findings.out_of_order += _out_of_order(tp, history)
        findings.changes += _changes(tp, history)
    return findings


def _out_of_order(tp: TopicPartition, history: Sequence[Row]) -> list[tuple[TopicPartition, int, int]]:
    """Records processed for the first time after a later one: (partition, offset, the later offset)."""
    found, highest, seen = [], -1, set()
    for row in history:
        if row.offset < highest and row.offset not in seen:
            found.append((tp, row.offset, highest))
        highest = max(highest, row.offset)
        seen.add(row.offset)
    return found


def _changes(tp: TopicPartition, history: Sequence[Row]) -> list[Change]:
    """Changes of colour in the order of epochs, so that an overlap in time shows as a negative gap."""
    turns: list[list[Row]] = []
    for row in sorted(history, key=lambda row: (row.epoch, row.colour, row.ns)):
        if turns and turns[-1][0].colour == row.colour:
            turns[-1].append(row)
        else:
            turns.append([row])
    changes = []
    for before, after in itertools.pairwise(turns):
        last, first = max(before), min(after)
        changes.append(
            Change(
                tp=tp,
                source=last.colour,
                target=first.colour,
                epoch=first.epoch,
                last_source_offset=max(row.offset for row in before),
                first_target_offset=min(row.offset for row in after),
                gap_ms=(first.ns - last.ns) / 1e6,
            )
        )
    return changes


def missing(findings: Findings, window: Window) -> dict[TopicPartition, list[tuple[int, int]]]:
    """Ranges of offsets (first, last inclusive) in the window that no row names.

    They are lost only if the input topic holds a record there: transactions and compaction leave offsets empty.
    """
    ranges: dict[TopicPartition, list[tuple[int, int]]] = {}
    for tp, (first, end) in sorted(window.items()):
        at, found = first, []
        for offset in [*sorted(findings.processed.get(tp, ())), end]:
            if offset > at:
                found.append((at, offset - 1))
            at = max(at, offset + 1)
        if found:
            ranges[tp] = found
    return ranges


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile: a value that was measured, never an interpolation."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * share // 100))
    return ordered[int(rank) - 1]


def report(findings: Findings, window: Window, lost: Mapping[TopicPartition, Sequence[int]]) -> dict[str, Any]:
    """The verdict as JSON. Times in milliseconds; ``samples`` are the first few cases."""
    lost_all = [(tp, offset) for tp, offsets in sorted(lost.items()) for offset in offsets]
    absent = sum(last - first + 1 for ranges in missing(findings, window).values() for first, last in ranges)
    both = findings.both_colours
    return {
        "ok": not lost_all and not findings.duplicated,
        "window": {_name(tp): {"first": first, "end": end} for tp, (first, end) in sorted(window.items())},
        "offsets": sum(end - first for first, end in window.values()),
        "processed": sum(len(offsets) for offsets in findings.processed.values()),
        "emptyOffsets": absent - len(lost_all),
        "ledgerRows": findings.rows,
        "lost": {"count": len(lost_all), "samples": [f"{_name(tp)}@{offset}" for tp, offset in lost_all[:SAMPLES]]},
        "duplicated": {
            "count": len(findings.duplicated),
            "extraRows": sum(len(rows) - 1 for _, _, rows in findings.duplicated),
            "bothColours": len(both),
            "samples": [_duplicate(*entry) for entry in (both or findings.duplicated)[:SAMPLES]],
        },
        "outOfOrder": {
            "count": len(findings.out_of_order),
            "samples": [
                f"{_name(tp)}@{offset} after @{later}" for tp, offset, later in findings.out_of_order[:SAMPLES]
            ],
        },
        "changes": _summaries(findings.changes),
    }


def _name(tp: TopicPartition) -> str:
    return f"{tp[0]}-{tp[1]}"


def _duplicate(tp: TopicPartition, offset: int, rows: Sequence[Row]) -> str:
    by = ", ".join(f"{row.colour}/{row.pod} epoch {row.epoch}" for row in rows)
    return f"{_name(tp)}@{offset} by {by}"


def _summaries(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """One entry per hand-over: changes of all partitions to the same colour in the same epoch."""
    groups: dict[tuple[int, str, str], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.epoch, change.source, change.target), []).append(change)
    return [
        {
            "from": source,
            "to": target,
            "epoch": epoch,
            "partitions": len(group),
            "gapMs": {
                "p50": round(percentile([change.gap_ms for change in group], 50), 3),
                "p99": round(percentile([change.gap_ms for change in group], 99), 3),
                "max": round(max(change.gap_ms for change in group), 3),
                "min": round(min(change.gap_ms for change in group), 3),
            },
            "perPartition": {
                _name(change.tp): {
                    "gapMs": round(change.gap_ms, 3),
                    "lastSourceOffset": change.last_source_offset,
                    "firstTargetOffset": change.first_target_offset,
                }
                for change in sorted(group, key=lambda change: change.tp)
            },
        }
        for (epoch, source, target), group in sorted(groups.items())
    ]
