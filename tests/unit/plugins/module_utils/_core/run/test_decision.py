# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do from any state, and which colour a rollback restores."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import PHASES, ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal, Run
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import decision as d
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.decision import decide, rollback_target

STABLE = ActiveRecord("blue", 5, 5, switch_timestamp="2026-01-01T00:00:00Z", previous="green")
ARMED = ActiveRecord("blue", 6, 5, "switching")
VERIFYING = ActiveRecord("green", 7, 7, "verifying", "blue")


def run(source: str = "blue", direction: str = "switch") -> Run:
    target = "green" if source == "blue" else "blue"
    return Run("run", direction, "hot", source, target, "me", "now", 5)


@pytest.mark.parametrize(
    ("record", "unfinished", "target", "action"),
    [
        (STABLE, None, "blue", d.NOTHING),
        (STABLE, None, "green", d.START),
        (STABLE, run(), "green", d.START),
        (STABLE, run(), "blue", d.CLEAN_UP),
        (STABLE, run("green"), "blue", d.SETTLE),
        (ARMED, run(), "green", d.START),
        (ARMED, run(), "blue", d.ABORT),
        (ARMED, None, "blue", d.ABORT),
        (VERIFYING, run(), "green", d.SETTLE),
        (VERIFYING, None, "green", d.SETTLE),
        (VERIFYING, run(), "blue", d.START),
    ],
)
def test_decisions(record: ActiveRecord, unfinished: Run | None, target: str, action: str) -> None:
    assert decide(record, unfinished, target).action == action


def test_there_is_a_decision_for_every_state() -> None:
    """And it never moves the work away from the wanted colour, nor leaves it with the other one."""
    seen = set()
    runs = [None, *(run(source, direction) for source in ("blue", "green") for direction in ("switch", "rollback"))]
    for active, phase, ahead, unfinished, target in itertools.product(
        ("blue", "green"), PHASES, (0, 1), runs, ("blue", "green")
    ):
        decision = decide(ActiveRecord(active, 5 + ahead, 5, phase), unfinished, target)
        seen.add(decision.action)
        assert decision.target == target
        assert decision.source != target
        assert (decision.action == d.START) == (active != target)
        assert decision.reason
        assert set(d.as_result(decision)) == {"action", "source", "target", "reason", "does"}
    assert seen == {d.NOTHING, d.START, d.SETTLE, d.ABORT, d.CLEAN_UP}


NOW = "2026-01-01T00:30:00Z"


@pytest.mark.parametrize(
    ("record", "unfinished", "colour"),
    [
        (VERIFYING, run(), "blue"),
        (VERIFYING, None, "blue"),
        (ARMED, run(), "blue"),
        (ARMED, None, "blue"),
        (STABLE, run(), "blue"),
        (STABLE, None, "green"),
        # A rollback that died is finished by starting it again, wherever it died.
        (STABLE, run(direction="rollback"), "green"),
        (ActiveRecord("green", 8, 7, "rolling-back", "blue"), run("green", "rollback"), "blue"),
        (ActiveRecord("green", 8, 7, "rolling-back", "blue"), None, "blue"),
        (ActiveRecord("blue", 9, 9, "rolling-back", "green", rollback_allowed=False), run("green", "rollback"), "blue"),
        # And one that ended is not undone by another.
        (ActiveRecord("blue", 9, 9, "stable", "green", rollback_allowed=False), None, "blue"),
    ],
)
def test_rollback_restores(record: ActiveRecord, unfinished: Run | None, colour: str) -> None:
    found = rollback_target(record, Journal(unfinished), NOW)
    assert (found.colour, found.refused) == (colour, "")


@pytest.mark.parametrize(
    ("timestamp", "now", "says"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T01:00:01Z", "closed 1 s ago"),
        ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", ""),
        ("2026-01-01T02:00:00+02:00", "2026-01-01T00:59:00.5Z", ""),
        ("yesterday", "2026-01-01T00:00:00Z", "not an RFC 3339 time"),
        ("", "2026-01-01T00:00:00Z", ""),
    ],
)
def test_the_rollback_window(timestamp: str, now: str, says: str) -> None:
    record = ActiveRecord("green", 5, 5, "stable", "blue", timestamp, rollback_window=3600)
    found = rollback_target(record, Journal(), now)
    assert says in found.refused
    assert bool(found.refused) == bool(says)


def test_the_window_does_not_hold_up_a_run_that_is_not_over() -> None:
    record = ActiveRecord("green", 5, 5, "verifying", "blue", "2020-01-01T00:00:00Z")
    assert rollback_target(record, Journal(run()), NOW).refused == ""


def test_nothing_to_roll_back() -> None:
    assert "nothing was ever switched" in rollback_target(ActiveRecord.first("blue"), Journal(), NOW).refused


FORBIDDEN = ActiveRecord("green", 7, 7, "stable", "blue", rollback_allowed=False)
DONE = replace(run(), status="done")
LATER = replace(run(), run_id="later", base_epoch=9, status="aborted")


@pytest.mark.parametrize(
    ("record", "journal"),
    [
        (FORBIDDEN, Journal(DONE)),
        (FORBIDDEN, Journal(LATER, (DONE,))),
        (FORBIDDEN, Journal(replace(DONE, status="superseded"))),
        (replace(FORBIDDEN, phase="verifying"), Journal(run())),
        (replace(FORBIDDEN, epoch=9), Journal(DONE)),
    ],
)
def test_a_rollback_that_somebody_forbade(record: ActiveRecord, journal: Journal) -> None:
    """No run writes false after a switch, so it was done by hand."""
    found = rollback_target(record, journal, NOW)
    assert found.colour == "blue"
    assert "switch run made green active, and since then somebody set rollback-allowed to false" in found.refused
    assert "use a switch to blue" in found.refused


@pytest.mark.parametrize(
    "journal",
    [
        Journal(),
        Journal(replace(run(direction="rollback"), status="done")),
        Journal(replace(DONE, base_epoch=3)),
        Journal(replace(DONE, base_epoch=6)),
        Journal(replace(run("green"), status="done")),
        Journal(replace(run(direction="rollback"), run_id="again", status="done"), (DONE,)),
    ],
)
def test_what_the_journal_does_not_prove_was_a_rollback(journal: Journal) -> None:
    """The record may have been changed without a journal: then it has said false since that rollback."""
    found = rollback_target(FORBIDDEN, journal, NOW)
    assert (found.colour, found.refused) == ("green", "")
