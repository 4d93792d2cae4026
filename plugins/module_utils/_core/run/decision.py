# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""What a run has to do, decided from the stored state alone, so that any machine can finish or undo any run."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import (
    ActiveRecord,
    phase_of,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal, Run

NOTHING = "nothing"
"""The wanted colour is active and settled."""
START = "start"
"""Move the work from the active colour to the other one (also after a run that was killed before its flip)."""
SETTLE = "settle"
"""The wanted colour is active, and that it is well at work was not proven yet, or the run not closed."""
ABORT = "abort"
"""A hand-over was armed but not flipped, and the active colour is the wanted one: let it go on."""
CLEAN_UP = "clean_up"
"""A run ended before it armed anything: put back what it prepared."""

ACTIONS = (NOTHING, START, SETTLE, ABORT, CLEAN_UP)


@dataclass(frozen=True)
class Decision:
    """action is one of the constants above; source and target are colours; reason is for people."""

    action: str
    source: str
    target: str
    reason: str

    @property
    def does(self) -> str:
        """What a run would do, for people: to be read after "would"."""
        return {
            NOTHING: "do nothing",
            START: f"hand over from {self.source} to {self.target}",
            SETTLE: f"verify {self.target} and close the run before",
            ABORT: f"let {self.target} continue",
            CLEAN_UP: "put back what the run before prepared",
        }[self.action]


def decide(record: ActiveRecord, unfinished: Run | None, target: str) -> Decision:
    """What to do so that ``target`` ends up active, from whatever state a run was killed in."""
    source = record.active
    if target != source:
        reason = f"{source} is active at epoch {record.epoch}"
        if unfinished:
            reason += f"; run {unfinished.run_id} ({unfinished.direction} to {unfinished.target}) did not end and is taken over"
        return Decision(START, source, target, reason)
    standby = record.standby
    if record.armed:
        return Decision(
            ABORT, standby, target, f"a hand-over to {standby} was armed at epoch {record.epoch} and did not happen"
        )
    if record.phase == "verifying":
        return Decision(SETTLE, standby, target, f"{target} took over at epoch {record.epoch} and was not settled")
    if unfinished and unfinished.target == target:
        return Decision(SETTLE, standby, target, f"run {unfinished.run_id} did everything but close its journal")
    if unfinished:
        return Decision(
            CLEAN_UP,
            standby,
            target,
            f"run {unfinished.run_id} prepared {unfinished.target} and ended before the hand-over",
        )
    return Decision(
        NOTHING, standby, target, f"{target} is active and settled since {record.switch_timestamp or 'the beginning'}"
    )


@dataclass(frozen=True)
class RollbackTarget:
    """The colour a rollback restores, or why there is none (``refused``)."""

    colour: str
    refused: str = ""


def rollback_target(record: ActiveRecord, journal: Journal, now: str) -> RollbackTarget:
    """Which colour a rollback restores: the source of an unfinished switch, else the colour before the last one.

    A rollback that died is not undone by starting it again: it is finished.
    """
    unfinished = journal.unfinished
    if unfinished and unfinished.direction == "rollback":
        return RollbackTarget(unfinished.target)
    if record.armed:
        return RollbackTarget(record.standby if record.phase == phase_of("rollback") else record.active)
    if unfinished and record.phase == "stable" and unfinished.source == record.active:
        return RollbackTarget(record.active)
    if aborted_run(record, journal) is not None:
        # What the operator saw last was that run: "undo it" can't mean to move to the colour whose switch has just failed.
        return RollbackTarget(record.active)
    if not record.previous:
        return RollbackTarget(record.active, "nothing was ever switched: the record has no previous-version")
    if not record.rollback_allowed:
        switch = _switch_that_activated(record, journal)
        if switch is not None:
            return RollbackTarget(
                record.previous,
                f"switch {switch.run_id} made {record.active} active, and since then somebody set rollback-allowed to false in "
                f"the active record. Set it to true again, or use a switch to {record.previous} instead, which runs every gate",
            )
        # The last transition was itself a rollback: what it restored is what a rollback would restore.
        return RollbackTarget(record.active)
    expired = record.window_closed(now)
    if expired and not unfinished and record.phase == "stable":
        return RollbackTarget(record.previous, expired)
    return RollbackTarget(record.previous)


def aborted_run(record: ActiveRecord, journal: Journal) -> Run | None:
    """The switch that was the last run and did not happen, so that the colour it should have left goes on; else None."""
    last = journal.current
    aborted = last is not None and last.status == "aborted" and last.direction == "switch"
    return last if aborted and last is not None and last.source == record.active and not record.armed else None


def _switch_that_activated(record: ActiveRecord, journal: Journal) -> Run | None:
    """The switch by which the active colour became active, where the journal proves that it was one.

    A run arms at the epoch after the one it began with and flips at the next; no other run can have flipped at that epoch.
    """
    for run in (journal.current, *journal.history):
        if run is not None and run.target == record.active and run.base_epoch + 2 == record.activated_epoch:
            return run if run.direction == "switch" else None
    return None


def as_result(decision: Decision) -> dict[str, t.Any]:
    """JSON-ready."""
    return {
        "action": decision.action,
        "source": decision.source,
        "target": decision.target,
        "reason": decision.reason,
        "does": decision.does,
    }
