# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A wait for a group that Kafka does not know: a misspelt name is told soon, one that is to come is waited for when asked."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    InvalidSettingsError,
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


def test_a_group_that_was_there_is_waited_for_in_full(world: World) -> None:
    """Only a name that was never known is in doubt."""
    world.kafka.join("g", "c1")
    world.kafka.on_read = lambda: world.kafka.known.pop("g", None) if world.clock.time > 2 else None
    with pytest.raises(WaitTimeoutError, match="after 600 s"):
        call(world, "lag")


def test_it_must_not_be_negative(world: World) -> None:
    with pytest.raises(InvalidSettingsError, match="appear_timeout is -1"):
        call(world, "lag", appear_timeout=-1.0)
