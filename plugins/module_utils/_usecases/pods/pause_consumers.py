# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Bring every pod of a workload into a state (paused, stopped, running, standby), one by one, and read the state back."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod, Workload
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    ClusterError,
    ConflictError,
    NotReadyError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.bg_v1 import BgV1Command
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.dialect_command import DialectCommand
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.dialect_reader import Dialect
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import HttpCall, Reply
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_command import (
    ACCEPTED,
    NOTHING,
    PROOFS,
    UNKNOWN,
    PodCommand,
    PodView,
    reason_of,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports

POLL = 0.1
"""Seconds between two rounds."""
AGAIN = 1.0
"""Seconds a pod has to show what it was told, before it is told again."""
LEAST = 0.5
"""Seconds a request may take even when the time is almost over: the last one should say what is wrong, not that it was cut off."""


@dataclass(frozen=True)
class PauseRequest:
    """state: paused, stopped, running or standby. dialect: None for bg/v1, which alone needs epoch and has standby.

    timeout: for all of it, request_timeout: for each pod's answer to one request, in seconds.
    """

    kind: str
    name: str
    state: str
    epoch: int | None = None
    standby: str = "hot"
    dialect: Dialect | None = None
    targets: tuple[str, ...] = ()
    timeout: float = 60.0
    request_timeout: float = 5.0

    @property
    def command(self) -> PodCommand:
        """How the state is asked for and read."""
        if self.dialect is not None:
            return DialectCommand(self.dialect, self.state, self.targets, self.epoch)
        return BgV1Command(self.state, self.epoch or 0, self.standby)


@dataclass
class _Round:
    """What one look at all pods showed, by the pods' uid: a pod that came back under its old name is another one."""

    pods: list[Pod]
    views: dict[str, PodView] = field(default_factory=dict)

    @property
    def uids(self) -> set[str]:
        return {pod.uid for pod in self.pods}

    @property
    def todo(self) -> list[Pod]:
        return [pod for pod in self.pods if not self.views[pod.uid].in_state]


def pause_consumers(ports: Ports, request: PauseRequest, check: bool = False) -> dict[str, t.Any]:
    """The module's result. Pods that are in the state already are not told anything.

    Done when two equal lists of pods in a row are all in the state. Raises ConflictError when a pod refuses, NotReadyError
    when the time is over; both with the result as last seen.
    """
    return _Call(ports, request).check() if check else _Call(ports, request).run()


class _Call:
    """One call of the module. told: uids of the pods that took a command. moved: of those that it concerned."""

    def __init__(self, ports: Ports, request: PauseRequest) -> None:
        self._ports = ports
        self._request = request
        self._command = request.command
        self._began = ports.clock.monotonic()
        self._told: set[str] = set()
        self._moved: set[str] = set()
        self._accepted: set[str] = set()
        self._again: dict[str, float] = {}
        """When a pod may be told once more."""
        self._rounds = 0
        self._workload = self._found()
        self._first = self._look()
        self._seen = _Round(self._first.pods, dict(self._first.views))

    def check(self) -> dict[str, t.Any]:
        """What a run would change, told from one look."""
        todo = self._seen.todo
        self._moved = {pod.uid for pod in todo}
        # One that does not answer now would be told as soon as it does.
        told = (self._addressed(todo) or todo[:1]) if self._command.to_one else todo
        self._told = {pod.uid for pod in told}
        return self._result()

    def run(self) -> dict[str, t.Any]:
        """Tell and look until it is done."""
        settled: set[str] | None = None
        while True:
            if self._seen.todo:
                self._in_time()
                self._tell(self._seen.todo)
            if self._seen.todo:
                settled = None
                self._in_time()
                self._ports.clock.sleep(POLL)
            elif settled == self._seen.uids:
                return self._result()
            else:
                if settled is not None:
                    self._in_time()
                settled = self._seen.uids
            self._seen = self._look()

    def _found(self) -> Workload:
        request = self._request
        found = self._ports.cluster.workload(request.kind, request.name)
        if found is None:
            raise ClusterError(f"{request.kind} {request.name} does not exist in {self._ports.cluster.place()}")
        if request.state == "running" and found.replicas == 0:
            raise NotReadyError(f"{request.kind} {request.name} is scaled to 0, so nothing can run; scale it up first")
        return found

    def _look(self) -> _Round:
        self._rounds += 1
        seen = _Round(self._ports.cluster.pods(self._workload))
        answers: dict[str, list[Reply]] = {pod.uid: [] for pod in seen.pods}
        for call in self._command.reads:
            for pod, reply in self._send(seen.pods, call, 0.0):
                answers[pod.uid].append(reply)
        for pod in seen.pods:
            seen.views[pod.uid] = self._command.view(answers[pod.uid], pod.uid in self._accepted)
        return seen

    def _tell(self, todo: t.Sequence[Pod]) -> None:
        """Send the commands; what the pods say to them is taken for their status where the dialect has it so."""
        pods = self._addressed(todo)
        told: set[str] = set()
        refused: list[str] = []
        for number, call in enumerate(self._command.commands):
            replies = self._send(pods, call, self._command.extra)
            taken = [(pod, reply) for pod, reply in replies if _ok(reply)]
            refused += [_refusal(reply) for _pod, reply in replies if self._refuses(reply)]
            told |= {pod.uid for pod, _reply in taken}
            pods = [pod for pod, _reply in taken]
            if number == len(self._command.commands) - 1:
                self._accepted |= {pod.uid for pod in pods}
            for pod, reply in taken if self._command.answers_with_status else ():
                self._seen.views[pod.uid] = self._command.view([reply], True)
        self._told |= told
        self._moved |= {pod.uid for pod in todo} if told and self._command.to_one else told
        if refused:
            raise ConflictError(
                f"{self._title} refuses to be {self._request.state}{self._at_epoch}: {'; '.join(refused)}",
                self._result(),
            )

    def _addressed(self, todo: t.Sequence[Pod]) -> list[Pod]:
        """The pods that get the command now: none that got it a moment ago, and none whose answer can't be read.

        Except that a pod may be told to pause whatever it answers: it may well hear, and once too often does no harm.
        """
        views, safe = self._seen.views, self._request.state in ("paused", "stopped")
        now = self._ports.clock.monotonic()
        able = [pod for pod in todo if views[pod.uid].state is not None or (safe and views[pod.uid].answered)]
        if self._command.to_one:
            able.sort(key=lambda pod: (not pod.ready, pod.name))
            able = able[self._rounds % len(able) :][:1] if able else []
        due = [pod for pod in able if now >= self._again.get(self._key(pod), now)]
        self._again |= {self._key(pod): now + AGAIN for pod in due}
        return due

    def _key(self, pod: Pod) -> str:
        return "" if self._command.to_one else pod.uid

    def _send(self, pods: t.Sequence[Pod], call: HttpCall, extra: float) -> list[tuple[Pod, Reply]]:
        if not pods:
            return []
        left = max(LEAST, self._began + self._request.timeout - self._ports.clock.monotonic())
        replies = self._ports.consumers.send(pods, call, min(left, self._request.request_timeout + extra))
        return [(pod, replies[pod.name]) for pod in pods]

    def _refuses(self, reply: Reply) -> bool:
        return reply.status is not None and 400 <= reply.status < 500 and reply.status not in self._command.passing

    def _in_time(self) -> None:
        if self._ports.clock.monotonic() - self._began < self._request.timeout:
            return
        reasons = []
        for pod in self._seen.todo:
            view = self._seen.views[pod.uid]
            silent = (
                f" (phase {pod.phase})" + (f", {pod.problem or pod.trouble}" if pod.problem or pod.trouble else "")
                if view.state is None
                else ""
            )
            reasons.append(view.why + silent)
        raise NotReadyError(
            f"{self._title} is not {self._request.state} after {self._request.timeout:g} s: "
            f"{'; '.join(reasons) or 'its pods keep changing'}",
            self._result(),
        )

    @property
    def _title(self) -> str:
        return f"{self._request.kind} {self._request.name}"

    @property
    def _at_epoch(self) -> str:
        return "" if self._request.dialect else f" at epoch {self._request.epoch}"

    def _result(self) -> dict[str, t.Any]:
        before = {pod.name: _label(self._first, pod) for pod in self._first.pods}
        moved = {pod.name for pod in self._first.pods if pod.uid in self._moved}
        after = {name: self._command.goal if name in moved else state for name, state in before.items()}
        pods = [self._pod(pod) for pod in self._seen.pods]
        proof = max((pod["proof"] for pod in pods), key=PROOFS.index, default=NOTHING)
        return {
            "changed": bool(self._told),
            "state": self._request.state,
            "epoch": self._request.epoch,
            "dialect": self._command.dialect,
            "proof": proof,
            "pods": pods,
            "elapsed": round(self._ports.clock.monotonic() - self._began, 3),
            "rounds": self._rounds,
            "diff": {"before": before, "after": after},
            "warnings": self._warnings(proof),
        }

    def _pod(self, pod: Pod) -> dict[str, t.Any]:
        before, view = self._first.views.get(pod.uid), self._seen.views.get(pod.uid)
        return {
            "name": pod.name,
            "uid": pod.uid,
            "phase": pod.phase,
            "terminating": pod.terminating,
            "state_before": _label(self._first, pod) if before else None,
            "state": view.state if view else None,
            "in_state": bool(view and view.in_state),
            "proof": view.proof if view else NOTHING,
            "commanded": pod.uid in self._told,
            "error": (view.why if view.state in (None, UNKNOWN) else "") if view else pod.problem,
            **(view.shown if view else {}),
        }

    def _warnings(self, proof: str) -> list[str]:
        dialect = self._request.dialect
        weak = proof == ACCEPTED or (proof != NOTHING and self._request.state != "running")
        if dialect is None or not weak:
            return []
        text = f"as far as the dialect {dialect.name} can tell: it {dialect.weakness}. Prove it with kafka_lag_wait as well"
        return [f"{self._title} is {self._request.state} {text}"]


def _ok(reply: Reply) -> bool:
    return reply.status is not None and 200 <= reply.status < 300


def _refusal(reply: Reply) -> str:
    return f"pod {reply.pod} answered {reply.status}: {reason_of(reply)}"


def _label(seen: _Round, pod: Pod) -> str:
    view = seen.views.get(pod.uid)
    return view.label if view and view.label else f"unknown ({pod.phase})"
