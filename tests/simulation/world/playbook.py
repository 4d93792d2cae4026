"""What the playbooks do, step by step: each step is a process of its own and knows only what the one before returned."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import NoGoError
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.hand_over import hand_over
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.plan_run import plan_run
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.prepare import prepare
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run_context import Request
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.settle import settle, verify
from tests.simulation.world.ports import Operator

VERIFY_SECONDS = 10.0


def play(operator: Operator, direction: str, mode: str, target: str = "", fused: bool = True) -> dict[str, t.Any]:
    """The whole playbook; answers whether any step changed something, and the target.

    fused: the process that hands over also proves and closes, as it does by default; else each step is one of its own.
    """
    ports, app = operator.ports, operator.world.app
    plan = plan_run(ports, app, mode, direction, target)
    if plan.verdict == gates.NO_GO:
        raise NoGoError("\n".join(gates.table(plan.gates)))
    epoch = plan.seen.stored.record.epoch
    request = Request(plan.decision.target, direction, mode, operator.run_id, "simulation", epoch)
    prepared = prepare(ports, app, request)
    changed = [prepared["changed"]]
    request = replace(request, expected_epoch=prepared["epoch"])
    handed = hand_over(ports, app, request, close_within=VERIFY_SECONDS if fused else None)
    changed.append(handed["changed"])
    if not handed["settled"]:
        _seen, rows = verify(ports, app, mode, VERIFY_SECONDS)
        if gates.verdict_of(rows) == gates.NO_GO:
            raise NoGoError("\n".join(gates.table(rows)))
        changed.append(settle(ports, app, replace(request, expected_epoch=None))["changed"])
    return {"changed": any(changed), "target": request.target, "decision": plan.decision.action}
