# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Whose a group member is: known by proof, never by elimination. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import Group, Member


def is_pod_of(member: Member, pods: t.Mapping[str, str], workload: str) -> bool:
    """True when the member is one of these pods (name to address), or was one of this workload's.

    The broker tells the address that a member came from, ``/10.0.0.7``. Where an address is translated on the way, or the
    pod is gone, a static id or a client id that holds the pod's name is as good.
    """
    host = member.host.lstrip("/")
    if host and host in pods.values():
        return True
    ids = (member.instance_id or "", member.client_id)
    if any(name and name in one for name in pods for one in ids):
        return True
    # A static id of a pod that went before anybody looked.
    return member.instance_id is not None and f"{workload}-" in f"{member.instance_id}-"


def strangers(group: Group, pods: t.Mapping[str, str], workload: str) -> list[Member]:
    """Members of the group that are none of these pods (name to address)."""
    return [member for member in group.members if not is_pod_of(member, pods, workload)]
