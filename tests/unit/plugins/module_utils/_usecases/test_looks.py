# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loop of a wait: how often it goes round, and what ends it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.looks import looks
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World


def moments(world: World, seconds: float, takes: float = 0.0, **more: t.Any) -> list[float]:
    """When a loop of looks that take so long, one a second, went round."""
    clock, found = world.ports.clock, []
    began = clock.monotonic()
    for _look in looks(clock, seconds, 1.0, **more):
        found.append(clock.monotonic() - began)
        clock.sleep(takes)
    return found


def test_once_without_time(world: World) -> None:
    assert moments(world, 0.0) == [0.0]


def test_until_the_time_is_over(world: World) -> None:
    assert moments(world, 2.5) == [0.0, 1.0, 2.0, 3.0]


def test_a_look_that_takes_long_is_not_followed_by_a_pause(world: World) -> None:
    assert moments(world, 2.5, takes=5.0) == [0.0]
    assert world.ports.clock.monotonic() == 5.0


def test_several_loops_may_have_one_end(world: World) -> None:
    end = world.ports.clock.monotonic() + 2.0
    assert moments(world, 0.0, until=end) == [0.0, 1.0, 2.0]
    assert moments(world, 9.0, until=end) == [0.0]


def test_the_lock_is_held_before_each_look(world: World) -> None:
    held: list[float] = []

    def hold() -> None:
        held.append(world.ports.clock.monotonic())
        if len(held) == 3:
            raise KeyError("taken")

    with pytest.raises(KeyError, match="taken"):
        moments(world, 9.0, hold=hold)
    assert held == [0.0, 1.0, 2.0]
