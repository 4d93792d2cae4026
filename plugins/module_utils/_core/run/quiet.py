# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Whether the source is proven quiet. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_status import PodStatus


def not_drained(
    pods: t.Collection[Pod],
    statuses: t.Mapping[str, PodStatus],
    group: Group,
    committed: t.Mapping[TopicPartition, CommittedOffset],
    partitions: t.Collection[TopicPartition],
) -> list[str]:
    """Why the source is not proven quiet; empty when it is.

    Two witnesses must agree: every pod says what it owns and how far it got, the broker says who owns what and what is
    committed. Lag plays no part: under live production it only grows.
    """
    reasons = [f"pod {pod.name} has not answered since it was paused" for pod in pods if pod.name not in statuses]
    for status in statuses.values():
        if not status.drained:
            reasons.append(_why(status))
    reasons += _ownership(statuses, group, partitions)
    for status in statuses.values():
        if status.activated_epoch is None:
            continue
        for tp, partition in status.partitions.items():
            stored = committed.get(tp)
            if stored is None or stored.offset != partition.position:
                seen = "nothing" if stored is None else str(stored.offset)
                reasons.append(f"{tp}: pod {status.pod} stands at {partition.position}, the group has committed {seen}")
    return reasons


def _why(status: PodStatus) -> str:
    facts = [f"state {status.state}"]
    if status.in_flight or status.queued or status.pending_commits:
        facts.append(f"{status.in_flight} in flight, {status.queued} queued, {status.pending_commits} commits pending")
    if status.member_state == "rebalancing":
        facts.append("rebalancing")
    if status.uncommitted:
        facts.append(f"{len(status.uncommitted)} partitions not committed to their position")
    if status.last_error:
        facts.append(f"last error: {status.last_error}")
    return f"pod {status.pod} is not drained ({'; '.join(facts)})"


def _ownership(
    statuses: t.Mapping[str, PodStatus], group: Group, partitions: t.Collection[TopicPartition]
) -> list[str]:
    """Where pods and broker disagree on who owns what."""
    if group.is_empty:
        held = [status.pod for status in statuses.values() if status.partitions]
        return [f"pod {pod} says it owns partitions, group {group.group_id} has no members" for pod in held]
    if group.state != "Stable":
        return [f"group {group.group_id} is rebalancing (state {group.state})"]
    by_member = {status.member_id: status for status in statuses.values() if status.member_id}
    reasons = []
    for member in group.members:
        status = by_member.get(member.member_id)
        if status is None:
            reasons.append(f"group {group.group_id} has a member that is not one of the pods: {member}")
        elif frozenset(status.partitions) != member.assignment:
            reasons.append(f"pod {status.pod} and the broker disagree on its partitions")
    owned = [tp for member in group.members for tp in member.assignment]
    missing = sorted(set(partitions) - set(owned))
    if missing:
        reasons.append(
            f"nobody in group {group.group_id} owns {', '.join(map(str, missing[:5]))}{' ...' if len(missing) > 5 else ''}"
        )
    return reasons
