"""What the playbooks do: the order is the product's own; each call of it is a process that knows what the one before returned."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.decision import SETTLE, START
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import NoGoError
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.plan_run import plan_run
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run import SETTLED, run
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run_context import Request
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.verify import verify
from tests.simulation.world.ports import Operator

VERIFY_SECONDS = 10.0
APART = ("prepared", "active")
"""The steps that are processes of their own where the style is not fused."""


def play(operator: Operator, direction: str, mode: str, target: str = "", fused: bool = True) -> dict[str, t.Any]:
    """The whole playbook; returns whether any step changed something, and the target."""
    ports, app = operator.ports, operator.world.app
    plan = plan_run(ports, app, mode, direction, target)
    if plan.verdict == gates.NO_GO:
        raise NoGoError("\n".join(gates.table(plan.gates)))
    epoch = plan.seen.stored.record.epoch
    request = Request(plan.decision.target, direction, mode, operator.run_id, "simulation", epoch)
    changed, done = False, {}
    for until in (SETTLED,) if fused else APART:
        done = run(ports, app, request, until, VERIFY_SECONDS, begin=until != "active")
        changed |= done["changed"]
        request = replace(request, expected_epoch=done.get("epoch"))
    if not done["settled"] and (plan.decision.action in (START, SETTLE) or done["record"]["phase"] == "verifying"):
        _seen, rows = verify(ports, app, mode, VERIFY_SECONDS)
        if gates.verdict_of(rows) == gates.NO_GO:
            raise NoGoError("\n".join(gates.table(rows)))
        closed = run(ports, app, replace(request, expected_epoch=None), SETTLED, VERIFY_SECONDS, begin=False)
        if not closed["settled"] and closed["decision"]["action"] == SETTLE:
            raise NoGoError("\n".join(closed["verified"].get("table", closed["warnings"])))
        changed |= closed["changed"]
    return {"changed": changed, "target": request.target, "decision": plan.decision.action}
