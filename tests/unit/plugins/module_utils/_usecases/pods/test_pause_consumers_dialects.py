# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every dialect: check, real, repeat, check; changed behind our back; and each way a pod can fail during the call.

The same stand-in serves real pods in tests/bed/test_consumer_pause.py.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    ClusterError,
    ConflictError,
    NotReadyError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.dialect_reader import parse_dialect
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.dialects import CUSTOM, DIALECTS
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.pods.pause_consumers import (
    PauseRequest,
    pause_consumers,
)
from ansible_collections.streamops.bluegreen.tests.unit.fakes.endpoints import FakeEndpoint
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World, changed

OWN: dict[str, t.Any] = {
    "status": {"path": "/consumer"},
    "evidence": "consumer",
    "states": {
        "paused": {
            "when": "consumer.hold",
            "requests": [{"method": "PUT", "path": "/consumer", "body": {"hold": True, "epoch": "{epoch}"}}],
        },
        "running": {
            "when": "consumer.hold == `false`",
            "requests": [{"method": "PUT", "path": "/consumer", "body": {"hold": False, "epoch": "{epoch}"}}],
        },
    },
}
BASE = {
    "pause_resume": "/seed",
    "spring_cloud_stream": "/actuator/bindings",
    "kafka_connect": "",
    "shawarma": "/applicationstate",
    CUSTOM: "",
}
TARGETS = {"spring_cloud_stream": ("orders-in-0",), "kafka_connect": ("orders-sink",)}
READABLE = ("pause_resume", "spring_cloud_stream", "kafka_connect", CUSTOM)


@pytest.fixture
def shared(tmp_path: Path) -> str:
    """What Connect's workers know in common."""
    return str(tmp_path / "connector")


def pods(world: World, dialect: str, shared: str = "", count: int = 2) -> dict[str, FakeEndpoint]:
    made = {f"p{n}": FakeEndpoint(f"p{n}", shared=shared) for n in range(1, count + 1)}
    world.add_endpoints("blue", BASE[dialect], **made)
    return made


def call(world: World, dialect: str, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    parsed, faults = parse_dialect(dialect, OWN if dialect == CUSTOM else DIALECTS[dialect])
    assert faults == []
    wanted = {"state": "paused", "dialect": parsed, "targets": TARGETS.get(dialect, ()), "epoch": 3, **options}
    return pause_consumers(world.ports, PauseRequest("Deployment", "blue", **wanted), check)


@pytest.mark.parametrize("dialect", READABLE)
def test_check_real_repeat_check(world: World, shared: str, dialect: str) -> None:
    made = pods(world, dialect, shared)
    for state, before in (("paused", "running"), ("running", "paused"), ("paused", "running")):
        sent = len(world.consumers.sent)
        predicted = call(world, dialect, check=True, state=state)
        assert predicted["changed"] is True
        assert predicted["diff"] == {"before": dict.fromkeys(made, before), "after": dict.fromkeys(made, state)}
        assert len(world.consumers.sent) == sent, "check mode told nobody"

        done = call(world, dialect, state=state)
        assert (done["changed"], done["diff"], done["proof"]) == (True, predicted["diff"], "reported")
        assert {pod["state"] for pod in done["pods"]} == {state}
        assert all(pod["in_state"] and pod["evidence"] for pod in done["pods"])

        sent = len(world.consumers.sent)
        for check in (False, True):
            again = call(world, dialect, check, state=state)
            assert (again["changed"], again["diff"]["before"]) == (False, again["diff"]["after"])
        assert len(world.consumers.sent) == sent, "nothing was sent again"
    assert len(done["warnings"]) == 1
    assert "Prove it with kafka_lag_wait" in done["warnings"][0]


def test_stopped_and_running_again(world: World, shared: str) -> None:
    for dialect in ("spring_cloud_stream", "kafka_connect"):
        made = pods(world, dialect, shared)
        call(world, dialect)
        assert call(world, dialect, state="stopped")["changed"] is True
        assert call(world, dialect, state="stopped")["changed"] is False
        assert call(world, dialect, state="running")["changed"] is True
        assert {endpoint.state for endpoint in made.values()} >= {"running"}


def test_spring_is_only_told_to_forget_its_pause_once_it_has_stopped(world: World) -> None:
    made = pods(world, "spring_cloud_stream", count=1)
    call(world, "spring_cloud_stream")
    world.consumers.sent.clear()
    call(world, "spring_cloud_stream", state="stopped")
    assert [body["state"] for _pod, _request, body in world.consumers.sent] == ["STOPPED", "RESUMED"]

    call(world, "spring_cloud_stream", state="running")
    call(world, "spring_cloud_stream")
    made["p1"].fault = "500"
    world.consumers.sent.clear()
    with pytest.raises(NotReadyError):
        call(world, "spring_cloud_stream", state="stopped", timeout=1.0)
    assert {body["state"] for _pod, _request, body in world.consumers.sent} == {"STOPPED"}, (
        "RESUMED would let it process"
    )


def test_an_unknown_binding_or_connector_is_not_paused(world: World) -> None:
    pods(world, "spring_cloud_stream", count=1)
    with pytest.raises(NotReadyError, match=r"its answer shows none of the states .*: \[\]"):
        call(world, "spring_cloud_stream", targets=("nope",), timeout=1.0)
    pods(world, "kafka_connect", count=1)
    with pytest.raises(NotReadyError, match="answered 404: No status found for connector nope"):
        call(world, "kafka_connect", targets=("nope",), state="running", timeout=1.0)


def test_all_targets_must_be_in_the_state(world: World) -> None:
    pods(world, "spring_cloud_stream", count=1)
    with pytest.raises(NotReadyError, match="shows none of the states"):
        call(world, "spring_cloud_stream", targets=("orders-in-0", "nope"), timeout=1.0)


def test_every_destination_of_a_spring_binding_counts(world: World) -> None:
    """Before 4.0.2 a binding of three destinations answers for one of them, and passes commands on to that one."""
    made = pods(world, "spring_cloud_stream", count=1)
    made["p1"].others = ["running", "running"]
    with pytest.raises(NotReadyError, match="shows none of the states") as raised:
        call(world, "spring_cloud_stream", timeout=1.0)
    [pod] = raised.value.result["pods"]
    assert [row["state"] for row in pod["evidence"]["orders-in-0"]] == ["paused", "running", "running"]
    assert "before 3.2.10 and 4.0.2 passes a command on to one destination only" in raised.value.message
    made["p1"].others = ["paused", "paused"]
    assert call(world, "spring_cloud_stream")["changed"] is False


def test_what_an_answer_holds_besides_is_not_shown(world: World) -> None:
    pods(world, "spring_cloud_stream", count=1)
    shown = str(call(world, "spring_cloud_stream"))
    assert "orders-in-0" in shown
    assert "s3cret" not in shown


def test_connect_gets_one_command_and_is_read_from_every_worker(world: World, shared: str) -> None:
    made = pods(world, "kafka_connect", shared, count=3)
    done = call(world, "kafka_connect")
    assert [request for _pod, request, _body in world.consumers.sent] == ["PUT /connectors/orders-sink/pause"]
    assert [pod["commanded"] for pod in done["pods"]].count(True) == 1
    assert all(endpoint.reads >= 2 for endpoint in made.values())
    # A worker that knows nothing of it keeps the connector from counting as paused.
    made["p2"]._cluster = lambda: "running"  # type: ignore[method-assign]
    with pytest.raises(NotReadyError, match="pod p2 is running"):
        call(world, "kafka_connect", timeout=1.0)


def test_connect_is_told_again_after_a_rebalance(world: World, shared: str) -> None:
    made = pods(world, "kafka_connect", shared, count=1)
    made["p1"].fault = "rebalance"
    assert call(world, "kafka_connect")["changed"] is True
    assert len(world.consumers.sent) == 2


def test_connect_tries_another_worker(world: World, shared: str) -> None:
    made = pods(world, "kafka_connect", shared, count=2)
    answering = made["p1"].handle

    def commands_fail(method: str, path: str, body: t.Any, token: str = "") -> tuple[int, bytes]:
        return answering(method, path, body, token) if method == "GET" else (500, b"{}")

    made["p1"].handle = commands_fail  # type: ignore[method-assign]
    made["p2"].fault = ""
    assert call(world, "kafka_connect")["changed"] is True
    assert {pod for pod, _request, _body in world.consumers.sent} >= {"p2"}


def test_shawarma_can_only_be_told(world: World) -> None:
    made = pods(world, "shawarma")
    predicted = call(world, "shawarma", check=True)
    assert (predicted["changed"], world.consumers.sent) == (True, [])
    for _run in range(2):
        done = call(world, "shawarma")
        assert (done["changed"], done["proof"], done["diff"]) == (True, "accepted", predicted["diff"])
        assert {endpoint.state for endpoint in made.values()} == {"paused"}
    assert world.consumers.reads == 0
    assert "cannot be asked for its state" in done["warnings"][0]
    assert call(world, "shawarma", state="running")["warnings"] != []
    made["p2"].fault = "500"
    with pytest.raises(NotReadyError, match="has not taken the command"):
        call(world, "shawarma", timeout=1.0)


def test_a_pod_without_partitions_is_paused_once_it_was_told(world: World) -> None:
    made = pods(world, "pause_resume")
    made["p2"].partitions = 0
    done = call(world, "pause_resume")
    assert [(pod["commanded"], pod["in_state"]) for pod in done["pods"]] == [(True, True), (True, True)]
    assert made["p2"].state == "paused"
    world.consumers.sent.clear()
    again = call(world, "pause_resume")
    assert [pod for pod, _request, _body in world.consumers.sent] == ["p2"], "it can't say that it is paused"
    assert [pod["in_state"] for pod in again["pods"]] == [True, True]


def test_the_epoch_of_a_custom_dialect_is_sent(world: World) -> None:
    pods(world, CUSTOM, count=1)
    call(world, CUSTOM)
    assert world.consumers.sent == [("p1", "PUT /consumer", {"hold": True, "epoch": 3})]


@pytest.mark.parametrize("dialect", READABLE)
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("500", "pod p2 answered 500: it broke"),
        ("hang", "pod p2 did not answer: timed out"),
        ("broken", "pod p2 answered 200 with something that is not JSON"),
    ],
)
def test_a_pod_that_fails_is_named_and_the_others_are_paused(
    world: World, shared: str, dialect: str, fault: str, message: str
) -> None:
    made = pods(world, dialect, shared)
    made["p2"].fault = fault
    with pytest.raises(NotReadyError, match=message) as raised:
        call(world, dialect, timeout=2.0)
    result = raised.value.result
    assert [(pod["in_state"], pod["state"]) for pod in result["pods"]] == [(True, "paused"), (False, None)]
    assert message.split(" with", maxsplit=1)[0] in result["pods"][1]["error"]
    assert (result["changed"], result["proof"]) == (True, "none")
    assert world.clock.time < 3.0
    assert call(world, dialect, check=True)["changed"] is True


@pytest.mark.parametrize("fault", ["500", "broken"])
def test_a_pod_whose_answer_cannot_be_read_is_told_to_pause_but_not_to_run(world: World, fault: str) -> None:
    made = pods(world, CUSTOM)
    made["p2"].fault = fault
    with pytest.raises(NotReadyError):
        call(world, CUSTOM, timeout=2.0)
    assert [pod for pod, _request, _body in world.consumers.sent] == ["p1", "p2", "p2"], "again after a second"
    with pytest.raises(NotReadyError):
        call(world, CUSTOM, state="running", timeout=2.0)
    assert [pod for pod, _request, _body in world.consumers.sent][3:] == ["p1"], "it is not let loose"


def test_a_refusal_ends_it_at_once(world: World) -> None:
    made = pods(world, CUSTOM)
    made["p2"].fault = "refuse"
    with pytest.raises(ConflictError, match="refuses to be paused: pod p2 answered 423: this pod is fenced") as raised:
        call(world, CUSTOM)
    assert (raised.value.result["changed"], world.clock.time) == (True, 0.0)


def test_a_pod_that_fails_for_a_while_is_waited_for(world: World) -> None:
    made = pods(world, CUSTOM)
    made["p2"].fault = "500"
    world.cluster.on_pods = lambda: setattr(made["p2"], "fault", "500" if world.clock.time < 1.0 else "")
    done = call(world, CUSTOM)
    assert [pod["in_state"] for pod in done["pods"]] == [True, True]
    assert made["p2"].state == "paused"


def test_a_pod_that_is_let_loose_behind_our_back_is_paused_again(world: World) -> None:
    made = pods(world, CUSTOM)
    looks: list[int] = []

    def meddle() -> None:
        looks.append(1)
        if len(looks) == 3:
            made["p1"].state = "running"

    world.cluster.on_pods = meddle
    call(world, CUSTOM)
    assert made["p1"].state == "paused"
    assert [pod for pod, _request, _body in world.consumers.sent] == ["p1", "p2", "p1"]


def test_a_pod_that_dies_and_comes_back_under_its_name_is_another_one(world: World) -> None:
    made = pods(world, "shawarma")
    looks: list[int] = []

    def replaced() -> None:
        looks.append(1)
        if len(looks) == 2:
            world.cluster.owned["blue"][1] = Pod("p2", "uid-new", ready=True)
            made["p2"].state = "running"

    world.cluster.on_pods = replaced
    done = call(world, "shawarma")
    assert [pod for pod, _request, _body in world.consumers.sent] == ["p1", "p2", "p2"]
    assert (made["p2"].state, done["pods"][1]["state_before"]) == ("paused", None)


def test_pods_that_appear_during_the_call_are_paused_too(world: World) -> None:
    made = pods(world, CUSTOM)
    world.consumers.endpoints["p3"] = late = FakeEndpoint("p3")
    looks: list[int] = []

    def scaled() -> None:
        looks.append(1)
        if len(looks) == 3:
            world.cluster.owned["blue"].append(Pod("p3", "uid-p3"))

    world.cluster.on_pods = scaled
    done = call(world, CUSTOM)
    assert late.state == "paused"
    assert [pod["name"] for pod in done["pods"]] == [*made, "p3"]


def test_lists_that_never_settle_end_in_time(world: World) -> None:
    pods(world, "shawarma", count=1)
    numbers = iter(range(10**6))

    def churn() -> None:
        number = next(numbers)
        world.clock.time += 0.2
        world.cluster.owned["blue"] = [Pod("p1", f"uid-{number}")]

    world.cluster.on_pods = churn
    with pytest.raises(NotReadyError, match="not paused after 5 s"):
        call(world, "shawarma", timeout=5.0)
    assert world.clock.time < 7.0


def test_requests_get_no_more_time_than_is_left(world: World) -> None:
    made = pods(world, CUSTOM)
    made["p2"].fault = "hang"
    send = world.consumers.send

    def hanging(*arguments: t.Any) -> t.Any:
        world.clock.time += arguments[2]
        return send(*arguments)

    world.consumers.send = hanging  # type: ignore[method-assign]
    with pytest.raises(NotReadyError):
        call(world, CUSTOM, timeout=12.0, request_timeout=5.0)
    assert world.clock.time < 13.0
    assert (world.consumers.timeouts[0], min(world.consumers.timeouts) < 5.0) == (5.0, True)


def test_a_pod_without_a_process_needs_no_command(world: World) -> None:
    made = pods(world, CUSTOM)
    owned = world.cluster.owned["blue"]
    owned[0], owned[1] = changed(owned[0], terminating=True), changed(owned[1], phase="Succeeded")
    done = call(world, CUSTOM)
    assert [(pod["name"], pod["in_state"]) for pod in done["pods"]] == [("p1", True)]
    assert (made["p1"].state, made["p2"].state) == ("paused", "running")
    assert done["proof"] == "reported"


def test_service_down(world: World) -> None:
    pods(world, CUSTOM)
    world.cluster.down = True
    with pytest.raises(ClusterError, match="fake does not answer"):
        call(world, CUSTOM)
    assert world.consumers.sent == []
