# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Wait until a group has no members, so that its offsets may be changed from outside: the one wait, with the one rule of eviction."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import GroupNotEmptyError, NoGoError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import (
    MEMBERS_NAMED,
    members_refusal,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import Group, Member
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports

POLL = 0.1
"""Seconds between two looks."""
AFTER_EVICTION = 2.0
"""Seconds a group may take to lose its members once they were evicted (measured: 20 ms)."""
EMPTY_LASTS = 6.0
"""Seconds a group must have been empty to be believed so after an eviction. Its process hears of it at its next heartbeat (every
3 s in the classic protocol, 5 s in KIP-848, as clients and brokers come) and joins again at once, if there is one."""


def wait_empty(
    ports: Ports,
    group_id: str,
    deadline: float,
    may_evict: t.Callable[[Member], bool],
    hold: t.Callable[[], None],
    refusal: t.Callable[[Group], str] = lambda group: members_refusal(group, "changed"),
) -> list[Member]:
    """Until the group is empty; returns the members that were evicted. deadline: on the clock's monotonic time.

    may_evict is asked at every look, of every member; they are evicted once it says so of all that are left, as one that stays
    keeps the group all the same. A group that was empty by itself is so at once; after an eviction it must have been empty for
    EMPTY_LASTS, for which the deadline is extended. hold is called at every look and before an eviction; what it raises ends the wait.

    Raises NoGoError when a member is there after an eviction that was not there before it: there is a process behind it, it is
    alive, and is not fought. Raises GroupNotEmptyError naming who is left (refusal: its message) when the time is over. Results:
    ``members``, ``evicted``, ``changed``.
    """
    wait = _Eviction()
    while True:
        hold()
        group, now = ports.kafka.groups([group_id])[group_id], ports.clock.monotonic()
        if wait.is_over(group, now):
            return list(wait.evicted.values())
        again = wait.came_back(group, now)
        if again:
            raise NoGoError(
                f"Consumer group {group_id} has a running member that joined again after an eviction: "
                f"{'; '.join(member.identity for member in again[:MEMBERS_NAMED])}. Stop its process and try again",
                _state(group, wait.evicted),
            )
        fresh = [member for member in group.members if member.member_id not in wait.evicted]
        if fresh and all(may_evict(member) for member in group.members):
            hold()  # a process that stood still since it looked would evict members that have joined meanwhile
            ports.kafka.remove_members(group_id, [member.member_id for member in fresh])
            wait.evict(fresh, ports.clock.monotonic())
            deadline = max(deadline, ports.clock.monotonic() + AFTER_EVICTION + EMPTY_LASTS)
        elif now >= deadline:
            raise GroupNotEmptyError(refusal(group), _state(group, wait.evicted))
        else:
            ports.clock.sleep(POLL)


class _Eviction:
    """What a wait remembers of members: who was there, who was evicted, since when nobody is."""

    def __init__(self) -> None:
        self.evicted: dict[str, Member] = {}
        self._known: set[str] = set()
        self._left: set[str] = set()
        self._last = 0.0
        self._empty_since: float | None = None

    def evict(self, members: t.Iterable[Member], now: float) -> None:
        self.evicted.update({member.member_id: member for member in members})
        self._last = now

    def is_over(self, group: Group, now: float) -> bool:
        """Whether the group is empty and to be believed so."""
        if not group.is_empty:
            self._empty_since = None
            return False
        self._empty_since = now if self._empty_since is None else self._empty_since
        return not self.evicted or now - self._empty_since >= EMPTY_LASTS

    def came_back(self, group: Group, now: float) -> list[Member]:
        """Members that are there because a process lives: with a new id, or (KIP-848) with their own once they were gone."""
        there = {member.member_id: member for member in group.members}
        if not self.evicted:
            self._known |= there.keys()
            return []
        stayed = now - self._last > AFTER_EVICTION
        again = [
            member
            for member_id, member in there.items()
            if member_id not in self._known or (member_id in self.evicted and (stayed or member_id in self._left))
        ]
        self._left |= self.evicted.keys() - there.keys()
        return again


def _state(group: Group, evicted: t.Mapping[str, Member]) -> dict[str, t.Any]:
    return {"members": members_of(group), "evicted": rows_of(evicted.values()), "changed": bool(evicted)}


def empty_group(ports: Ports, group: Group, verb: str, wait: float, evict_static: bool) -> list[Member]:
    """As ``wait_empty``, for a group whose processes we know nothing of: only static members may be evicted.

    They do not leave by themselves, while a dynamic one that is there is a running consumer. verb: what is to be done with the
    offsets, for messages. wait: seconds.
    """
    deadline = ports.clock.monotonic() + wait

    def may_evict(member: Member) -> bool:
        return evict_static and member.instance_id is not None

    def refusal(left: Group) -> str:
        return _refusal(left, verb, wait, evict_static)

    return wait_empty(ports, group.group_id, deadline, may_evict, hold=lambda: None, refusal=refusal)


def _refusal(group: Group, verb: str, wait: float, evict_static: bool) -> str:
    text = members_refusal(group, verb)
    static = sum(member.instance_id is not None for member in group.members)
    if wait:
        text += f" (waited {wait:g} s)"
    if static and not evict_static:
        text += (
            f". {static} of them are static and do not leave when they stop; set evict_static_members if they are gone"
        )
    return text


def members_of(group: Group) -> list[dict[str, t.Any]]:
    """Who is in the group, JSON-ready."""
    return rows_of(group.members)


def rows_of(members: t.Iterable[Member]) -> list[dict[str, t.Any]]:
    """Members, JSON-ready."""
    return [
        {
            "member_id": member.member_id,
            "instance_id": member.instance_id,
            "client_id": member.client_id,
            "host": member.host,
        }
        for member in members
    ]
