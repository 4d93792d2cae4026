# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Wait until a group has no members, so that its offsets may be changed from outside."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import GroupNotEmptyError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import Group, Member
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.offsets import members_refusal
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Clock, Kafka

POLL = 0.1
"""Seconds between two looks."""
AFTER_EVICTION = 2.0
"""Seconds a group may take to become empty once its members were evicted (measured: 20 ms)."""


def vacate(kafka: Kafka, clock: Clock, group: Group, verb: str, wait: float, evict_static: bool) -> list[Member]:
    """Until the group is empty; answers the members that were evicted.

    Only static members are evicted, and only when no other member is left: they do not leave by themselves, while a
    dynamic one that is there is a running consumer. Raises GroupNotEmptyError naming who is left after ``wait`` seconds;
    its result says who was evicted.
    """
    deadline = clock.monotonic() + wait
    evicted: dict[str | None, Member] = {}
    while not group.is_empty:
        # One that joins again has a new member id; it is alive, and is not fought.
        fresh = [member for member in group.members if member.instance_id not in evicted]
        if evict_static and fresh and all(member.instance_id is not None for member in group.members):
            kafka.remove_members(group.group_id, [member.member_id for member in fresh])
            evicted.update({member.instance_id: member for member in fresh})
            deadline = max(deadline, clock.monotonic() + AFTER_EVICTION)
        elif clock.monotonic() >= deadline:
            raise GroupNotEmptyError(
                _refusal(group, verb, wait, evict_static, len(evicted)),
                {"members": members_of(group), "evicted": rows_of(evicted.values()), "changed": bool(evicted)},
            )
        else:
            clock.sleep(POLL)
        group = kafka.groups([group.group_id])[group.group_id]
    return list(evicted.values())


def _refusal(group: Group, verb: str, wait: float, evict_static: bool, evicted: int) -> str:
    text = members_refusal(group, verb)
    static = sum(member.instance_id is not None for member in group.members)
    if wait:
        text += f" (waited {wait:g} s)"
    if evicted:
        text += f". {evicted} static members were evicted; who is there now is a running consumer that joined again"
    elif static and not evict_static:
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
