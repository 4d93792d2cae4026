# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The way back from where things stand, derived from the stored state: what a person is told is what the playbooks do. No I/O."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.decision import (
    ABORT,
    CLEAN_UP,
    NOTHING,
    SETTLE,
    START,
    aborted_run,
    decide,
    rollback_target,
)


class Way(t.NamedTuple):
    """A playbook (empty: there is nothing to do), the colour to name with bg_target (empty: none), what it does, and the mode that
    it needs (empty: as the application is described).
    """

    playbook: str
    to: str
    does: str
    mode: str = ""


def way_back(record: ActiveRecord, journal: Journal, now: str, mute: bool = False) -> list[Way]:
    """What may be typed now, the way back first. now: RFC 3339. mute: a pod of the active colour does not answer, so that preflight
    would refuse a hot rollback.
    """
    back = rollback_target(record, journal, now)
    ways = []
    if not back.refused:
        decision = decide(record, journal.unfinished, back.colour)
        if decision.action == START:
            finishes = "finishes the rollback to" if _rolls_back(record, journal) else "goes back to"
            ways.append(Way("rollback", "", f"{finishes} {back.colour}{_until(record)}", "cold" if mute else ""))
        elif decision.action in (ABORT, CLEAN_UP):
            ways.append(Way("rollback", "", f"undoes what was begun; {back.colour} continues"))
        elif decision.action == SETTLE:
            ways.append(Way("rollback", "", f"verifies {back.colour} and closes the run"))
    if record.armed or journal.unfinished or record.phase == "verifying":
        wanted = (
            journal.unfinished.target if journal.unfinished else (record.standby if record.armed else record.active)
        )
        if wanted != back.colour or back.refused:
            ways.append(Way("switch", wanted, f"finishes the run: {wanted} is active after it"))
    aborted = aborted_run(record, journal)
    if aborted is not None:
        ways.insert(0, Way("", "", f"nothing to undo: run {aborted.run_id} was aborted, {record.active} continues"))
    if decide(record, journal.unfinished, record.active).action == NOTHING and not any(way.playbook for way in ways):
        ways.append(Way("switch", record.standby, f"goes to {record.standby}"))
    return ways


def as_result(ways: t.Iterable[Way]) -> list[dict[str, str]]:
    """JSON-ready."""
    return [way._asdict() for way in ways]


def _rolls_back(record: ActiveRecord, journal: Journal) -> bool:
    unfinished = journal.unfinished
    return record.phase == "rolling-back" or (unfinished is not None and unfinished.direction == "rollback")


def _until(record: ActiveRecord) -> str:
    """Until when a rollback is open, where that is known and the run before it is over."""
    if record.phase != "stable" or not record.switch_timestamp:
        return ""
    try:
        end = datetime.datetime.fromisoformat(record.switch_timestamp) + datetime.timedelta(
            seconds=record.rollback_window
        )
    except (ValueError, OverflowError):
        return ""
    return f", until {end:%Y-%m-%dT%H:%M:%SZ}"
