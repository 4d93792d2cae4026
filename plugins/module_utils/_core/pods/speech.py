# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""How a state is asked for and read in a dialect: what to send to a pod, and what its answers say. No I/O."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.dialects import (
    BG_V1,
    PASSING,
    Dialect,
    evaluate,
    filled,
    state_in,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import HttpCall, Reply
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_status import PodStatus, parse_status

DRAINED, REPORTED, ACCEPTED, NOTHING = "drained", "reported", "accepted", "none"
PROOFS = (DRAINED, REPORTED, ACCEPTED, NOTHING)
"""From strong to weak: positions and commits agree; the pod says so; the pod took the command; nothing."""
WAIT = 2.0
"""Seconds a bg/v1 pod may take to do what it was told before it answers that it is still at it."""
UNKNOWN = "unknown"
"""State of a pod that answers and does not say where it is."""
_SHOWN = 200
"""Characters of an answer that a message shows."""


@dataclass(frozen=True)
class View:
    """What one pod's answers say. label: its state for the diff. why: what keeps it from the wanted state, or empty."""

    state: str | None
    in_state: bool
    proof: str = NOTHING
    why: str = ""
    heard: bool = True
    """Whether an answer came at all, of whatever kind."""
    shown: t.Mapping[str, t.Any] = field(default_factory=dict)
    """Evidence, as returned to the user."""
    label: str = ""


class Speech(t.Protocol):
    """One wanted state in one dialect."""

    dialect: str
    reads: t.Sequence[HttpCall]
    commands: t.Sequence[HttpCall]
    """One after the other; the next one goes only to pods that took those before."""
    to_one: bool
    passing: frozenset[int]
    tells: bool
    """Whether the answer to a command is a status as well."""
    extra: float
    """Seconds a command may take longer than a read."""
    goal: str
    """The wanted state for the diff."""

    def view(self, replies: t.Sequence[Reply], accepted: bool) -> View:
        """Replies to the reads. accepted: whether the pod took the commands before in this call."""


class BgV1:
    """The contract bg/v1. standby: hot or cold."""

    dialect = BG_V1
    reads: t.Sequence[HttpCall] = (HttpCall("GET", "/status"),)
    to_one = False
    passing: frozenset[int] = frozenset({421})
    """The address belongs to another pod by now: the next list of pods tells."""
    tells = True
    extra = WAIT

    def __init__(self, wanted: str, epoch: int, standby: str = "hot") -> None:
        self._wanted = wanted
        self._epoch = epoch
        self._standby = standby
        name, body = self._command()
        self.commands: t.Sequence[HttpCall] = (HttpCall("POST", f"/{name}", body, {"X-BG-Epoch": str(epoch)}),)
        goals = {"paused": "DRAINED", "stopped": "DRAINED, not a member", "running": "ACTIVE"}
        self.goal = goals.get(wanted, "STANDBY" if standby == "hot" else "STANDBY, not a member")

    def _command(self) -> tuple[str, dict[str, t.Any]]:
        body: dict[str, t.Any] = {"epoch": self._epoch}
        wait = int(WAIT * 1000)
        if self._wanted in ("paused", "stopped"):
            return "pause", {**body, "mode": "drain", "waitMs": wait, "leaveGroup": self._wanted == "stopped"}
        if self._wanted == "standby":
            return "prepare", {**body, "standby": self._standby}
        return "resume", {**body, "waitMs": wait}

    def view(self, replies: t.Sequence[Reply], accepted: bool) -> View:
        """See Speech."""
        status, why = parse_status(replies[0])
        if status is None:
            return View(None, False, why=why, heard=replies[0].status is not None)
        reached = self._reached(status)
        return View(
            state=status.state,
            in_state=reached,
            proof=(DRAINED if status.drained else REPORTED) if reached else NOTHING,
            why="" if reached else self._missing(status),
            shown=_evidence(status),
            label=_label(status),
        )

    def _reached(self, status: PodStatus) -> bool:
        """True when the pod says so itself, at this epoch or a newer one."""
        if status.epoch < self._epoch:
            return False
        outside = status.member_state == "unjoined" and status.commanded
        if self._wanted == "running":
            return status.active
        if self._wanted == "paused":
            return status.drained
        if self._wanted == "stopped":
            return outside and (status.drained or (status.state == "FENCED" and status.quiet))
        joined = status.member_state == "stable" if self._standby == "hot" else outside
        return status.state == "STANDBY" and status.drained and joined

    @staticmethod
    def _missing(status: PodStatus) -> str:
        return (
            f"pod {status.pod} is {status.state} at epoch {status.epoch} with {status.in_flight} in flight, "
            f"member {status.member_state}, {len(status.uncommitted)} partitions uncommitted"
        )


def _label(status: PodStatus) -> str:
    outside = status.member_state == "unjoined" and status.state in ("DRAINED", "STANDBY")
    return f"{status.state}, not a member" if outside else status.state


def _evidence(status: PodStatus) -> dict[str, t.Any]:
    return {
        "epoch": status.epoch,
        "group_id": status.group_id,
        "member_id": status.member_id,
        "in_flight": status.in_flight,
        "partitions": [
            {
                "topic": tp.topic,
                "partition": tp.partition,
                "paused": partition.paused,
                "position": partition.position,
                "committed": partition.committed,
            }
            for tp, partition in sorted(status.partitions.items())
        ],
    }


class Spoken:
    """A dialect that is data. targets: bindings or connectors that must all be in the state."""

    tells = False
    extra = 0.0

    def __init__(self, dialect: Dialect, wanted: str, targets: t.Sequence[str] = (), epoch: int | None = None) -> None:
        self._dialect = dialect
        self._targets = tuple(targets) or ("",)
        self.dialect = dialect.name
        self.goal = self._wanted = wanted
        self.to_one = dialect.to_one
        self.passing = dialect.passing | PASSING
        read = dialect.status
        self.reads: t.Sequence[HttpCall] = [filled(read, target, epoch) for target in self._targets] if read else []
        calls = dialect.states[wanted].requests
        self.commands: t.Sequence[HttpCall] = [
            filled(call, target, epoch) for target in self._targets for call in calls
        ]

    def view(self, replies: t.Sequence[Reply], accepted: bool) -> View:
        """See Speech."""
        if not self.reads:
            if accepted:
                return View(UNKNOWN, True, ACCEPTED, label=self._wanted)
            return View(UNKNOWN, False, why="it has not taken the command", label=UNKNOWN)
        seen = [self._one(reply, accepted) for reply in replies]
        silent = [one for one in seen if one.state is None]
        if silent:
            heard = all(one.heard for one in silent)
            return View(None, False, why="; ".join(one.why for one in silent), heard=heard)
        states = [str(one.state) for one in seen]
        state = states[0] if len(set(states)) == 1 else _listed(self._targets, states)
        reached = all(one.in_state for one in seen)
        evidence: t.Any = [one.shown["evidence"] for one in seen]
        if self._targets != ("",):
            evidence = dict(zip(self._targets, evidence, strict=True))
        return View(
            state=state,
            in_state=reached,
            proof=REPORTED if reached else NOTHING,
            why="" if reached else "; ".join(one.why for one in seen if one.why) or f"pod {replies[0].pod} is {state}",
            shown={"evidence": evidence if self._targets != ("",) else evidence[0]},
            label=self._wanted if reached else state,
        )

    def _one(self, reply: Reply, accepted: bool) -> View:
        """What one answer says."""
        if reply.status is None:
            return View(None, False, why=f"pod {reply.pod} did not answer: {reply.error}", heard=False)
        if not 200 <= reply.status < 300:
            return View(None, False, why=f"pod {reply.pod} answered {reply.status}: {said(reply)}")
        if reply.answer is None:
            return View(None, False, why=f"pod {reply.pod} {reply.error or 'answered without JSON'}")
        state, why = state_in(self._dialect, reply.answer, self._wanted)
        evidence = evaluate(self._dialect.evidence, reply.answer)[0] if self._dialect.evidence else None
        if not state:
            # Not the whole answer where it can be helped: some frameworks put their settings, with passwords, into it.
            part = json.dumps(evidence)[:_SHOWN] if self._dialect.evidence else said(reply)
            return View(UNKNOWN, False, why=f"pod {reply.pod}: {why}: {part}", shown={"evidence": evidence})
        shown = {"evidence": evidence}
        reached = state == self._wanted
        if not reached and accepted and self._wanted == "paused" and self._dialect.idle:
            # Frameworks count partitions that are paused; one that has none can only be told.
            reached = evaluate(self._dialect.idle, reply.answer)[0] is True
        return View(state, reached, shown=shown)


def _listed(targets: t.Sequence[str], states: t.Sequence[str]) -> str:
    return ", ".join(f"{target} {state}" for target, state in zip(targets, states, strict=True))


def said(reply: Reply) -> str:
    """What a reply says, for a message: its reason where it has one, its beginning otherwise."""
    body = reply.body or {}
    for key in ("message", "detail", "error"):
        if isinstance(body.get(key), str) and body[key]:
            return str(body[key])[:_SHOWN]
    if reply.answer is not None:
        return json.dumps(reply.answer)[:_SHOWN]
    return reply.error or "no body"
