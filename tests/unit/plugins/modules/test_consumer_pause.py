# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""consumer_pause through its main()."""

from __future__ import annotations

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.modules import consumer_pause as module
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import RunModule
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import FakePod, World

BLUE = {"name": "blue", "namespace": "n", "epoch": 2}


@pytest.fixture
def running(world: World) -> World:
    """Two pods at work."""
    world.add_pods("blue", p1=FakePod(partitions={TopicPartition("t", 0): 10}), p2=FakePod())
    return world


def test_check_real_repeat_check(running: World, run_module: RunModule) -> None:
    predicted = run_module(module, running.ports, check=True, diff=True, state="paused", **BLUE)
    assert (predicted["changed"], running.consumers.sent) == (True, [])
    done = run_module(module, running.ports, diff=True, state="paused", **BLUE)
    assert (done["changed"], done["diff"]) == (True, predicted["diff"])
    assert [pod["state"] for pod in done["pods"]] == ["DRAINED", "DRAINED"]
    for check in (False, True):
        again = run_module(module, running.ports, check=check, diff=True, state="paused", **BLUE)
        assert (again["changed"], again["diff"]["before"]) == (False, again["diff"]["after"])
    assert running.consumers.commands == {"pause": 2}


def test_running_at_offsets(running: World, run_module: RunModule) -> None:
    run_module(module, running.ports, state="paused", **BLUE)
    offsets = [{"topic": "t", "partition": 0, "offset": 12}]
    result = run_module(module, running.ports, state="running", offsets=offsets, **{**BLUE, "epoch": 3})
    assert (result["rc"], result["changed"]) == (0, True)
    assert running.consumers.sent[-1][2]["offsets"] == {"t": {"0": 12}}


def test_bad_offsets_are_listed(running: World, run_module: RunModule) -> None:
    offsets = [{"topic": "t", "partition": 0, "offset": 12}, {"topic": "t", "partition": 0, "offset": -2}]
    result = run_module(module, running.ports, state="running", offsets=offsets, **BLUE)
    assert len(result["faults"]) == 2


def test_a_silent_pod(running: World, run_module: RunModule) -> None:
    running.consumers.pods["p2"].silent = True
    result = run_module(module, running.ports, state="paused", timeout=1, **BLUE)
    assert (result["failed"], [pod["in_state"] for pod in result["pods"]]) == (True, [True, False])


def test_service_down(running: World, run_module: RunModule) -> None:
    running.cluster.down = True
    assert "fake does not answer" in run_module(module, running.ports, state="paused", **BLUE)["msg"]
