# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until a group is empty: who may be evicted, and when Empty is believed."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    GroupNotEmptyError,
    LockedError,
    NoGoError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import Group, Member
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.empty_group import (
    EMPTY_LASTS,
    wait_empty,
)
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World


class Waiting:
    """A group of which things happen at certain times, and a wait for it. evicting: members that may be evicted, by client."""

    def __init__(self, world: World, *clients: str) -> None:
        self.world = world
        self.evictions: list[tuple[float, list[str]]] = []
        self.later: dict[float, t.Callable[[], None]] = {}
        world.kafka.join("g", *clients)
        world.kafka.on_read = self._happen
        evict = world.kafka.remove_members

        def remove_members(group_id: str, members: t.Collection[str]) -> None:
            self.evictions.append((round(world.clock.time, 1), sorted(members)))
            evict(group_id, members)

        world.kafka.remove_members = remove_members  # type: ignore[method-assign]

    def _happen(self) -> None:
        for moment in [moment for moment in self.later if moment <= self.world.clock.time]:
            self.later.pop(moment)()

    def there(self, *members: Member) -> None:
        """Exactly these are in the group."""
        self.world.kafka.known["g"] = Group("g", "classic", "Stable" if members else "Empty", members)

    def call(
        self, timeout: float = 30.0, evicting: t.Collection[str] = (), hold: t.Callable[[], None] = lambda: None
    ) -> list[str]:
        """Ids of those that were evicted."""
        deadline = self.world.clock.time + timeout
        gone = wait_empty(self.world.ports, "g", deadline, lambda member: member.client_id in evicting, hold)
        return [member.member_id for member in gone]


@pytest.fixture
def world() -> World:
    return World()


def test_a_group_that_empties_by_itself_is_believed_at_once(world: World) -> None:
    waiting = Waiting(world, "a", "b")
    waiting.later[4.0] = waiting.there
    assert waiting.call() == []
    assert 4.0 <= world.clock.time < 4.3
    world.clock.time = 0.0
    assert waiting.call() == []
    assert world.clock.time == 0.0


def test_after_an_eviction_empty_has_to_last(world: World) -> None:
    waiting = Waiting(world, "a", "b")
    assert waiting.call(timeout=0.0, evicting=("a", "b")) == ["a-1", "b-1"]
    assert waiting.evictions == [(0.0, ["a-1", "b-1"])]
    assert EMPTY_LASTS <= world.clock.time < EMPTY_LASTS + 0.3


@pytest.mark.parametrize("heartbeat", [0.0, 0.1, 2.9, 5.0, 5.9])
def test_one_that_joins_again_is_alive_and_is_not_fought(world: World, heartbeat: float) -> None:
    """It hears of its eviction with its next heartbeat, and gets a new member id."""
    waiting = Waiting(world, "a")
    waiting.later[0.0 + heartbeat + 0.01] = lambda: waiting.there(Member("a-2", "a", "10.0.0.9"))
    with pytest.raises(NoGoError, match=r"running member that joined again .*a-2 \(client a at 10.0.0.9\)") as raised:
        waiting.call(evicting=("a",))
    assert len(waiting.evictions) == 1
    assert raised.value.result["changed"] is True
    assert [row["member_id"] for row in raised.value.result["members"]] == ["a-2"]
    assert [row["member_id"] for row in raised.value.result["evicted"]] == ["a-1"]


def test_a_stranger_that_comes_after_an_eviction_is_not_evicted(world: World) -> None:
    waiting = Waiting(world, "a")
    waiting.later[3.0] = lambda: waiting.there(Member("x-1", "a", "10.0.0.9"))
    with pytest.raises(NoGoError, match="x-1"):
        waiting.call(evicting=("a",))


def test_a_kip_848_member_comes_back_under_its_own_id(world: World) -> None:
    waiting = Waiting(world, "a")
    member = world.kafka.known["g"].members[0]
    waiting.later[4.0] = lambda: waiting.there(member)
    with pytest.raises(NoGoError, match="a-1"):
        waiting.call(evicting=("a",))


def test_a_member_that_does_not_go_is_not_evicted_for_ever(world: World) -> None:
    waiting = Waiting(world, "a")
    member = world.kafka.known["g"].members[0]
    for tenth in range(60):
        waiting.later[tenth / 10 + 0.05] = lambda: waiting.there(member)
    with pytest.raises(NoGoError, match="a-1"):
        waiting.call(evicting=("a",))
    assert len(waiting.evictions) == 1


def test_nobody_is_evicted_while_one_is_there_who_may_not_be(world: World) -> None:
    waiting = Waiting(world, "a", "stranger")
    with pytest.raises(GroupNotEmptyError, match=r"stranger-1 .client stranger at 10.0.0.1.") as raised:
        waiting.call(timeout=3.0, evicting=("a",))
    assert (waiting.evictions, raised.value.result["changed"]) == ([], False)
    assert 3.0 <= world.clock.time < 3.3
    waiting.later[5.0] = lambda: waiting.there(Member("a-1", "a"))
    assert waiting.call(timeout=3.0, evicting=("a",)) == ["a-1"]


def test_who_may_be_evicted_is_asked_at_every_look(world: World) -> None:
    waiting = Waiting(world, "a")
    dead: list[str] = []
    waiting.later[3.0] = lambda: dead.append("a")
    assert waiting.call(evicting=dead) == ["a-1"]
    assert 3.0 <= waiting.evictions[0][0] < 3.3


def test_the_lock_is_held_and_ends_the_wait(world: World) -> None:
    waiting = Waiting(world, "a")
    looks: list[float] = []

    def hold() -> None:
        looks.append(world.clock.time)
        if world.clock.time > 2:
            raise LockedError("taken")

    with pytest.raises(LockedError):
        waiting.call(evicting=("a",), hold=hold)
    assert max(after - before for before, after in itertools.pairwise(looks)) < 0.2


def test_a_rebalance_without_members_is_not_empty(world: World) -> None:
    waiting = Waiting(world, "a")
    group = world.kafka.known["g"]
    waiting.later[1.0] = lambda: world.kafka.known.update(g=replace(group, members=(), state="PreparingRebalance"))
    waiting.later[2.0] = waiting.there
    assert waiting.call() == []
    assert world.clock.time >= 2.0
