# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Commands of a dialect that is data. No I/O."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.dialect_reader import (
    Dialect,
    evaluate,
    filled,
    of_target,
    state_in,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.dialects import PASSING
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import HttpCall, Reply
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_command import (
    ACCEPTED,
    NOTHING,
    REPORTED,
    SHOWN,
    UNKNOWN,
    PodView,
    reason_of,
)


class DialectCommand:
    """A dialect that is data. targets: bindings or connectors that must all be in the state."""

    answers_with_status = False
    extra = 0.0

    def __init__(self, dialect: Dialect, wanted: str, targets: t.Sequence[str] = (), epoch: int | None = None) -> None:
        self._dialect = dialect
        self._targets = tuple(targets) or ("",)
        self.dialect = dialect.name
        self.goal = self._wanted = wanted
        self.to_one = dialect.to_one
        self.passing = dialect.passing | PASSING
        read = dialect.status
        asked = self._targets[:1] if dialect.rows else self._targets
        self.reads: t.Sequence[HttpCall] = [filled(read, target, epoch) for target in asked] if read else []
        calls = dialect.states[wanted].requests
        self.commands: t.Sequence[HttpCall] = [
            filled(call, target, epoch) for target in self._targets for call in calls
        ]

    def view(self, replies: t.Sequence[Reply], accepted: bool) -> PodView:
        """See PodCommand."""
        if not self.reads:
            if accepted:
                return PodView(UNKNOWN, True, ACCEPTED, label=self._wanted)
            return PodView(UNKNOWN, False, why="it has not taken the command", label=UNKNOWN)
        replies = list(replies) * len(self._targets) if self._dialect.rows else replies
        seen = [self._one(reply, target, accepted) for target, reply in zip(self._targets, replies, strict=True)]
        silent = [one for one in seen if one.state is None]
        if silent:
            answered = all(one.answered for one in silent)
            return PodView(None, False, why="; ".join(one.why for one in silent), answered=answered)
        states = [str(one.state) for one in seen]
        state = states[0] if len(set(states)) == 1 else _listed(self._targets, states)
        reached = all(one.in_state for one in seen)
        evidence: t.Any = [one.shown["evidence"] for one in seen]
        if self._targets != ("",):
            evidence = dict(zip(self._targets, evidence, strict=True))
        return PodView(
            state=state,
            in_state=reached,
            proof=REPORTED if reached else NOTHING,
            why="" if reached else "; ".join(one.why for one in seen if one.why) or f"pod {replies[0].pod} is {state}",
            shown={"evidence": evidence if self._targets != ("",) else evidence[0]},
            label=self._wanted if reached else state,
        )

    def _one(self, reply: Reply, target: str, accepted: bool) -> PodView:
        """What one answer says of a target."""
        if reply.status is None:
            return PodView(None, False, why=f"pod {reply.pod} did not answer: {reply.error}", answered=False)
        if not 200 <= reply.status < 300:
            return PodView(None, False, why=f"pod {reply.pod} answered {reply.status}: {reason_of(reply)}")
        if reply.answer is None:
            return PodView(None, False, why=f"pod {reply.pod} {reply.error or 'answered without JSON'}")
        answer = of_target(self._dialect, reply.answer, target)
        state, why = state_in(self._dialect, answer, self._wanted)
        evidence = evaluate(self._dialect.evidence, answer)[0] if self._dialect.evidence else None
        if not state:
            # Not the whole answer where it can be helped: some frameworks put their settings, with passwords, into it.
            part = json.dumps(evidence)[:SHOWN] if self._dialect.evidence else reason_of(reply)
            return PodView(UNKNOWN, False, why=f"pod {reply.pod}: {why}: {part}", shown={"evidence": evidence})
        shown = {"evidence": evidence}
        reached = state == self._wanted
        if not reached and accepted and self._wanted == "paused" and self._dialect.idle:
            # Frameworks count partitions that are paused; one that has none can only be told.
            reached = evaluate(self._dialect.idle, answer)[0] is True
        return PodView(state, reached, shown=shown)


def _listed(targets: t.Sequence[str], states: t.Sequence[str]) -> str:
    return ", ".join(f"{target} {state}" for target, state in zip(targets, states, strict=True))
