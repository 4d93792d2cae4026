# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""A wait as others see it: result keys, a line for a terminal, and the state that the next slice goes on from. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.wait_goal import (
    Goal,
    Marks,
    Progress,
    Sample,
    estimate,
    rate,
)


def as_result(goal: Goal, progress: Progress, now: float) -> dict[str, t.Any]:
    """JSON-ready. now: on the clock that progress was measured with."""
    speed, left = _speed(progress), estimate(progress.history)
    added = () if progress.barrier is None else (tp for tp in progress.ends if tp not in progress.barrier)
    return {
        "satisfied": progress.satisfied,
        "elapsed": round(now - progress.began, 3),
        "attempts": progress.attempts,
        "remaining": progress.remaining,
        "rate": None if speed is None else round(speed, 1),
        "estimated_seconds": None if left is None else round(left, 1),
        "unchanged_polls": progress.unchanged,
        "barrier": None
        if goal.until != "barrier" or progress.barrier is None
        else [
            {"topic": tp.topic, "partition": tp.partition, "offset": progress.barrier[tp]}
            for tp in sorted(progress.barrier)
        ],
        "not_in_barrier": [{"topic": tp.topic, "partition": tp.partition} for tp in sorted(added)],
        "history": [asdict(sample) for sample in progress.history],
    }


def line(goal: Goal, group_id: str, timeout: float, progress: Progress, now: float) -> str:
    """Where a wait stands: ``group g: lag 1,200 records, 300/s processed, about 4 s left, waited 8 of 300 s``."""
    last = progress.history[-1]
    parts = [f"lag {_records(last.lag)}"]
    if goal.until == "empty":
        parts = [f"{last.members} members left"]
    elif goal.until == "stable":
        parts.append(f"unchanged for {progress.unchanged} of {goal.polls} polls")
    elif goal.until == "barrier":
        parts.append(f"{_records(last.remaining)} before the barrier")
    speed, left = _speed(progress), estimate(progress.history)
    if speed is not None:
        parts.append(f"{speed:,.0f}/s processed")
    if left is not None:
        parts.append(f"about {left:,.0f} s left")
    if progress.pending:
        parts.append(f"{progress.pending} pending in an open transaction")
    parts.append(f"waited {now - progress.began:.0f} of {timeout:g} s")
    trouble = f"; the last poll failed: {progress.trouble}" if progress.trouble else ""
    return f"group {group_id}: {', '.join(parts)}{trouble}"


def _speed(progress: Progress) -> float | None:
    """A group of which no offset is known is not slow: nothing is known of it."""
    return rate(progress.history) if progress.committed else None


def _records(number: t.Any) -> str:
    return "unknown" if number is None else f"{number:,} records"


def to_state(progress: Progress) -> dict[str, t.Any]:
    """JSON-ready."""
    marks = {name: _packed(getattr(progress, name)) for name in ("barrier", "committed", "ends")}
    return {**vars(progress), **marks, "history": [asdict(sample) for sample in progress.history]}


def from_state(state: t.Mapping[str, t.Any]) -> Progress:
    """The progress that to_state was given."""
    marks = {name: _unpacked(state[name]) for name in ("barrier", "committed", "ends")}
    return Progress(**{**state, **marks, "history": tuple(Sample(**sample) for sample in state["history"])})


def _packed(marks: Marks | None) -> dict[str, dict[str, int]] | None:
    if marks is None:
        return None
    packed: dict[str, dict[str, int]] = {}
    for tp, offset in marks.items():
        packed.setdefault(tp.topic, {})[str(tp.partition)] = offset
    return packed


def _unpacked(packed: t.Mapping[str, t.Mapping[str, int]] | None) -> dict[TopicPartition, int] | None:
    if packed is None:
        return None
    return {TopicPartition(topic, int(number)): o for topic, rows in packed.items() for number, o in rows.items()}
