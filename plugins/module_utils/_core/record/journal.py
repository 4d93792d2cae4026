# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The journal: what the current run is doing and what it must put back, written before it is done. No I/O."""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass, field, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError

HISTORY = 10
"""Finished runs that are kept: enough to see a bad week, small enough for a ConfigMap."""
HAND_OVER = "hand over"
"""The step that begins just before a run arms the record, and holds all that follow."""
CRITICAL = ("quiesce source", "snapshot", "copy offsets", "flip", "activate target", "start target")
"""The steps during which records may wait."""


def journal_name(app: str) -> str:
    """Name of the ConfigMap that holds the journal."""
    return f"{app}-bg-journal"


@dataclass(frozen=True)
class Step:
    """One step of a run. finished is empty while it is under way; ms is its duration."""

    name: str
    started: str
    finished: str = ""
    ms: float | None = None
    result: str = ""


@dataclass(frozen=True)
class Run:
    """One switch or rollback.

    saved holds the replicas each workload had before the run touched it, by colour: what an abort puts back. pods holds
    the names and addresses of the pods that each colour had: by them a member of its group is known as ours. proven: the
    source was settled when the run began; an abort gives it back no better. reached: the step after which a step-by-step
    hand-over was stopped. status: running, done, aborted, or superseded (another run took its work over).
    """

    run_id: str
    direction: str
    mode: str
    source: str
    target: str
    who: str
    started: str
    base_epoch: int
    saved: t.Mapping[str, int] = field(default_factory=dict)
    pods: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)
    proven: bool = True
    reached: str = ""
    steps: tuple[Step, ...] = ()
    status: str = "running"
    finished: str = ""
    note: str = ""

    @classmethod
    def from_dict(cls, raw: t.Mapping[str, t.Any]) -> Run:
        """Read one run as stored; keys of another version are left out."""
        known = {key: value for key, value in raw.items() if key in cls.__dataclass_fields__}
        return cls(**{**known, "steps": tuple(Step(**step) for step in raw.get("steps", ()))})

    @property
    def unfinished(self) -> bool:
        """True until the run is done, aborted or superseded."""
        return self.status == "running"

    def begin(self, step: str, now: str) -> Run:
        """The run with one more step under way."""
        return replace(self, steps=(*self.steps, Step(name=step, started=now)))

    def end(self, step: str, now: str, ms: float, result: str = "ok") -> Run:
        """The run with its last step of that name ended."""
        steps = list(self.steps)
        for index in range(len(steps) - 1, -1, -1):
            if steps[index].name == step and not steps[index].finished:
                steps[index] = replace(steps[index], finished=now, ms=round(ms, 1), result=result)
                break
        return replace(self, steps=tuple(steps))

    def close(self, status: str, now: str, note: str = "") -> Run:
        """The run ended."""
        return replace(self, status=status, finished=now, note=note or self.note)


@dataclass(frozen=True)
class Journal:
    """The current or last run, and some before it."""

    current: Run | None = None
    history: tuple[Run, ...] = ()

    @classmethod
    def parse(cls, name: str, data: t.Mapping[str, str]) -> Journal:
        """Read the ConfigMap's data. Raises InvalidSettingsError when it is not what we wrote."""
        try:
            current = json.loads(data.get("run") or "null")
            history = json.loads(data.get("history") or "[]")
            return cls(
                current=Run.from_dict(current) if current else None,
                history=tuple(Run.from_dict(run) for run in history),
            )
        except (ValueError, TypeError, AttributeError) as error:
            fault = f"ConfigMap {name} is not a journal ({error}); if no run is under way, delete it"
            raise InvalidSettingsError([f"{fault}: the active record alone says which colour is active"]) from error

    def to_data(self) -> dict[str, str]:
        """The whole data of the ConfigMap."""
        return {
            "run": json.dumps(asdict(self.current), sort_keys=True) if self.current else "null",
            "history": json.dumps([asdict(run) for run in self.history], sort_keys=True),
        }

    @property
    def unfinished(self) -> Run | None:
        """The run that has begun and not ended, if there is one."""
        return self.current if self.current and self.current.unfinished else None

    def start(self, run: Run) -> Journal:
        """The journal with a new current run; an ended one moves to the history, an unfinished one is superseded."""
        if self.current is None:
            return replace(self, current=run)
        last = self.current
        if last.unfinished:
            last = last.close("superseded", run.started, f"taken over by {run.run_id}")
        return Journal(current=run, history=(last, *self.history)[:HISTORY])

    def update(self, run: Run) -> Journal:
        """The journal with its current run replaced."""
        return replace(self, current=run)
