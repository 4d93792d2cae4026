# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Bring every pod of a workload into a state (paused, running, standby), one by one, and read the state back."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.contract import PodStatus, parse_status
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    ClusterError,
    ConflictError,
    NotReadyError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import Pod, TopicPartition, Workload
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports

POLL = 0.1
"""Seconds between two rounds."""
WAIT = 2.0
"""Seconds a pod may take to do what it was told before it answers that it is still at it."""
GONE = ("Succeeded", "Failed")
"""Phases without a process, for good."""
WANTED = {"paused": "DRAINED", "running": "ACTIVE", "standby": "STANDBY"}


@dataclass(frozen=True)
class PauseRequest:
    """state: paused, running or standby. offsets: where running pods begin (``activate``); None lets them go on
    (``resume``). standby: hot (joined and paused) or cold (not joined). timeout: for all of it, request_timeout: for one
    round of requests, in seconds.
    """

    kind: str
    name: str
    state: str
    epoch: int
    offsets: t.Mapping[TopicPartition, int] | None = None
    standby: str = "hot"
    leave_group: bool = False
    timeout: float = 60.0
    request_timeout: float = 5.0


@dataclass
class _Round:
    """What one look at all pods showed. silent: pod name to why there is no status of it."""

    pods: list[Pod]
    statuses: dict[str, PodStatus] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)

    @property
    def asked(self) -> list[Pod]:
        return [pod for pod in self.pods if pod.phase not in GONE]


def pause_consumers(ports: Ports, request: PauseRequest, check: bool = False) -> dict[str, t.Any]:
    """The module's result. Pods that are in the state already are not told anything.

    Done when two equal lists of pods in a row are all in the state. Raises ConflictError when a pod obeys a newer
    epoch, NotReadyError when the time is over; both with the result as last seen.
    """
    clock = ports.clock
    deadline = clock.monotonic() + request.timeout
    workload = _workload(ports, request)
    first = seen = _look(ports, workload, request)
    told: set[str] = set()
    previous: set[str] | None = None
    while True:
        todo = [pod for pod in seen.asked if not _in_state(request, seen.statuses.get(pod.name))]
        if check or (not todo and previous == {pod.uid for pod in seen.pods}):
            predicted = {pod.name for pod in todo} if check else told
            return _result(request, first, seen, predicted)
        previous = {pod.uid for pod in seen.pods} if not todo else None
        if clock.monotonic() >= deadline:
            raise NotReadyError(_unfinished(request, seen, todo), _result(request, first, seen, told))
        told |= _tell(ports, request, first, seen, [pod for pod in todo if pod.name in seen.statuses])
        if todo:
            clock.sleep(POLL)
        seen = _look(ports, workload, request)


def _workload(ports: Ports, request: PauseRequest) -> Workload:
    found = ports.cluster.workload(request.kind, request.name)
    if found is None:
        raise ClusterError(f"{request.kind} {request.name} does not exist in this namespace")
    if request.state == "running" and found.replicas == 0:
        raise NotReadyError(f"{request.kind} {request.name} is scaled to 0, so nothing can run; scale it up first")
    return found


def _look(ports: Ports, workload: Workload, request: PauseRequest) -> _Round:
    seen = _Round(ports.cluster.pods(workload))
    if seen.asked:
        for name, reply in ports.consumers.call(seen.asked, "status", None, request.request_timeout).items():
            status, why = parse_status(reply)
            if status is None:
                seen.silent[name] = why
            else:
                seen.statuses[name] = status
    return seen


def _in_state(request: PauseRequest, status: PodStatus | None) -> bool:
    """True when the pod says so itself, at this epoch or a newer one."""
    if status is None or status.epoch < request.epoch:
        return False
    if request.state == "running":
        return status.active
    if request.state == "paused":
        return status.drained and not (request.leave_group and status.member_state != "unjoined")
    joined = "stable" if request.standby == "hot" else "unjoined"
    return status.state == "STANDBY" and status.drained and status.member_state == joined


def _tell(ports: Ports, request: PauseRequest, first: _Round, seen: _Round, pods: t.Sequence[Pod]) -> set[str]:
    """Send the command to these pods; answers the names of those that took it."""
    if not pods:
        return set()
    command, body = _command(request)
    replies = ports.consumers.call(pods, command, body, WAIT + request.request_timeout)
    refused = [
        parse_status(reply)[1] for reply in replies.values() if reply.status is not None and 400 <= reply.status < 500
    ]
    taken = {name for name, reply in replies.items() if reply.status in (200, 202)}
    if refused:
        raise ConflictError(
            f"{request.kind} {request.name} refuses to be {request.state} at epoch {request.epoch}: {'; '.join(refused)}",
            _result(request, first, seen, taken),
        )
    return taken


def _command(request: PauseRequest) -> tuple[str, dict[str, t.Any]]:
    body: dict[str, t.Any] = {"epoch": request.epoch}
    wait = int(WAIT * 1000)
    if request.state == "paused":
        return "pause", {**body, "mode": "drain", "waitMs": wait, "leaveGroup": request.leave_group}
    if request.state == "standby":
        return "prepare", {**body, "standby": request.standby}
    if request.offsets is None:
        return "resume", {**body, "waitMs": wait}
    offsets: dict[str, dict[str, int]] = {}
    for tp, offset in request.offsets.items():
        offsets.setdefault(tp.topic, {})[str(tp.partition)] = offset
    return "activate", {**body, "offsets": offsets, "waitMs": wait}


def _unfinished(request: PauseRequest, seen: _Round, todo: t.Sequence[Pod]) -> str:
    reasons = []
    for pod in todo:
        status = seen.statuses.get(pod.name)
        if status is None:
            why = f"{seen.silent.get(pod.name, 'pod ' + pod.name + ' was not asked')} (phase {pod.phase})"
            reasons.append(why + (f", {pod.problem}" if pod.problem else ""))
        else:
            reasons.append(
                f"pod {pod.name} is {status.state} at epoch {status.epoch} with {status.in_flight} in flight, "
                f"member {status.member_state}, {len(status.uncommitted)} partitions uncommitted"
            )
    return (
        f"{request.kind} {request.name} is not {request.state} after {request.timeout:g} s: "
        f"{'; '.join(reasons) or 'its pods keep changing'}"
    )


def _result(request: PauseRequest, first: _Round, seen: _Round, told: set[str]) -> dict[str, t.Any]:
    before = {pod.name: _state(first, pod) for pod in first.pods}
    after = {name: WANTED[request.state] if name in told else state for name, state in before.items()}
    return {
        "changed": bool(told),
        "state": request.state,
        "epoch": request.epoch,
        "pods": [_pod(request, seen, pod, before.get(pod.name), pod.name in told) for pod in seen.pods],
        "diff": {"before": before, "after": after},
    }


def _state(seen: _Round, pod: Pod) -> str:
    status = seen.statuses.get(pod.name)
    return status.state if status else f"unknown ({pod.phase})"


def _pod(request: PauseRequest, seen: _Round, pod: Pod, before: str | None, told: bool) -> dict[str, t.Any]:
    status = seen.statuses.get(pod.name)
    shown: dict[str, t.Any] = {
        "name": pod.name,
        "uid": pod.uid,
        "phase": pod.phase,
        "terminating": pod.terminating,
        "state_before": before,
        "state": status.state if status else None,
        "in_state": pod.phase in GONE or _in_state(request, status),
        "commanded": told,
        "error": "" if status else seen.silent.get(pod.name, pod.problem),
    }
    if status:
        shown["epoch"] = status.epoch
        shown["group_id"] = status.group_id
        shown["member_id"] = status.member_id
        shown["in_flight"] = status.in_flight
        shown["partitions"] = [
            {
                "topic": tp.topic,
                "partition": tp.partition,
                "paused": partition.paused,
                "position": partition.position,
                "committed": partition.committed,
            }
            for tp, partition in sorted(status.partitions.items())
        ]
    return shown
