# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kafka_group_offsets through its main()."""

from __future__ import annotations

import json

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.modules import kafka_group_offsets as module
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import RunModule
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
COPY = {"group_id": "green", "from_group": "blue"}


@pytest.fixture
def seeded(world: World) -> World:
    """Blue has committed everything."""
    world.kafka.logs = {T0: LogRange(0, 100), T1: LogRange(0, 100)}
    world.kafka.offsets["blue"] = {T0: CommittedOffset(10, 1, "a"), T1: CommittedOffset(20, 2, "b")}
    return world


def test_check_real_repeat_check(seeded: World, run_module: RunModule) -> None:
    predicted = run_module(module, seeded.ports, check=True, diff=True, **COPY)
    assert (predicted["changed"], seeded.kafka.writes) == (True, 0)
    done = run_module(module, seeded.ports, diff=True, **COPY)
    assert (done["changed"], done["diff"]) == (True, predicted["diff"])
    assert seeded.kafka.offsets["green"] == seeded.kafka.offsets["blue"]
    for check in (False, True):
        again = run_module(module, seeded.ports, check=check, diff=True, **COPY)
        assert (again["changed"], again["diff"]["after"], seeded.kafka.writes) == (False, {}, 1)


def test_explicit_offsets(seeded: World, run_module: RunModule) -> None:
    wanted = [{"topic": "t", "partition": 1, "offset": 30, "leader_epoch": 4}]
    result = run_module(module, seeded.ports, group_id="green", offsets=wanted)
    assert (result["rc"], result["changed"]) == (0, True)
    assert seeded.kafka.offsets["green"] == {T1: CommittedOffset(30, 4, "")}


def test_members_are_named(seeded: World, run_module: RunModule) -> None:
    seeded.kafka.join("green", "order-1")
    result = run_module(module, seeded.ports, **COPY)
    assert (result["rc"], result["failed"], result["changed"]) == (1, True, False)
    assert "order-1" in result["msg"]
    assert "order-1" in json.dumps(run_module(module, seeded.ports, check=True, **COPY)["warnings"])


def test_service_down(seeded: World, run_module: RunModule) -> None:
    seeded.kafka.down = True
    assert "fake:9092" in run_module(module, seeded.ports, **COPY)["msg"]


def test_bad_input_is_listed(seeded: World, run_module: RunModule) -> None:
    wanted = [{"topic": "t", "partition": 1, "offset": 30}, {"topic": "t", "partition": 1, "offset": -1}]
    result = run_module(module, seeded.ports, group_id="green", offsets=wanted)
    assert len(result["faults"]) == 2
    assert seeded.kafka.reads == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"group_id": "g"}, "one of the following is required: offsets, from_group"),
        ({"group_id": "g", "from_group": "h", "offsets": []}, "mutually exclusive"),
        ({"from_group": "h"}, "missing required arguments: group_id"),
    ],
)
def test_options_that_do_not_fit(world: World, run_module: RunModule, options: dict[str, object], said: str) -> None:
    result = run_module(module, world.ports, **options)
    assert said in result["msg"]
