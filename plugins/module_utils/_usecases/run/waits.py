# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Waits for pods and groups: started and joined, or stopped and gone. Every wait keeps the lock and ends."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod, Workload
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    GroupNotEmptyError,
    NotReadyError,
    PendingOffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    Group,
    Member,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_status import PodStatus
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.gates import (
    NO_GO,
    members_gate,
    ownership_gate,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.members import is_pod_of
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.empty_group import wait_empty
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.looks import looks
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import POLL, RunContext
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.observe import ask

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


def wait_started(
    ctx: RunContext, colour: str, least: int, partitions: t.Sequence[TopicPartition] = (), joined: bool = False
) -> None:
    """Until every pod that the workload wants is Ready and (``joined``) they own every partition.

    What is wanted is read anew in each look, as others may scale too; less than ``least`` means that somebody took our
    pods away. Raises NotReadyError that names the pods and the reason: at once where waiting does not help.
    """
    for _look in looks(ctx.ports.clock, ctx.app.timeouts.start, JOIN_POLL if joined else POLL, ctx.lock.hold):
        workload = ctx.workload(colour)
        pods = ctx.ports.cluster.pods(workload)
        if workload.replicas < least:
            raise NotReadyError(
                f"{workload.kind} {workload.name} was scaled back to {workload.replicas} replicas, {least} are needed"
                f"{ctx.whose_scale(colour)}: stop that, then run again"
            )
        hopeless = [pod for pod in pods if (pod.problem or pod.trouble).split(":")[0] in HOPELESS]
        if hopeless:
            raise NotReadyError(
                f"{colour} cannot start: "
                + "; ".join(f"pod {pod.name}: {pod.problem or pod.trouble}" for pod in hopeless)
            )
        missing = _not_started(workload, pods) or (_not_joined(ctx, colour, pods, partitions) if joined else "")
        if not missing:
            return
    raise NotReadyError(f"{colour} is not ready after {ctx.app.timeouts.start:.0f} s: {missing}")


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
    waiting = [f"{pod.name} ({pod.problem or pod.trouble or pod.phase})" for pod in pods if not pod.ready]
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


class _PodsAreBackError(BlueGreenError):
    """Somebody started the colour again while its group was waited for."""


def wait_stopped(ctx: RunContext, colour: str) -> None:
    """Until no pod of the workload is left and its group has no members.

    A member whose pod is gone (killed, or static and therefore never leaving) is evicted: only one that is known to have been
    a pod of this colour. Raises NotReadyError naming what is left, NoGoError naming a member that is alive.
    """
    deadline = ctx.ports.clock.monotonic() + ctx.app.timeouts.start
    known = dict(ctx.run.pods.get(colour, {}))
    while True:
        _wait_gone(ctx, colour, deadline, known)
        try:
            evicted = _wait_left(ctx, colour, deadline, known)
        except GroupNotEmptyError as error:
            left = ", ".join(member.identity for member in group_of(ctx, colour).members[:5])
            raise NotReadyError(
                f"{colour} did not stop within {ctx.app.timeouts.start:.0f} s: its pods are gone, and group {ctx.group(colour)} has "
                f"members that are not known as theirs: {left}"
            ) from error
        except _PodsAreBackError:
            continue
        ctx.evicted += [f"member {member.identity} of group {ctx.group(colour)}" for member in evicted]
        return


def _wait_gone(ctx: RunContext, colour: str, deadline: float, known: dict[str, str]) -> None:
    """Until the colour has no pods; notes their addresses, and which of them were killed."""
    before = set(known)
    for _look in looks(ctx.ports.clock, 0.0, POLL, ctx.lock.hold, until=deadline):
        pods = ctx.pods(colour)
        for pod in pods:
            known[pod.name] = pod.ip or known.get(pod.name, "")
            if pod.ended:
                ctx.ended[pod.name] = f"pod {pod.name}: {pod.ended}"
        names = {pod.name for pod in pods}
        if before - names:  # for a moment Kubernetes tells how they ended
            _note_ended(ctx, colour, before - names)
        before = names
        if not pods:
            return
    wanted = ctx.workload(colour).replicas
    back = f"; it was scaled back to {wanted} replicas{ctx.whose_scale(colour)}" if wanted else ""
    left = ", ".join(f"pod {pod.name} ({'terminating' if pod.terminating else pod.phase})" for pod in pods[:8])
    raise NotReadyError(f"{colour} did not stop within {ctx.app.timeouts.start:.0f} s{back}; left: {left}")


def _note_ended(ctx: RunContext, colour: str, names: t.Collection[str]) -> None:
    for title in ctx.ports.cluster.ended_pods(ctx.known[colour]):
        name = title.split(" ", 1)[0]
        if name in names and not title.endswith("(Succeeded)"):
            ctx.ended[name] = f"pod {title}"


def _wait_left(ctx: RunContext, colour: str, deadline: float, known: t.Mapping[str, str]) -> list[Member]:
    """Until the group of a colour without pods is empty; the members that were evicted."""
    clock, name = ctx.ports.clock, ctx.app.colours[colour].workload
    evict_from = clock.monotonic() + EVICT_AFTER

    def hold() -> None:
        if ctx.pods(colour):
            raise _PodsAreBackError("pods are back")
        ctx.lock.hold()  # last: it notices that this process stood still

    def may_evict(member: Member) -> bool:
        return clock.monotonic() > evict_from and is_pod_of(member, known, name)

    return wait_empty(ctx.ports, ctx.group(colour), deadline, may_evict, hold)


def settled_commits(
    ctx: RunContext, colour: str, partitions: t.Sequence[TopicPartition]
) -> dict[TopicPartition, CommittedOffset]:
    """The colour's commits, once none of them is part of an open transaction any more. Raises PendingOffsetsError in the end."""
    for _look in looks(ctx.ports.clock, ctx.app.timeouts.pause, POLL, ctx.lock.hold):
        try:
            return ctx.ports.kafka.committed(ctx.group(colour), partitions)
        except PendingOffsetsError as error:
            pending = error
    raise pending


def group_of(ctx: RunContext, colour: str) -> Group:
    """The colour's group as the broker sees it now."""
    name = ctx.group(colour)
    return ctx.ports.kafka.groups([name])[name]
