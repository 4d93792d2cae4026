# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Waits for pods and groups: started and joined, or stopped and gone. Every wait keeps the lock and ends."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.contract import PodStatus
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import NotReadyError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.gates import NO_GO, ownership_gate
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import Group, Pod, TopicPartition
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


def wait_started(
    ctx: RunContext, colour: str, replicas: int, partitions: t.Sequence[TopicPartition], joined: bool
) -> None:
    """Until ``replicas`` pods are Ready and (``joined``) own every partition; hopeless pods end the wait at once.

    Raises NotReadyError that names the pods and the reason.
    """
    clock = ctx.ports.clock
    deadline = clock.monotonic() + ctx.app.timeouts.start
    workload = ctx.workload(colour)
    while True:
        ctx.lock.hold()
        pods = ctx.ports.cluster.pods(workload)
        hopeless = [pod for pod in pods if pod.problem.split(":")[0] in HOPELESS]
        if hopeless:
            raise NotReadyError(
                f"{colour} cannot start: " + "; ".join(f"pod {pod.name}: {pod.problem}" for pod in hopeless)
            )
        missing = _not_started(ctx, colour, pods, replicas) or (
            _not_joined(ctx, colour, pods, partitions) if joined else ""
        )
        if not missing:
            return
        if clock.monotonic() >= deadline:
            raise NotReadyError(f"{colour} is not ready after {ctx.app.timeouts.start:.0f} s: {missing}")
        clock.sleep(JOIN_POLL if joined else POLL)


def _not_started(ctx: RunContext, colour: str, pods: t.Sequence[Pod], replicas: int) -> str:
    """What keeps the workload from being complete, or empty."""
    going = [pod.name for pod in pods if pod.terminating]
    ready = [pod for pod in pods if pod.ready and not pod.terminating]
    if going:
        return f"pods still terminating: {', '.join(going)}"
    if len(pods) == replicas == len(ready):
        return ""
    waiting = [f"{pod.name} ({pod.problem or pod.phase})" for pod in pods if not pod.ready]
    return f"{len(ready)} of {replicas} pods of {ctx.app.colours[colour].workload} are Ready" + (
        f", waiting for {', '.join(waiting)}" if waiting else ""
    )


def _not_joined(ctx: RunContext, colour: str, pods: t.Sequence[Pod], partitions: t.Sequence[TopicPartition]) -> str:
    """What keeps the group from owning every partition, or empty."""
    statuses, silent = ask(ctx.ports, ctx.app, pods)
    if silent:
        return "; ".join(silent.values())
    unsettled = [_joining(status) for status in statuses.values() if status.member_state != "stable"]
    if unsettled:
        return f"pods that have not joined group {ctx.group(colour)}: {', '.join(unsettled)}"
    gate = ownership_gate(statuses, group_of(ctx, colour), partitions, colour)
    return gate.advice if gate.verdict == NO_GO else ""


def _joining(status: PodStatus) -> str:
    """Where the pod is with its group, and what its client complained of last: that may be why."""
    said = f"; last error: {status.last_error}" if status.last_error else ""
    return f"{status.pod} ({status.member_state}{said})"


def wait_stopped(ctx: RunContext, colour: str, timeout: float) -> None:
    """Until no pod of the workload is left and its group has no members.

    A member whose pod is gone (killed, or static and therefore never leaving) is evicted; that is safe only because
    no process is left behind it. Raises NotReadyError naming what is left.
    """
    clock = ctx.ports.clock
    workload, name = ctx.workload(colour), ctx.group(colour)
    deadline = clock.monotonic() + timeout
    gone_since: float | None = None
    while True:
        ctx.lock.hold()
        pods = ctx.ports.cluster.pods(workload)
        group = group_of(ctx, colour)
        if not pods and group.is_empty:
            return
        gone_since = None if pods else (gone_since if gone_since is not None else clock.monotonic())
        if gone_since is not None and clock.monotonic() - gone_since > EVICT_AFTER:
            ctx.ports.kafka.remove_members(name, [member.member_id for member in group.members])
            gone_since = clock.monotonic()
        if clock.monotonic() >= deadline:
            left = [f"pod {pod.name} ({pod.phase})" for pod in pods] + [f"member {member}" for member in group.members]
            raise NotReadyError(f"{colour} did not stop within {timeout:.0f} s; left: {', '.join(left[:8])}")
        clock.sleep(POLL)


def group_of(ctx: RunContext, colour: str) -> Group:
    """The colour's group as the broker sees it now."""
    name = ctx.group(colour)
    return ctx.ports.kafka.groups([name])[name]
