# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Commands of the contract bg/v1, and how their effect shows in a pod's status. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.dialects import BG_V1
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import HttpCall, Reply
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_command import (
    DRAINED,
    NOTHING,
    REPORTED,
    PodView,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_status import PodStatus, parse_status

WAIT = 2.0
"""Seconds a bg/v1 pod may take to do what it was told before it answers that it is still at it."""
STATUS = HttpCall("GET", "/status")


def pause(epoch: int, wait: float, leave_group: bool = False) -> HttpCall:
    """Finish the record in hand, commit, process nothing more. wait: seconds for which the answer may be held back until then."""
    return _command("pause", epoch, {"mode": "drain", "waitMs": int(wait * 1000), "leaveGroup": leave_group})


def prepare(epoch: int, standby: str, wait: float) -> HttpCall:
    """Process nothing, as a member of the group (hot) or not (cold). wait: as for ``pause``."""
    return _command("prepare", epoch, {"standby": standby, "waitMs": int(wait * 1000)})


def resume(epoch: int, wait: float) -> HttpCall:
    """Read the active record now, which is what makes a pod process. wait: as for ``pause``."""
    return _command("resume", epoch, {"waitMs": int(wait * 1000)})


def _command(name: str, epoch: int, body: t.Mapping[str, t.Any]) -> HttpCall:
    return HttpCall("POST", f"/{name}", {"epoch": epoch, **body}, {"X-BG-Epoch": str(epoch)})


class BgV1Command:
    """The contract bg/v1. standby: hot or cold."""

    dialect = BG_V1
    reads: t.Sequence[HttpCall] = (STATUS,)
    to_one = False
    passing: frozenset[int] = frozenset({421})
    """The address belongs to another pod by now: the next list of pods tells."""
    answers_with_status = True
    extra = WAIT

    def __init__(self, wanted: str, epoch: int, standby: str = "hot") -> None:
        self._wanted = wanted
        self._epoch = epoch
        self._standby = standby
        self.commands: t.Sequence[HttpCall] = (self._command(),)
        goals = {"paused": "DRAINED", "stopped": "DRAINED, not a member", "running": "ACTIVE"}
        self.goal = goals.get(wanted, "STANDBY" if standby == "hot" else "STANDBY, not a member")

    def _command(self) -> HttpCall:
        if self._wanted in ("paused", "stopped"):
            return pause(self._epoch, WAIT, leave_group=self._wanted == "stopped")
        return prepare(self._epoch, self._standby, WAIT) if self._wanted == "standby" else resume(self._epoch, WAIT)

    def view(self, replies: t.Sequence[Reply], accepted: bool) -> PodView:
        """See PodCommand."""
        status, why = parse_status(replies[0])
        if status is None:
            return PodView(None, False, why=why, answered=replies[0].status is not None)
        reached = self._reached(status)
        return PodView(
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
