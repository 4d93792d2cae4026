# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""What a monitoring system is told of an application, from its stored state alone. No I/O.

Never from the time of day: the same state gives the same samples, so that who publishes them twice changes nothing. Ages are made
from the timestamps by whoever reads them. docs/metrics.md describes each name.
"""

from __future__ import annotations

import datetime
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import (
    COLOURS,
    ActiveRecord,
    phase_of,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import HandoffSnapshot
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import (
    CRITICAL,
    HAND_OVER,
    Journal,
    Run,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.decision import rollback_target
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.samples import Sample, in_order

Row: t.TypeAlias = "tuple[str, dict[str, str], float | None]"
"""Name, labels beside those of the application, and value; None leaves the series out."""

STAGES = ("before", "bake", "verify")
"""When gates are judged: before a run, while its target is watched, and after the hand-over."""


@dataclass(frozen=True)
class Begin:
    """A run that is about to begin, and of which the stored state knows nothing yet. at: RFC 3339."""

    direction: str
    at: str


@dataclass(frozen=True)
class State:
    """All that is known. metadata: that of the record's ConfigMap; snapshot: what the record names, None where that is nothing."""

    record: ActiveRecord
    journal: Journal
    snapshot: HandoffSnapshot | None = None
    metadata: t.Mapping[str, t.Any] = field(default_factory=dict)


def metrics_of(
    app: Application,
    state: State,
    judged: t.Mapping[str, t.Sequence[t.Mapping[str, str]]] | None = None,
    begins: Begin | None = None,
    labels: t.Mapping[str, str] | None = None,
) -> list[Sample]:
    """The samples, in the order of their names and labels. judged: rows of gates by stage, one of STAGES. labels: of every sample."""
    record, snapshot = state.record, state.snapshot
    phase, since = _phase(state, begins)
    found: list[Row] = [
        ("bg_epoch", {}, record.epoch),
        ("bg_phase_since_timestamp_seconds", {"phase": phase}, since),
        ("bg_switch_in_progress", {}, 0 if phase == "stable" else 1),
        ("bg_rollback_window_end_timestamp_seconds", {}, _window_end(record, state.journal)),
        ("bg_snapshot_timestamp_seconds", {}, _seconds(snapshot.taken) if snapshot else None),
    ]
    for colour in COLOURS:
        known = app.colours[colour]
        names = {"consumergroup": known.group, "workload_kind": app.workload_kind, "workload": known.workload}
        found.append(("bg_active_version", {"colour": colour}, 1 if record.active == colour else 0))
        found.append(("bg_colour_info", {"colour": colour, **names}, 1))
    counted = Counter(tp.topic for tp in snapshot.offsets) if snapshot else {}
    found += [("bg_offsets_copied", {"topic": topic}, count) for topic, count in counted.items()]
    found += _last_run(state.journal)
    found += _gates(judged or {})
    mine = {"app": app.name, "namespace": app.namespace, **(labels or {})}
    return in_order(Sample(name, {**mine, **own}, value) for name, own, value in found if value is not None)


def _phase(state: State, begins: Begin | None) -> tuple[str, float]:
    """The phase, and since when; 0 where nothing tells that.

    A run that has not reached the record yet counts as well: what died there would else look like an application at rest.
    """
    record, journal = state.record, state.journal
    run = journal.unfinished
    if record.armed:
        writer = next((one for one in _runs(journal) if one.run_id == record.run_id), None)
        armed = [step.started for step in (writer.steps if writer else ()) if step.name == HAND_OVER]
        return record.phase, _newest(armed[-1:]) or _written(state)
    if record.phase == "verifying":
        return record.phase, _newest([record.switch_timestamp, _aborted(journal)]) or _written(state)
    if run is not None and run.target == record.active:
        return "verifying", _newest([record.switch_timestamp, run.started]) or _written(state)
    if run is not None:
        return phase_of(run.direction), _seconds(run.started) or _written(state)
    if begins is not None:
        return phase_of(begins.direction), _seconds(begins.at) or _written(state)
    ended = journal.current.finished if journal.current else ""
    return "stable", _newest([record.switch_timestamp, ended]) or _written(state)


def _aborted(journal: Journal) -> str:
    """When a run gave a record back that was not settled before."""
    last = journal.current
    return last.finished if last is not None and last.status == "aborted" else ""


def _written(state: State) -> float:
    """When the record was last written, as Kubernetes tells: what is left where somebody changed it by hand. 0 where it tells nothing."""
    entries = state.metadata.get("managedFields") or []
    times = [entry.get("time") or "" for entry in entries if "f:data" in (entry.get("fieldsV1") or {})]
    return _newest(times) or _seconds(str(state.metadata.get("creationTimestamp") or "")) or 0.0


def _window_end(record: ActiveRecord, journal: Journal) -> float | None:
    """Until when a rollback is allowed. That this is over is for the reader to see: no state changes when it is."""
    begin = _seconds(record.switch_timestamp)
    if begin is None:
        return None
    back = rollback_target(record, journal, record.switch_timestamp)
    return None if back.refused or back.colour == record.active else begin + record.rollback_window


def _last_run(journal: Journal) -> list[Row]:
    """How the last run that ended did so, and how long its steps took."""
    run = next((one for one in _runs(journal) if not one.unfinished), None)
    if run is None:
        return []
    began, ended = _seconds(run.started), _seconds(run.finished)
    durations: dict[str, float] = {}
    for step in run.steps:  # one that was taken again counts as a whole
        if isinstance(step.ms, int | float) and step.name != HAND_OVER:
            durations[step.name] = durations.get(step.name, 0.0) + step.ms / 1000
    critical = [seconds for name, seconds in durations.items() if name in CRITICAL]
    if critical:
        durations["handover"] = sum(critical)
    if began is not None and ended is not None:
        durations["total"] = max(0.0, ended - began)
    return [
        ("bg_switch_last_timestamp_seconds", {"result": _result(run)}, ended),
        *(("bg_switch_duration_seconds", {"step": name}, round(took, 6)) for name, took in durations.items()),
    ]


def _result(run: Run) -> str:
    """One word for how a run ended. One that another run took over failed: it never came to its own end."""
    if run.status == "done":
        return "rolled_back" if run.direction == "rollback" else "success"
    return "aborted" if run.status == "aborted" else "failed"


def _gates(judged: t.Mapping[str, t.Sequence[t.Mapping[str, str]]]) -> list[Row]:
    """One row for each gate; of two with the same name the worse."""
    values: dict[tuple[str, str], int] = {}
    for stage, rows in judged.items():
        for row in rows:
            key = (stage, row["name"])
            values[key] = min(values.get(key, 1), 0 if row["verdict"] == gates.NO_GO else 1)
    return [("bg_gate", {"stage": stage, "gate": name}, value) for (stage, name), value in values.items()]


def _runs(journal: Journal) -> list[Run]:
    return [run for run in (journal.current, *journal.history) if run is not None]


def _newest(times: t.Iterable[str]) -> float | None:
    known = [seconds for seconds in map(_seconds, times) if seconds is not None]
    return max(known, default=None)


def _seconds(text: str) -> float | None:
    """Unix time of an RFC 3339 time; None where it is none. What has no zone could be any of 24 hours."""
    try:
        moment = datetime.datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo is not None else None
    except (ValueError, TypeError):
        return None
