# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person is told to type does what it says: each way is what the decision for it does."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import PHASES, ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal, Run
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import decision as d
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.way_back import as_result, way_back

NOW = "2026-01-01T00:30:00Z"
SWITCHED = ActiveRecord("green", 7, 7, "stable", "blue", "2026-01-01T00:00:00Z")


def run(source: str = "blue", direction: str = "switch", status: str = "running") -> Run:
    target = "green" if source == "blue" else "blue"
    return Run("r-1", direction, "hot", source, target, "me", "now", 5, status=status)


@pytest.mark.parametrize(
    ("record", "journal", "first"),
    [
        (SWITCHED, Journal(run(status="done")), ("rollback", "", "goes back to blue, until 2026-01-01T01:00:00Z")),
        (replace(SWITCHED, phase="verifying"), Journal(run()), ("rollback", "", "goes back to blue")),
        (ActiveRecord.first("blue"), Journal(), ("switch", "green", "goes to green")),
        # An aborted switch of an application that was switched before: nothing is undone by a rollback.
        (
            replace(SWITCHED, epoch=9),
            Journal(run("green", status="aborted"), (run(status="done"),)),
            ("", "", "nothing to undo: run r-1 was aborted, green continues"),
        ),
        (
            replace(SWITCHED, active="blue", previous="green", rollback_allowed=False),
            Journal(run("green", "rollback", "done")),
            ("switch", "green", "goes to green"),
        ),
        (
            ActiveRecord("blue", 6, 5, "switching"),
            Journal(run()),
            ("rollback", "", "undoes what was begun; blue continues"),
        ),
        (ActiveRecord("blue", 5, 5), Journal(run()), ("rollback", "", "undoes what was begun; blue continues")),
        (
            ActiveRecord("green", 8, 7, "rolling-back", "blue"),
            Journal(run("green", "rollback")),
            ("rollback", "", "finishes the rollback to blue"),
        ),
        # The window is over.
        (
            replace(SWITCHED, switch_timestamp="2025-01-01T00:00:00Z"),
            Journal(run(status="done")),
            ("switch", "blue", "goes to blue"),
        ),
    ],
)
def test_the_way_back(record: ActiveRecord, journal: Journal, first: tuple[str, str, str]) -> None:
    assert tuple(way_back(record, journal, NOW)[0]) == (*first, "")


def test_a_rollback_of_pods_that_do_not_answer_is_cold() -> None:
    """What only lets the active colour go on asks nobody."""
    ways = way_back(SWITCHED, Journal(run(status="done")), NOW, mute=True)
    assert [(way.playbook, way.mode) for way in ways] == [("rollback", "cold")]
    armed = replace(SWITCHED, phase="switching", epoch=8)
    ways = way_back(armed, Journal(run("green")), NOW, mute=True)
    assert [(way.playbook, way.mode) for way in ways] == [("rollback", ""), ("switch", "")]


def test_a_rollback_after_an_aborted_switch_moves_nothing() -> None:
    """It said "undo", and moved the work to the colour whose switch had just failed."""
    record, journal = replace(SWITCHED, epoch=9), Journal(run("green", status="aborted"), (run(status="done"),))
    back = d.rollback_target(record, journal, NOW)
    assert (back.colour, back.refused) == ("green", "")
    assert d.decide(record, journal.unfinished, back.colour).action == d.NOTHING
    later = Journal(replace(run(status="done"), run_id="r-2"), (journal.current,) if journal.current else ())
    assert d.rollback_target(record, later, NOW).colour == "blue"


def test_an_aborted_rollback_may_be_tried_again() -> None:
    journal = Journal(run("green", "rollback", "aborted"), (run(status="done"),))
    assert d.rollback_target(replace(SWITCHED, epoch=9), journal, NOW).colour == "blue"


def test_there_is_a_way_from_every_state_and_it_is_true() -> None:
    runs = [
        None,
        *(
            run(source, direction, status)
            for source in ("blue", "green")
            for direction in ("switch", "rollback")
            for status in ("running", "done", "aborted")
        ),
    ]
    for active, phase, previous, current, allowed in itertools.product(
        ("blue", "green"), PHASES, ("", "blue", "green"), runs, (True, False)
    ):
        record = ActiveRecord(active, 8, 7, phase, previous, "2026-01-01T00:00:00Z", allowed)
        journal = Journal(current)
        ways = way_back(record, journal, NOW)
        assert ways, (record, current)
        assert all(set(row) == {"playbook", "to", "does", "mode"} for row in as_result(ways))
        for way in ways:
            if way.playbook == "rollback":
                back = d.rollback_target(record, journal, NOW)
                assert back.refused == "", (record, current)
                assert back.colour in way.does, (record, current)
                assert d.decide(record, journal.unfinished, back.colour).action != d.NOTHING
            elif way.playbook == "switch":
                assert way.to in way.does
                assert d.decide(record, journal.unfinished, way.to).action != d.NOTHING
