# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kafka_lag_wait through its main()."""

from __future__ import annotations

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.modules import kafka_group_offsets_info, kafka_lag_wait
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import RunModule
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

T0 = TopicPartition("t", 0)


@pytest.fixture
def behind(world: World) -> World:
    """A group with one member that is 30 records behind."""
    world.kafka.logs = {T0: LogRange(0, 100)}
    world.kafka.offsets["g"] = {T0: CommittedOffset(70)}
    world.kafka.join("g", "c1", kind="consumer")
    return world


def test_the_isolation_level_chooses_the_end_of_the_log(behind: World, run_module: RunModule) -> None:
    behind.kafka.unstable = 4
    for module in (kafka_group_offsets_info, kafka_lag_wait):
        for level, lag in (("read_uncommitted", 30), ("read_committed", 26)):
            seen = run_module(module, behind.ports, check=True, group_id="g", isolation_level=level)
            assert seen["total_lag"] == lag


def test_wait_succeeds(behind: World, run_module: RunModule) -> None:
    result = run_module(kafka_lag_wait, behind.ports, group_id="g", max_lag=30)
    assert (result["changed"], result["satisfied"], result["attempts"]) == (False, True, 1)


def test_wait_times_out_with_what_it_saw(behind: World, run_module: RunModule) -> None:
    result = run_module(kafka_lag_wait, behind.ports, group_id="g", timeout=3)
    assert (result["failed"], result["satisfied"], result["total_lag"], result["attempts"]) == (True, False, 30, 4)


def test_wait_in_check_mode(behind: World, run_module: RunModule) -> None:
    result = run_module(kafka_lag_wait, behind.ports, check=True, group_id="g", until="empty")
    assert (result["rc"], result["satisfied"], result["members"][0]["client_id"]) == (0, False, "c1")
    assert behind.clock.slept == []
