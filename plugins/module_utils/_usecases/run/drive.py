# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Brings the pods of a colour to a state by command: the one loop for pausing, standing by and waking.

What holds for every command is said here once:

* a pod that has reached the state is not told again, unless what the caller looks at says that something is wrong;
* a pod that answers 409 has reached it all the same, or somebody else commands it, and that is final;
* a pod may be silent where Kubernetes says that it cannot run, or has not started; any other has to answer;
* the list of pods is read again after they were told: only two equal lists prove that all of them were.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import NotReadyError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods import bg_v1
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import HttpCall
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_status import PodStatus
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.looks import looks
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import POLL, RunContext
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.observe import ask, tell

Look = t.Callable[[t.Mapping[str, PodStatus]], tuple[list[Pod], list[str]]]
"""Given the statuses so far: the pods as listed now, and reasons why what is wanted is not so yet."""


@dataclass(frozen=True)
class Order:
    """A command, and how its effect shows. wait: seconds for which a pod may hold its answer back until it is done."""

    call: HttpCall
    reached: t.Callable[[PodStatus], bool]
    wait: float = 0.0

    @property
    def command(self) -> str:
        """Its name, for people."""
        return self.call.path.strip("/")


class RefusedError(NotReadyError):
    """A pod refuses the command at this epoch: somebody else commands it."""


def pause(epoch: int, wait: float) -> Order:
    """Finish the record in hand, commit, process nothing more."""
    return Order(bg_v1.pause(epoch, wait), lambda status: status.drained and status.epoch == epoch, wait)


def stand_by(epoch: int) -> Order:
    """Join the group and process nothing."""
    return Order(bg_v1.prepare(epoch, "hot", 0.0), lambda status: status.state == "STANDBY" and status.epoch == epoch)


def wake(epoch: int) -> Order:
    """Read the active record now, which is what makes a pod process."""
    wait = 1.0
    return Order(bg_v1.resume(epoch, wait), lambda status: status.state == "ACTIVE" and status.epoch == epoch, wait)


def drive(
    ctx: RunContext,
    colour: str,
    order: Order,
    within: float,
    *,
    poll: float = POLL,
    pods: t.Sequence[Pod] | None = None,
    look: Look | None = None,
) -> dict[str, PodStatus]:
    """Tell the pods of ``colour`` until two equal lists of them have reached what ``order`` wants; their statuses.

    within: seconds. pods: the pods as listed before, where that was done already. Raises RefusedError, and NotReadyError
    with every reason when the time is over.
    """
    told = list(pods) if pods is not None else ctx.pods(colour)
    statuses: dict[str, PodStatus] = {}
    for _look in looks(ctx.ports.clock, within, poll, ctx.lock.hold):
        done = {pod.name for pod in told if pod.name in statuses and order.reached(statuses[pod.name])}
        answered, silent = _tell(ctx, colour, [pod for pod in told if pod.name not in done], order)
        statuses.update(answered)
        listed, reasons = look(statuses) if look is not None else (ctx.pods(colour), [])
        excused = {pod.name for pod in told if pod.problem or pod.phase == "Pending"}
        present = {pod.name: statuses[pod.name] for pod in listed if pod.name in statuses}
        reasons += [why for name, why in silent.items() if name not in excused]
        reasons += [
            f"pod {name} is {status.state} at epoch {status.epoch}{_said(status)}"
            for name, status in present.items()
            if look is None and not order.reached(status)
        ]
        if not reasons and _uids(listed) == _uids(told) and (present or look is not None):
            return present
        # What was not proven is asked again: pods that changed, and where something else is wrong all of them.
        told, statuses = listed, {} if reasons and look is not None else statuses
    seen = "; ".join(reasons[:6]) or ("its pods keep changing" if listed else "it has no pods")
    raise NotReadyError(f"{colour} did not {order.command} within {within:.0f} s: {seen}", {"reasons": reasons})


def _tell(
    ctx: RunContext, colour: str, pods: t.Sequence[Pod], order: Order
) -> tuple[dict[str, PodStatus], dict[str, str]]:
    """Send the command; statuses of those that answered, and why others did not."""
    statuses, silent, codes = tell(ctx.ports, pods, order.call, order.wait + ctx.app.timeouts.request)
    refused = [pod for pod in pods if codes.get(pod.name) == 409]
    if refused:
        seen, _silent = ask(ctx.ports, ctx.app, refused)
        reached = {name: status for name, status in seen.items() if order.reached(status)}
        left = [silent[pod.name] for pod in refused if pod.name not in reached]
        if left:
            raise RefusedError(f"{colour} refuses to {order.command}: {'; '.join(left)}", {"reasons": left})
        statuses.update(reached)
        silent = {name: why for name, why in silent.items() if name not in reached}
    return statuses, silent


def _said(status: PodStatus) -> str:
    return f" (last error: {status.last_error})" if status.last_error else ""


def _uids(pods: t.Iterable[Pod]) -> set[str]:
    return {pod.uid for pod in pods}
