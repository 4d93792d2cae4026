# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The order of a run: judge, prepare, hand over, verify, settle; up to a named step, and on from there."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    InvalidSettingsError,
    NoGoError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.decision import ABORT, CLEAN_UP
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run import hand_over as hand_overs
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.hand_over import hand_over
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.preflight import as_result, preflight
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.prepare import prepare

JUDGED, PREPARED, SETTLED = "judged", "prepared", "settled"
STEPS = (JUDGED, PREPARED, *hand_overs.UNTIL, SETTLED)
"""The steps after which a run may be stopped, to be looked at and gone on with by the same run."""


def run(
    ports: Ports,
    app: Application,
    request: RunRequest,
    until: str = SETTLED,
    wait: float = 60.0,
    judged: bool = False,
    only: str = "",
    check: bool = False,
) -> dict[str, t.Any]:
    """Bring ``request.target`` to work, or whatever else the stored state asks for; JSON-ready.

    until: the last step to take, one of STEPS. wait: seconds to prove the target well before the run is closed. judged: Go was
    said for this target at this epoch; else it is judged here, and a No-Go raises NoGoError before anything is changed. only: one
    of hand_over.ONLY, for a step of a run that is under way; somebody else may have ended that run meanwhile, and then the step
    must not begin another. check: predict, write nothing.

    Returns what was judged, or what the last step returned, with ``changed``, ``run_id`` and ``steps`` of all of them. A target
    that could not be proven well is no error: ``settled`` is false, and ``verified`` says why.
    """
    if until == JUDGED:
        return {"changed": False, **as_result(preflight(ports, app, request.mode, request.direction, request.target))}
    _check(request, until, judged, only)
    done: dict[str, t.Any] = {"changed": False, "run_id": request.run_id, "steps": []}
    closes = wait if until == SETTLED else None
    last = hand_overs.ACTIVE if closes is not None else until
    try:
        if not only:
            if not judged:
                request = _judge(ports, app, request)
            done = prepare(ports, app, request, check)
            request = replace(request, expected_epoch=done["epoch"])
            if until == PREPARED:
                if done["decision"]["action"] not in (ABORT, CLEAN_UP):
                    return done
                last = hand_overs.ACTIVE  # to undo what a run that died has left is all there is to do
        handed = hand_over(ports, app, request, check, closes, last, only)
    except BlueGreenError as error:
        error.result = {
            **error.result,
            "run_id": request.run_id,
            "steps": done["steps"] + error.result.get("steps", []),
        }
        raise
    return {
        **handed,
        "run_id": request.run_id,
        "epoch": int(handed["record"]["epoch"]),  # of the record as it is now: the next step is bound to it
        "changed": done["changed"] or handed["changed"],
        "steps": done["steps"] + handed["steps"],
    }


def _check(request: RunRequest, until: str, judged: bool, only: str) -> None:
    """Raise InvalidSettingsError for what makes no sense together."""
    faults = []
    if only and not request.target:
        faults.append(f"target is missing; with only: {only} name the colour that the run hands over to")
    if only and until == PREPARED:
        faults.append(f"until: {until} makes no sense with only: {only}, which begins nothing")
    if judged and (not request.target or request.expected_epoch is None):
        faults.append("judged needs target and expected_epoch, for which Go was said")
    if faults:
        raise InvalidSettingsError(faults)


def _judge(ports: Ports, app: Application, request: RunRequest) -> RunRequest:
    """The request, bound to what was judged."""
    plan = preflight(ports, app, request.mode, request.direction, request.target)
    seen = plan.seen.stored.record
    bound = replace(
        request,
        target=plan.decision.target,
        expected_epoch=seen.epoch if request.expected_epoch is None else request.expected_epoch,
    )
    # A record that has moved since is told as that, by whoever takes the lock: the gates are of another state.
    if plan.verdict == gates.NO_GO and bound.expected_epoch == seen.epoch:
        table = gates.table(plan.gates)
        raise NoGoError(
            f"NO-GO for {app.name}. Nothing was changed; {seen.active} is still the active colour.\n"
            + "\n".join(table),
            {"gates": gates.as_result(plan.gates), "table": table},
        )
    return bound
