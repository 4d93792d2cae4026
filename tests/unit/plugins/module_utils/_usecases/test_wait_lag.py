# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for a group on a clock of our own."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    InvalidSettingsError,
    KafkaError,
    WaitTimeoutError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.wait_lag import (
    LagRequest,
    read_group,
    wait_lag,
)
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)


@pytest.fixture
def behind(world: World) -> World:
    """A group that is 30 records behind and commits 10 more at every look."""
    world.kafka.logs = {T0: LogRange(0, 100), T1: LogRange(0, 0)}
    world.kafka.offsets["g"] = {T0: CommittedOffset(70), T1: CommittedOffset(0)}
    world.kafka.join("g", "c1")
    return world


def progress(world: World, step: int = 10) -> None:
    """Let every sleep of the clock move the group on."""
    sleep = world.clock.sleep

    def advance(seconds: float) -> None:
        sleep(seconds)
        before = world.kafka.offsets["g"][T0].offset
        world.kafka.offsets["g"][T0] = CommittedOffset(min(100, before + step))

    world.clock.sleep = advance  # type: ignore[method-assign]


def call(world: World, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
    return wait_lag(t.cast(t.Any, world.kafka), world.clock, LagRequest("g", **options), check)


def test_it_waits_until_the_lag_is_small_enough(behind: World) -> None:
    progress(behind)
    behind.clock.time = 1000.0
    result = call(behind, max_lag=5, sleep=2.0)
    assert (result["satisfied"], result["total_lag"], result["attempts"], result["changed"]) == (True, 0, 4, False)
    assert result["elapsed"] == 6.0
    assert behind.clock.slept == [2.0, 2.0, 2.0]


def test_a_timeout_returns_what_success_returns(behind: World) -> None:
    done = call(behind, max_lag=30)
    with pytest.raises(WaitTimeoutError, match="lag of 30 records \\(wanted: at most 0\\) after 3 s") as raised:
        call(behind, timeout=3.0)
    assert set(raised.value.result) == set(done)
    assert raised.value.result["satisfied"] is False
    assert behind.clock.time == 3.0, "it does not sleep past the timeout"
    with pytest.raises(WaitTimeoutError) as later:
        call(behind, timeout=3.0)
    assert later.value.result["elapsed"] == 3.0


def test_an_unknown_lag_is_not_0(behind: World) -> None:
    del behind.kafka.offsets["g"][T1]
    with pytest.raises(WaitTimeoutError, match="no committed offset for 1 partitions \\(t-1\\)"):
        call(behind, max_lag=10**9, timeout=1.0)


def test_a_group_nobody_knows_is_not_caught_up_but_empty(world: World) -> None:
    with pytest.raises(WaitTimeoutError, match="has no topics"):
        call(world, timeout=1.0)
    empty = call(world, until="empty")
    assert (empty["satisfied"], empty["changed"]) == (True, False)


def test_until_empty_names_who_is_left(behind: World) -> None:
    with pytest.raises(WaitTimeoutError, match="still has 1 members \\(c1; state Stable\\)"):
        call(behind, until="empty", timeout=1.0)
    behind.kafka.join("g")
    assert call(behind, until="empty")["empty"] is True


def test_check_mode_looks_once_and_does_not_fail(behind: World) -> None:
    result = call(behind, check=True)
    assert (result["satisfied"], result["attempts"], behind.clock.slept) == (False, 1, [])


def test_the_first_look_must_work_and_later_ones_may_fail(behind: World) -> None:
    behind.kafka.down = True
    with pytest.raises(KafkaError):
        call(behind)

    behind.kafka.down = False
    looks: list[int] = []

    def trouble() -> None:
        looks.append(1)
        behind.kafka.down = 10 < len(looks) < 13

    behind.kafka.on_read = trouble
    progress(behind)
    assert call(behind)["satisfied"] is True

    behind.kafka.offsets["g"][T0] = CommittedOffset(0)
    behind.kafka.on_read = lambda: setattr(behind.kafka, "down", behind.clock.time > 5)
    behind.clock.time = 4.0
    with pytest.raises(WaitTimeoutError, match="the last look failed: Kafka at fake:9092"):
        call(behind, timeout=4.0)


def test_open_transactions_do_not_count_for_those_who_do_not_read_them(behind: World) -> None:
    behind.kafka.unstable = 4
    del behind.kafka.logs[T1]
    assert call(behind, check=True)["total_lag"] == 30
    assert call(behind, check=True, read_committed=True)["total_lag"] == 26
    assert read_group(t.cast(t.Any, behind.kafka), "g")["total_lag"] == 30


def test_topics_that_were_asked_for_must_exist(behind: World) -> None:
    with pytest.raises(InvalidSettingsError, match="topic nope does not exist"):
        read_group(t.cast(t.Any, behind.kafka), "g", ["t", "nope"])


def test_a_group_as_data(behind: World) -> None:
    seen = read_group(t.cast(t.Any, behind.kafka), "g")
    assert seen["members"][0]["client_id"] == "c1"
    assert [(row["committed_offset"], row["log_end_offset"], row["lag"]) for row in seen["partitions"]] == [
        (70, 100, 30),
        (0, 0, 0),
    ]
