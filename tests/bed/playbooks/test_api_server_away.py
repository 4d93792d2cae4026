# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API server answers nobody for half a minute, from inside a hand-over on."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping

import pytest

from demo.environment import Environment
from testbed import faults
from tests.bed.playbooks.untidy import World, flat, other, says, staged_world
from tests.bed.playbooks.watching import JOURNAL, PlaybookRun, process_of, with_signal

pytestmark = [pytest.mark.bed, pytest.mark.disturbing]

AWAY = 30.0
IDLE = 60.0
"""Seconds of rest after it came back that tell a run which ends by itself from one that sits out the 120 s for a start."""


@pytest.fixture
def repaired() -> Iterator[None]:
    """The API server goes on when the test ends, whatever happened."""
    yield
    faults.undo_all()


@pytest.fixture
def world(environment: Environment, bed: Mapping[str, str], repaired: None) -> Iterator[World]:
    with staged_world(environment, bed) as built:
        yield built
        faults.undo_all()  # or it could not be taken away again


def away_while_armed(world: World, run: PlaybookRun) -> int:
    """Stop the API server while the run waits for a pod of the source; when it answers again (ns)."""
    journal = world.sandbox.app.data(JOURNAL)
    holding = process_of(world.sandbox.app.pod_names(world.state()[0])[0])
    try:
        # Preflight has asked the source's pods by then.
        run.wait_for("the journal of the run", lambda: world.sandbox.app.data(JOURNAL) != journal)
        with_signal(holding, signal.SIGSTOP)
        run.wait_for("the armed record", lambda: world.state()[1] == "switching")
        faults.stop_api_server()
    finally:
        with_signal(holding, signal.SIGCONT)
    time.sleep(AWAY)
    faults.continue_api_server()
    return time.time_ns()


@pytest.mark.parametrize("mode", ["hot", "cold"])
def test_the_api_server_away_inside_the_hand_over(world: World, mode: str) -> None:
    """M1: the run goes through, or gives up by itself; nobody has to come, and nobody is idle for long."""
    source = world.state()[0]
    with world.producing() as producer:
        with PlaybookRun(world.sandbox, "switch", "-e", f"bg_mode={mode}") as run:
            back = away_while_armed(world, run)
            code, output = run.wait()
        found = world.state()
        if code == 0:
            assert found == (other(source), "stable")
        else:
            assert found[1] == "stable", f"given up half-way: {found}\n{output[-4000:]}"
            says(flat(output), f"{found[0]} continues" if found[0] == source else found[0])
        world.at_work(found[0])
        assert world.longest_rest(back) <= IDLE
        done = world.attempt("switch", "-e", "bg_target=green", "-e", f"bg_mode={mode}", name="afterwards")
        assert done.code == 0, done.output[-4000:]
        world.account(producer.stop(), f"away-{mode}", changes=1)
