# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The journal: runs, their steps, and what is kept of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import (
    HISTORY,
    Journal,
    Run,
    Step,
)


def run(run_id: str = "run", status: str = "running") -> Run:
    return Run(run_id, "switch", "hot", "blue", "green", "me", "now", 3, saved={"blue": 4, "green": 0}, status=status)


STEPS = st.builds(
    Step,
    st.text(max_size=8),
    st.text(max_size=8),
    st.text(max_size=8),
    st.none() | st.floats(0, 1e6),
    st.text(max_size=8),
)
RUNS = st.builds(
    Run,
    run_id=st.text(max_size=8),
    direction=st.sampled_from(("switch", "rollback")),
    mode=st.sampled_from(("hot", "cold")),
    source=st.just("blue"),
    target=st.just("green"),
    who=st.text(max_size=8),
    started=st.text(max_size=8),
    base_epoch=st.integers(0, 10**9),
    saved=st.dictionaries(st.sampled_from(("blue", "green")), st.integers(0, 100)),
    pods=st.dictionaries(
        st.sampled_from(("blue", "green")), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2)
    ),
    proven=st.booleans(),
    reached=st.sampled_from(("", "armed", "quiet")),
    steps=st.lists(STEPS, max_size=3).map(tuple),
    status=st.sampled_from(("running", "done", "aborted", "superseded")),
)


@given(st.none() | RUNS, st.lists(RUNS, max_size=3).map(tuple))
def test_what_is_written_is_read_again(current: Run | None, history: tuple[Run, ...]) -> None:
    journal = Journal(current, history)
    assert Journal.parse("j", journal.to_data()) == journal


def test_nothing_is_an_empty_journal() -> None:
    assert Journal.parse("j", {}) == Journal()
    assert Journal().unfinished is None


@pytest.mark.parametrize("data", [{"run": "{"}, {"run": "[]x"}, {"run": '{"run_id": "a"}'}, {"history": "3"}])
def test_what_is_not_a_journal_is_refused(data: dict[str, str]) -> None:
    with pytest.raises(InvalidSettingsError, match="ConfigMap j is not a journal"):
        Journal.parse("j", data)


def test_steps_begin_and_end() -> None:
    begun = run().begin("pause", "1").begin("flip", "2").begin("pause", "3")
    ended = begun.end("pause", "4", 12.34, "ok")
    assert [(step.name, step.finished) for step in ended.steps] == [("pause", ""), ("flip", ""), ("pause", "4")]
    assert ended.steps[2].ms == 12.3
    assert ended.end("never begun", "5", 1.0) == ended


def test_an_ended_run_moves_to_the_history_and_an_unfinished_one_is_superseded() -> None:
    journal = Journal(run("a", "done")).start(run("b"))
    assert journal.unfinished == run("b")
    assert [(old.run_id, old.status) for old in journal.history] == [("a", "done")]
    journal = journal.start(run("c"))
    assert [(old.run_id, old.status) for old in journal.history] == [("b", "superseded"), ("a", "done")]
    assert "taken over by c" in journal.history[0].note


def test_the_history_is_bounded() -> None:
    journal = Journal()
    for number in range(HISTORY + 5):
        journal = journal.start(run(str(number)).close("done", "later"))
    assert len(journal.history) == HISTORY
    assert journal.history[0].run_id == str(HISTORY + 3)


def test_a_closed_run_is_not_unfinished() -> None:
    journal = Journal(run()).update(run().close("aborted", "now", "why"))
    assert journal.unfinished is None
    assert journal.current is not None
    assert (journal.current.status, journal.current.note) == ("aborted", "why")
