# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the flip on nobody is needed: the operator's processes are killed right after it, and the target is at work."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

import pytest

from bgtools.ledger_report import Row
from demo.sandbox import Sandbox
from tests.bed.playbooks.untidy import World, other
from tests.bed.playbooks.watching import RECORD, PlaybookRun
from tests.unit.waiting import until

pytestmark = pytest.mark.bed

TIMES = 10
IN_A_HURRY = 2
"""Times that are not left to `make test-full`."""


@pytest.fixture(scope="module")
def world(sandbox: Sandbox, bed: Mapping[str, str]) -> World:
    return World(sandbox, bed)


def kill_after_the_flip(world: World, target: str) -> tuple[int, int]:
    """Kill a switch as soon as the record names the target: the last moment (ns) it did not, and when all were dead."""
    read = world.reader(RECORD)
    with PlaybookRun(world.sandbox, "switch") as run:
        run.wait_for("the armed record", lambda: world.state()[1] == "switching")
        before = [time.time_ns()]

        def active() -> str:
            asked, found = time.time_ns(), read()["active"]
            if found != target:
                before[0] = asked
            return found

        until("the flipped record", active, lambda found: found == target, every=0.0)
        run.kill()
        return before[0], time.time_ns()


@pytest.mark.parametrize(
    "number", [pytest.param(n, marks=[pytest.mark.long] if n >= IN_A_HURRY else []) for n in range(TIMES)]
)
def test_killed_right_after_the_flip(world: World, number: int) -> None:
    """T40: the target is at work although nobody wakes it. How soon is written down, and depends on the machine."""
    target = other(world.state()[0])
    with world.producing(rate=120, linger=20) as producer:
        before, dead = kill_after_the_flip(world, target)
        found = world.record()
        assert (found["active"], found["phase"]) == (target, "verifying"), "killed at another moment"
        epoch = int(found["epoch"])

        def begun() -> dict[tuple[str, int], Row]:
            """The first record of the target in each partition."""
            mine = [row for row in reversed(world.rows()) if row.colour == target and row.epoch >= epoch]
            return {row.tp: row for row in mine}

        until("the target at work in every partition", begun, lambda rows: len(rows) == 12)
        assert world.record() == found, "somebody else has helped"
        took = sorted((row.ns - dead) / 1e9 for row in begun().values())
        seen = {"killed_after_s": (dead - before) / 1e9, "first_s": took[0], "last_partition_s": took[-1]}
        with (world.sandbox.out / "killed.json").open("a", encoding="utf-8") as log:
            log.write(json.dumps(seen) + "\n")
        done = world.attempt("switch", "-e", f"bg_target={target}", name="finish")
        assert done.code == 0, done.output[-4000:]
        assert world.state() == (target, "stable")
        world.account(producer.stop(), f"killed-{number}", changes=number + 1 if number == 0 else None)
