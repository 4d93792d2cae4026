# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The order of a run: judge, prepare, hand over, verify, settle; up to a named step, and on from there."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import BlueGreenError, NoGoError
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases import hand_over as hand_overs
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.hand_over import hand_over
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.plan_run import as_result, plan_run
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.prepare import prepare
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run_context import Request

JUDGED, PREPARED, SETTLED = "judged", "prepared", "settled"
STEPS = (JUDGED, PREPARED, *hand_overs.UNTIL, SETTLED)
"""The steps after which a run may be stopped, to be looked at and gone on with by the same run."""


def run(
    ports: Ports,
    app: Application,
    request: Request,
    until: str = SETTLED,
    wait: float = 60.0,
    begin: bool = True,
    check: bool = False,
) -> dict[str, t.Any]:
    """Bring ``request.target`` to work, or whatever else the stored state asks for; JSON-ready.

    request: without an expected_epoch or without a target nobody has judged yet, so it is judged here, and a No-Go raises
    NoGoError before anything is changed. until: the last step to take, one of STEPS. wait: seconds to prove the target well
    before the run is closed. begin: False only goes on with what is under way, and with what a run that died has left: somebody
    else may have ended it meanwhile, and then a step that was meant for it must not begin another. check: predict, write nothing.

    Returns what was judged, or what the last step returned, with ``changed``, ``run_id`` and ``steps`` of all of them. A target
    that could not be proven well is no error: ``settled`` is false, and ``verified`` says why.
    """
    if until == JUDGED:
        return {"changed": False, **as_result(plan_run(ports, app, request.mode, request.direction, request.target))}
    done: dict[str, t.Any] = {"changed": False, "run_id": request.run_id, "steps": []}
    if begin:
        if not request.target or request.expected_epoch is None:
            request = _judged(ports, app, request)
        done = prepare(ports, app, request, check)
        request = replace(request, expected_epoch=done["epoch"])
    if until == PREPARED:
        return done
    last = hand_overs.ACTIVE if until == SETTLED else until
    try:
        handed = hand_over(ports, app, request, check, wait if until == SETTLED else None, last)
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
        "changed": done["changed"] or handed["changed"],
        "steps": done["steps"] + handed["steps"],
    }


def _judged(ports: Ports, app: Application, request: Request) -> Request:
    """The request, bound to what was judged."""
    plan = plan_run(ports, app, request.mode, request.direction, request.target)
    if plan.verdict == gates.NO_GO:
        table = gates.table(plan.gates)
        raise NoGoError(
            f"NO-GO for {app.name}. Nothing was changed; {plan.seen.stored.record.active} is still the active colour.\n"
            + "\n".join(table),
            {"gates": gates.as_result(plan.gates), "table": table},
        )
    return replace(request, target=plan.decision.target, expected_epoch=plan.seen.stored.record.epoch)
