# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pausing and running pods: check, real, repeat, check; changed behind our back; pods that do not answer."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    ClusterError,
    ConflictError,
    NotReadyError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.pods.pause_consumers import (
    PauseRequest,
    pause_consumers,
)
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import FakePod, World, changed

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)


@pytest.fixture
def running(world: World) -> World:
    """Two pods at work."""
    world.add_pods("blue", p1=FakePod(partitions={T0: 10}), p2=FakePod(partitions={T1: 20}))
    return world


def call(world: World, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    wanted = {"state": "paused", "epoch": 2, **options}
    return pause_consumers(world.ports, PauseRequest("Deployment", "blue", **wanted), check)


def test_check_real_repeat_check(running: World) -> None:
    predicted = call(running, check=True)
    assert predicted["changed"] is True
    assert predicted["diff"] == {
        "before": {"p1": "ACTIVE", "p2": "ACTIVE"},
        "after": {"p1": "DRAINED", "p2": "DRAINED"},
    }
    assert running.consumers.sent == []

    done = call(running)
    assert (done["changed"], done["diff"]) == (True, predicted["diff"])
    assert running.consumers.commands == {"pause": 2}
    assert [(pod["state_before"], pod["state"], pod["in_state"], pod["commanded"]) for pod in done["pods"]] == [
        ("ACTIVE", "DRAINED", True, True)
    ] * 2
    assert done["pods"][0]["partitions"] == [
        {"topic": "t", "partition": 0, "paused": True, "position": 10, "committed": 10}
    ]

    for check in (False, True):
        again = call(running, check)
        assert (again["changed"], again["diff"]["before"]) == (False, again["diff"]["after"])
    assert running.consumers.commands == {"pause": 2}, "nothing was sent again"


def test_an_older_epoch_is_told_again_and_a_newer_one_is_fine(running: World) -> None:
    call(running)
    assert call(running, epoch=3)["changed"] is True
    assert call(running, epoch=2)["changed"] is False


def test_only_pods_that_are_not_in_the_state_are_told(running: World) -> None:
    running.consumers.pods["p1"].command("pause", {"epoch": 2})
    assert call(running)["changed"] is True
    assert [name for name, command, body in running.consumers.sent] == ["p2"]


def test_a_slow_pod_is_waited_for(running: World) -> None:
    running.consumers.pods["p1"].slow = 6
    result = call(running)
    assert result["pods"][0]["state"] == "DRAINED"
    assert running.clock.slept


def test_a_pause_is_undone_at_its_own_epoch(running: World) -> None:
    call(running)
    predicted = call(running, check=True, state="running")
    assert predicted["diff"]["after"] == {"p1": "ACTIVE", "p2": "ACTIVE"}
    done = call(running, state="running")
    assert (done["changed"], done["diff"]) == (True, predicted["diff"])
    assert running.consumers.sent[-1][1:] == ("resume", {"epoch": 2, "waitMs": 2000})
    assert call(running, state="running")["changed"] is False


def test_pods_whose_colour_is_not_active_stay_paused(running: World) -> None:
    """They only read the record again: a wake is no order to process."""
    call(running)
    for pod in running.consumers.pods.values():
        pod.follows = False
    with pytest.raises(NotReadyError, match="pod p1 is DRAINED at epoch 2"):
        call(running, state="running", timeout=3.0)


def test_an_address_that_belongs_to_another_pod_by_now(running: World) -> None:
    running.consumers.pods["p1"].busy = 421
    assert call(running)["changed"] is True


def test_running_goes_on(running: World) -> None:
    call(running)
    assert call(running, state="running", epoch=3)["changed"] is True
    assert running.consumers.commands["resume"] == 2


def test_standby(running: World) -> None:
    call(running)
    assert call(running, state="standby", epoch=3)["changed"] is True
    assert running.consumers.sent[-1][1:] == ("prepare", {"epoch": 3, "standby": "hot", "waitMs": 2000})


@pytest.mark.parametrize(("standby", "member_state"), [("hot", "unjoined"), ("hot", "rebalancing"), ("cold", "stable")])
def test_a_pod_stands_by_only_as_it_was_asked_to(running: World, standby: str, member_state: str) -> None:
    call(running)
    running.consumers.pods["p1"].member_state = member_state
    running.consumers.pods["p2"].member_state = {"hot": "stable", "cold": "unjoined"}[standby]
    with pytest.raises(NotReadyError, match="pod p1 is STANDBY at epoch 3") as raised:
        call(running, state="standby", standby=standby, epoch=3, timeout=1.0)
    assert [pod["in_state"] for pod in raised.value.result["pods"]] == [False, True]


@pytest.mark.parametrize("code", [500, 503])
def test_a_pod_that_cannot_yet_is_told_again(running: World, code: int) -> None:
    running.consumers.pods["p1"].busy = code
    assert call(running)["changed"] is True
    assert [name for name, command, body in running.consumers.sent].count("p1") == 2


@pytest.mark.parametrize("code", [400, 401, 423])
def test_a_refusal_ends_it_at_once(running: World, code: int) -> None:
    running.consumers.pods["p1"].busy = code
    with pytest.raises(ConflictError, match=f"answered {code}: not yet"):
        call(running)


def test_a_running_pod_refuses_to_stand_by(running: World) -> None:
    with pytest.raises(ConflictError, match=r"refuses to be standby at epoch 2.*answered 409: active") as raised:
        call(running, state="standby")
    assert raised.value.result["changed"] is False


def test_a_newer_epoch_refuses_us(running: World) -> None:
    running.consumers.pods["p2"].epoch = 9
    with pytest.raises(ConflictError, match="epoch 2 is stale") as raised:
        call(running)
    assert raised.value.result["changed"] is True, "the other pod had been told"


def test_a_silent_pod_is_not_paused(running: World) -> None:
    running.consumers.pods["p2"].silent = True
    with pytest.raises(NotReadyError, match=r"pod p2 did not answer: timed out .phase Running") as raised:
        call(running, timeout=2.0)
    assert [(pod["name"], pod["in_state"]) for pod in raised.value.result["pods"]] == [("p1", True), ("p2", False)]
    assert call(running, check=True)["changed"] is True


def test_pods_that_come_and_go_are_found(running: World) -> None:
    pods = running.cluster.owned["blue"]
    looks: list[int] = []

    def replaced() -> None:
        looks.append(1)
        if len(looks) == 2:  # the pods of the first look are all in the state
            pods[1] = Pod("p3", "uid-p3")
            running.consumers.pods["p3"] = FakePod()

    running.cluster.on_pods = replaced
    result = call(running)
    assert [pod["name"] for pod in result["pods"]] == ["p1", "p3"]
    assert running.consumers.pods["p3"].state == "DRAINED"
    assert result["pods"][1]["state_before"] is None


def test_terminating_pods_count_and_finished_ones_do_not(running: World) -> None:
    pods = running.cluster.owned["blue"]
    pods[0] = changed(pods[0], terminating=True)
    pods[1] = changed(pods[1], phase="Failed")
    result = call(running)
    assert [name for name, command, body in running.consumers.sent] == ["p1"]
    assert [(pod["name"], pod["in_state"]) for pod in result["pods"]] == [("p1", True)]


def test_a_pod_that_has_not_started_is_not_paused(running: World) -> None:
    pods = running.cluster.owned["blue"]
    pods[0] = changed(pods[0], phase="Pending", problem="ErrImagePull: no such image")
    running.consumers.pods["p1"].silent = True
    with pytest.raises(NotReadyError, match="ErrImagePull: no such image"):
        call(running, timeout=1.0)


def test_no_pods_are_paused_but_do_not_run(world: World) -> None:
    world.add_pods("blue")
    assert call(world)["changed"] is False
    with pytest.raises(NotReadyError, match="scaled to 0"):
        call(world, state="running")


def test_stopped_is_drained_and_out_of_the_group(running: World) -> None:
    predicted = call(running, check=True, state="stopped")
    with pytest.raises(NotReadyError, match="member stable"):
        call(running, state="stopped", timeout=1.0)
    assert running.consumers.sent[0][1:] == (
        "pause",
        {"epoch": 2, "mode": "drain", "waitMs": 2000, "leaveGroup": True},
    )
    assert predicted["diff"]["after"] == {"p1": "DRAINED, not a member", "p2": "DRAINED, not a member"}
    for pod in running.consumers.pods.values():
        pod.member_state = "unjoined"
    done = call(running, state="stopped")
    assert (done["changed"], done["proof"]) == (False, "drained")
    assert done["diff"]["before"] == predicted["diff"]["after"]


@pytest.mark.parametrize("state", ["standby", "stopped"])
def test_a_pod_that_has_not_joined_yet_is_told_to_stay_out(running: World, state: str) -> None:
    for pod in running.consumers.pods.values():
        # It read the epoch in the record and is on its way into its group.
        pod.state, pod.member_state, pod.epoch, pod.epoch_source = "STANDBY", "unjoined", 2, "configmap"
    assert call(running, state=state, standby="cold")["changed"] is True
    assert {name for name, _command, _body in running.consumers.sent} == {"p1", "p2"}
    assert call(running, state=state, standby="cold")["changed"] is False


def test_a_fenced_pod_is_stopped_but_not_proven_drained(running: World) -> None:
    for pod in running.consumers.pods.values():
        pod.state, pod.member_state, pod.epoch = "FENCED", "unjoined", 2
        pod.partitions.clear()
    done = call(running, state="stopped")
    assert (done["changed"], done["proof"]) == (False, "reported")


def test_a_workload_that_is_not_there(world: World) -> None:
    with pytest.raises(ClusterError, match="Deployment blue does not exist"):
        call(world)
    world.cluster.down = True
    with pytest.raises(ClusterError, match="fake does not answer"):
        call(world)
