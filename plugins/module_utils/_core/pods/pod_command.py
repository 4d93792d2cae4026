# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""A command to pods: what to send for a state that is wanted, and what the answers say. No I/O."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import HttpCall, Reply

DRAINED, REPORTED, ACCEPTED, NOTHING = "drained", "reported", "accepted", "none"
PROOFS = (DRAINED, REPORTED, ACCEPTED, NOTHING)
"""From strong to weak: positions and commits agree; the pod says so; the pod took the command; nothing."""
UNKNOWN = "unknown"
"""State of a pod that answers and does not say where it is."""
SHOWN = 200
"""Characters of an answer that a message shows."""


@dataclass(frozen=True)
class PodView:
    """What one pod's answers say. label: its state for the diff. why: what keeps it from the wanted state, or empty."""

    state: str | None
    in_state: bool
    proof: str = NOTHING
    why: str = ""
    answered: bool = True
    """Whether an answer came at all, of whatever kind."""
    shown: t.Mapping[str, t.Any] = field(default_factory=dict)
    """Evidence, as returned to the user."""
    label: str = ""


class PodCommand(t.Protocol):
    """One wanted state in one dialect."""

    dialect: str
    reads: t.Sequence[HttpCall]
    commands: t.Sequence[HttpCall]
    """One after the other; the next one goes only to pods that took those before."""
    to_one: bool
    passing: frozenset[int]
    answers_with_status: bool
    """Whether the answer to a command is a status as well."""
    extra: float
    """Seconds a command may take longer than a read."""
    goal: str
    """The wanted state for the diff."""

    def view(self, replies: t.Sequence[Reply], accepted: bool) -> PodView:
        """Replies to the reads. accepted: whether the pod took the commands before in this call."""


def reason_of(reply: Reply) -> str:
    """What a reply says, for a message: its reason where it has one, its beginning otherwise."""
    body = reply.body or {}
    for key in ("message", "detail", "error"):
        if isinstance(body.get(key), str) and body[key]:
            return str(body[key])[:SHOWN]
    if reply.answer is not None:
        return json.dumps(reply.answer)[:SHOWN]
    return reply.error or "no body"
