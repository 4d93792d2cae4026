# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wait for a group that Kafka does not know: a misspelt name is told soon, one that is to come is waited for when asked."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    InvalidSettingsError,
    KafkaError,
    WaitTimeoutError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.wait_goal import UNTIL, Goal
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.wait_lag import LagRequest, wait_lag
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World


def call(world: World, until: str, **options: t.Any) -> dict[str, t.Any]:
    request = LagRequest("g", Goal(until, polls=2), timeout=600.0, **options)
    return wait_lag(t.cast(t.Any, world.kafka), world.clock, request)


@pytest.mark.parametrize("until", UNTIL)
def test_a_misspelt_group_is_told_soon(world: World, until: str) -> None:
    with pytest.raises(WaitTimeoutError, match=r"g is not known to Kafka \(check its name\).* after 5 s") as raised:
        call(world, until)
    assert (world.clock.time, raised.value.result["satisfied"]) == (5.0, False), "not after ten minutes"
    assert "raise appear_timeout" in raised.value.message


@pytest.mark.parametrize("until", UNTIL)
def test_a_group_that_is_to_come_is_waited_for_when_asked(world: World, until: str) -> None:
    tp = TopicPartition("t", 0)
    world.kafka.logs = {tp: LogRange(0, 10)}

    def appear() -> None:
        if world.clock.time >= 50 and "g" not in world.kafka.known:
            world.kafka.join("g")
            world.kafka.offsets["g"] = {tp: CommittedOffset(10)}

    world.kafka.on_read = appear
    assert call(world, until, appear_timeout=60.0)["satisfied"] is True
    assert 50 <= world.clock.time < 60


def test_there_is_a_look_at_the_very_end(world: World) -> None:
    """However long the pauses are."""
    with pytest.raises(WaitTimeoutError, match="after 5 s") as raised:
        call(world, "empty", sleep=10.0)
    assert (world.clock.time, raised.value.result["attempts"]) == (5.0, 2)
    world.kafka.on_read = lambda: world.kafka.join("g") if world.clock.time > 9 else None
    assert call(world, "empty", sleep=10.0)["attempts"] == 2


@pytest.mark.parametrize("slice_", [None, 1.0])
def test_time_in_which_kafka_did_not_answer_does_not_count(world: World, slice_: float | None) -> None:
    def away() -> None:
        if 1 < world.clock.time < 100:
            raise KafkaError("no answer")
        if world.clock.time >= 103:
            world.kafka.join("g")

    world.kafka.on_read = away
    done = call(world, "empty", slice=slice_)
    while "resume" in done:
        done = call(world, "empty", slice=slice_, state=json.loads(json.dumps(done["resume"])))
    assert done["satisfied"] is True
    assert world.clock.time < 105, "it counts before and after that"


def test_a_group_that_was_there_is_waited_for_in_full(world: World) -> None:
    """Only a name that was never known is in doubt."""
    world.kafka.join("g", "c1")
    world.kafka.on_read = lambda: world.kafka.known.pop("g", None) if world.clock.time > 2 else None
    with pytest.raises(WaitTimeoutError, match="after 600 s"):
        call(world, "lag")


def test_it_must_not_be_negative(world: World) -> None:
    with pytest.raises(InvalidSettingsError, match="appear_timeout is -1"):
        call(world, "lag", appear_timeout=-1.0)
