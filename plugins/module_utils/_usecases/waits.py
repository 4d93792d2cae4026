# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Waits for pods and groups: started and joined, or stopped and gone. Every wait keeps the lock and ends."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.contract import PodStatus
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    NoGoError,
    NotReadyError,
    PendingOffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.gates import (
    NO_GO,
    members_gate,
    ownership_gate,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.members import is_pod_of
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    CommittedOffset,
    Group,
    Member,
    Pod,
    TopicPartition,
    Workload,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.observe import ask
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run_context import POLL, RunContext

JOIN_POLL = 0.25
"""Seconds between two looks at pods that join: each asks every pod, on a machine that is busy starting them."""

# Reasons that do not go away by waiting. ErrImagePull is not among them: it becomes ImagePullBackOff when it stays.
HOPELESS = (
    "ErrImageNeverPull",
    "ImagePullBackOff",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "CrashLoopBackOff",
    "RunContainerError",
)
EVICT_AFTER = 3.0
"""Seconds a group may keep members after its last pod is gone, before they are evicted: they can't leave by themselves."""
EMPTY_LASTS = 6.0
"""Seconds for which a group has to stay empty after an eviction: a member that lives hears of it with its next heartbeat
(3 s by default, 5 s for KIP-848) and joins again."""


def wait_started(
    ctx: RunContext, colour: str, least: int, partitions: t.Sequence[TopicPartition] = (), joined: bool = False
) -> None:
    """Until every pod that the workload wants is Ready and (``joined``) they own every partition.

    What is wanted is read anew in each look, as others may scale too; less than ``least`` means that somebody took our
    pods away. Raises NotReadyError that names the pods and the reason: at once where waiting does not help.
    """
    clock = ctx.ports.clock
    deadline = clock.monotonic() + ctx.app.timeouts.start
    while True:
        ctx.lock.hold()
        workload = ctx.workload(colour)
        pods = ctx.ports.cluster.pods(workload)
        if workload.replicas < least:
            raise NotReadyError(
                f"{workload.kind} {workload.name} was set back to {workload.replicas} replicas, {least} are needed"
                f"{ctx.whose_scale(colour)}: stop whoever does that, then run again"
            )
        hopeless = [pod for pod in pods if pod.problem.split(":")[0] in HOPELESS]
        if hopeless:
            raise NotReadyError(
                f"{colour} cannot start: " + "; ".join(f"pod {pod.name}: {pod.problem}" for pod in hopeless)
            )
        missing = _not_started(workload, pods) or (_not_joined(ctx, colour, pods, partitions) if joined else "")
        if not missing:
            return
        if clock.monotonic() >= deadline:
            raise NotReadyError(f"{colour} is not ready after {ctx.app.timeouts.start:.0f} s: {missing}")
        clock.sleep(JOIN_POLL if joined else POLL)


def _not_started(workload: Workload, pods: t.Sequence[Pod]) -> str:
    """What keeps the workload from being complete, or empty."""
    going = [pod.name for pod in pods if pod.terminating]
    if going:
        return f"pods still terminating: {', '.join(going)}"
    ready = [pod for pod in pods if pod.ready]
    if workload.replicas < 1:
        return f"{workload.kind} {workload.name} wants no replicas"
    if workload.outdated:
        return f"{workload.kind} {workload.name}: {workload.outdated}"
    if workload.replicas <= len(ready) == len(pods):
        return ""
    waiting = [f"{pod.name} ({pod.problem or pod.phase})" for pod in pods if not pod.ready]
    return f"{len(ready)} of {workload.replicas} pods of {workload.name} are Ready" + (
        f", waiting for {', '.join(waiting)}" if waiting else ""
    )


def _not_joined(ctx: RunContext, colour: str, pods: t.Sequence[Pod], partitions: t.Sequence[TopicPartition]) -> str:
    """What keeps the group from owning every partition, or empty. Raises NotReadyError for a group that hot can't move."""
    statuses, silent = ask(ctx.ports, ctx.app, pods)
    if silent:
        return "; ".join(silent.values())
    unsettled = [_joining(status) for status in statuses.values() if status.member_state != "stable"]
    if unsettled:
        return f"pods that have not joined group {ctx.group(colour)}: {', '.join(unsettled)}"
    group = group_of(ctx, colour)
    if group.kind == "consumer":
        raise NotReadyError(
            f"Group {group.group_id} of {colour} uses the KIP-848 protocol (group.protocol=consumer); a hot hand-over is proven "
            "for the classic one only. Use bg_mode=cold, or deploy it with group.protocol=classic"
        )
    known = {status.member_id for status in statuses.values()}
    others = [member for member in group.members if member.member_id not in known]
    for gate in (members_gate(colour, group, partitions, others), ownership_gate(colour, group, partitions)):
        if gate.verdict == NO_GO:
            return gate.advice
    return "" if group.state == "Stable" else f"group {group.group_id} is {group.state}"


def _joining(status: PodStatus) -> str:
    """Where the pod is with its group, and what its client complained of last: that may be why."""
    said = f"; last error: {status.last_error}" if status.last_error else ""
    return f"{status.pod} ({status.member_state}{said})"


def wait_stopped(ctx: RunContext, colour: str) -> None:
    """Until no pod of the workload is left and its group has no members.

    A member whose pod is gone (killed, or static and therefore never leaving) is evicted: only one that is known to have been
    a pod of this colour. Raises NotReadyError naming what is left, NoGoError naming a member that is alive.
    """
    clock, workload = ctx.ports.clock, ctx.workload(colour)
    deadline = clock.monotonic() + ctx.app.timeouts.start
    evicting = _Eviction(ctx, colour)
    while True:
        ctx.lock.hold()
        pods = ctx.ports.cluster.pods(workload)
        group = group_of(ctx, colour)
        for pod in pods:
            evicting.known[pod.name] = pod.ip or evicting.known.get(pod.name, "")
            if pod.ended:
                ctx.ended[pod.name] = f"pod {pod.name}: {pod.ended}"
        if not pods and evicting.is_empty(group):
            return
        if clock.monotonic() >= deadline:
            left = [f"pod {pod.name} ({pod.phase})" for pod in pods]
            left += [f"member {member.identity}" for member in group.members]
            wanted = ctx.workload(colour).replicas
            back = f"; it was set back to {wanted} replicas{ctx.whose_scale(colour)}" if wanted else ""
            raise NotReadyError(
                f"{colour} did not stop within {ctx.app.timeouts.start:.0f} s{back}; left: {', '.join(left[:8]) or 'nothing now'}"
            )
        clock.sleep(POLL)


class _Eviction:
    """Decides when a group without pods is empty, and evicts those who were its pods and can't leave by themselves."""

    def __init__(self, ctx: RunContext, colour: str) -> None:
        self._ctx = ctx
        self._colour = colour
        self.known = dict(ctx.run.pods.get(colour, {}))
        """Names and addresses of the pods that this colour had."""
        self._members: set[str] | None = None
        """Everybody who was there at the first eviction; whoever comes after it is alive."""
        self._evicted: set[str] = set()
        self._left: set[str] = set()
        self._gone_since: float | None = None
        self._empty_since: float | None = None

    def is_empty(self, group: Group) -> bool:
        """Whether the group has no members and will have none; call it while no pod is left."""
        now = self._ctx.ports.clock.monotonic()
        ids = {member.member_id for member in group.members}
        self._left |= self._evicted - ids
        if group.is_empty:
            self._empty_since = now if self._empty_since is None else self._empty_since
            return not self._members or now - self._empty_since >= EMPTY_LASTS
        self._empty_since = None
        back = set() if self._members is None else (ids - self._members) | (ids & self._left)
        if back:
            alive = [member.identity for member in group.members if member.member_id in back]
            raise NoGoError(
                f"Group {group.group_id} of {self._colour} has a member that is alive and none of its pods: {'; '.join(alive)}. "
                "Stop it, or give it a group of its own; it was not evicted"
            )
        self._gone_since = now if self._gone_since is None else self._gone_since
        if now - self._gone_since > EVICT_AFTER:
            self._evict([member for member in group.members if self._ours(member)], ids)
            self._gone_since = now
        return False

    def _ours(self, member: Member) -> bool:
        return is_pod_of(member, self.known, self._ctx.app.colours[self._colour].workload)

    def _evict(self, members: list[Member], present: set[str]) -> None:
        ctx = self._ctx
        if not members:
            return
        self._members = present if self._members is None else self._members
        self._evicted |= {member.member_id for member in members}
        ctx.evicted += [f"member {member.identity} of group {ctx.group(self._colour)}" for member in members]
        ctx.lock.hold()
        ctx.ports.kafka.remove_members(ctx.group(self._colour), [member.member_id for member in members])


def settled_commits(
    ctx: RunContext, colour: str, partitions: t.Sequence[TopicPartition]
) -> dict[TopicPartition, CommittedOffset]:
    """The colour's commits, once none of them is part of an open transaction any more. Raises PendingOffsetsError in the end."""
    clock = ctx.ports.clock
    deadline = clock.monotonic() + ctx.app.timeouts.pause
    while True:
        ctx.lock.hold()
        try:
            return ctx.ports.kafka.committed(ctx.group(colour), partitions)
        except PendingOffsetsError:
            if clock.monotonic() >= deadline:
                raise
        clock.sleep(POLL)


def group_of(ctx: RunContext, colour: str) -> Group:
    """The colour's group as the broker sees it now."""
    name = ctx.group(colour)
    return ctx.ports.kafka.groups([name])[name]
