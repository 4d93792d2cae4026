# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""consumer_pause through its main()."""

from __future__ import annotations

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.modules import consumer_pause as module
from ansible_collections.streamops.bluegreen.tests.unit.fakes.endpoints import FakeEndpoint
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


def test_a_pause_by_hand_is_undone(running: World, run_module: RunModule) -> None:
    run_module(module, running.ports, state="paused", **BLUE)
    result = run_module(module, running.ports, state="running", **BLUE)
    assert (result["rc"], result["changed"]) == (0, True)
    assert {pod.state for pod in running.consumers.pods.values()} == {"ACTIVE"}


def test_a_silent_pod(running: World, run_module: RunModule) -> None:
    running.consumers.pods["p2"].silent = True
    result = run_module(module, running.ports, state="paused", timeout=1, **BLUE)
    assert (result["failed"], [pod["in_state"] for pod in result["pods"]]) == (True, [True, False])


def test_service_down(running: World, run_module: RunModule) -> None:
    running.cluster.down = True
    assert "fake does not answer" in run_module(module, running.ports, state="paused", **BLUE)["msg"]


def test_stopped(running: World, run_module: RunModule) -> None:
    for pod in running.consumers.pods.values():
        pod.member_state = "unjoined"
    done = run_module(module, running.ports, state="stopped", **BLUE)
    assert (done["rc"], done["changed"], done["proof"], done["dialect"]) == (0, True, "drained", "bg/v1")
    assert running.consumers.sent[0][2]["leaveGroup"] is True


def test_another_dialect(world: World, run_module: RunModule) -> None:
    world.add_endpoints("blue", "/actuator/bindings", p1=FakeEndpoint("p1"))
    given = {"name": "blue", "namespace": "n", "dialect": "spring_cloud_stream", "targets": ["orders-in-0"]}
    predicted = run_module(module, world.ports, check=True, diff=True, state="paused", **given)
    done = run_module(module, world.ports, diff=True, state="paused", **given)
    assert (done["changed"], done["proof"], done["epoch"], done["diff"]) == (True, "reported", None, predicted["diff"])
    assert done["pods"][0]["evidence"] == {"orders-in-0": [{"binding": "orders-in-0", "group": "g", "state": "paused"}]}
    assert "shows what was asked of the binding" in str(done["warnings"])
    assert run_module(module, world.ports, state="paused", **given)["changed"] is False


def test_a_custom_dialect(world: World, run_module: RunModule) -> None:
    world.add_endpoints("blue", "", p1=FakeEndpoint("p1"))
    requests = [{"method": "PUT", "path": "/consumer", "body": {"hold": True}}]
    custom = {"status": {"path": "/consumer"}, "states": {"paused": {"when": "consumer.hold", "requests": requests}}}
    given = {"name": "blue", "namespace": "n", "dialect": "custom", "state": "paused"}
    done = run_module(module, world.ports, custom_dialect=custom, **given)
    assert (done["changed"], done["proof"]) == (True, "reported")
    bad = {"status": {"path": "x"}, "states": {"paused": {"when": "a.[", "requests": requests}}}
    faults = run_module(module, world.ports, custom_dialect=bad, targets=["t"], **given)["faults"]
    assert len(faults) == 3


def test_bg_v1_wants_an_epoch(running: World, run_module: RunModule) -> None:
    result = run_module(module, running.ports, state="paused", name="blue", namespace="n")
    assert result["faults"] == ["epoch is missing; dialect bg/v1 sends it with every command"]
    assert running.cluster.reads == 0
