# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs beside somebody who scales the colours, too: autoscalers, and a tool that applies its repository again and again."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from demo.sandbox import Sandbox
from tests.bed.playbooks.untidy import Repeating, World, flat, other, says, workload
from tests.unit.waiting import HANG, until

pytestmark = pytest.mark.bed

TOOL = "argocd-controller"


@pytest.fixture(scope="module")
def world(sandbox: Sandbox, bed: Mapping[str, str]) -> World:
    return World(sandbox, bed)


@pytest.mark.parametrize("mode", ["hot", "cold"])
def test_an_autoscaler_of_the_target(world: World, mode: str) -> None:
    """T37, M4: it wants three pods where the source had two, and gets them, whenever it looks; the run goes through."""
    source, target = world.state()[0], other(world.state()[0])
    with world.producing() as producer:
        with world.applied(world.autoscaler(target, least=3)):
            done = world.attempt("switch", "-e", f"bg_mode={mode}", name=f"autoscaler-{mode}")
            assert done.code == 0, done.output[-5000:]
            says(flat(done.output), "HorizontalPodAutoscaler", f"{workload(target)}-load")
            assert world.state() == (target, "stable")
            # It looks every 15 s, so this may come only now.
            until("the autoscaler's replicas", lambda: world.sandbox.app.replicas(target), lambda number: number == 3)
            world.sandbox.app.wait_ready(target, HANG)
            again = world.attempt("switch", "-e", f"bg_target={target}", "-e", f"bg_mode={mode}", name=f"again-{mode}")
            assert again.code == 0, again.output[-5000:]
            assert world.sandbox.app.replicas(target) == 3, "a colour at work was scaled down"
        world.sandbox.app.scale(source, 2 if mode == "hot" else 0)
        world.at_work(target)
        world.account(producer.stop(), f"autoscaler-{mode}")


def test_replicas_applied_after_a_run_was_settled(world: World) -> None:
    """T38: one apply of a repository that knows of no switch, and nobody is at work. That is not called settled."""
    active = world.state()[0]
    idle = other(active)
    with world.producing() as producer:
        world.apply_replicas(TOOL, **{active: 0, idle: 2})
        until(f"{active} without pods", lambda: world.living(active), lambda pods: not pods)
        done = world.attempt("switch", "-e", f"bg_target={active}", name="settled-without-pods")
        said = flat(done.output)
        assert "active and settled" not in said, said[-3000:]
        if done.code:
            says(said, active, "scale")
            world.sandbox.app.scale(active, 2)
        world.at_work(active)
        world.account(producer.stop(), "settled-without-pods")


def test_replicas_put_back_every_three_seconds(world: World) -> None:
    """T38: a tool wants two pods of the source and none of the target, for as long as the run lasts."""
    source = world.state()[0]
    target = other(source)
    with world.producing() as producer:
        with Repeating(lambda: world.apply_replicas(TOOL, **{source: 2, target: 0})) as tool:
            since = time.time_ns()
            done = world.attempt("switch", name="put-back")
            assert done.code != 0
            says(flat(done.output), TOOL, workload(target))
            assert world.state() == (source, "stable")
            until("the tool's next turn", lambda: tool.times, lambda times, before=tool.times: times > before + 1)
            world.at_work(source)
        # A run that paused the source first would let it rest for the 120 s that a target has to start.
        assert world.longest_rest(since) < 60, "the run paused the source for a target that could not start"
        world.account(producer.stop(), "put-back")
