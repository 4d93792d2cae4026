"""What the playbooks do: the order is the product's own; each call of it is a process that knows what the one before returned."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import NoGoError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.bake import BakeRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.decision import SETTLE, START
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metric_gate import MetricRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.hand_over import GO_ON, SETTLE_ONLY
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.preflight import preflight
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.run import PREPARED, SETTLED, STEPS, run
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.verify import verify
from tests.simulation.world.ports import Operator

VERIFY_SECONDS = 10.0
NO_BAKE = BakeRequest()
NO_METRICS = MetricRequest()
APART = STEPS[STEPS.index(PREPARED) : STEPS.index(SETTLED)]
"""The steps that are processes of their own where the style is not fused."""


def play(
    operator: Operator,
    direction: str,
    mode: str,
    target: str = "",
    fused: bool = True,
    bake: BakeRequest = NO_BAKE,
    metrics: MetricRequest = NO_METRICS,
) -> dict[str, t.Any]:
    """The whole playbook; returns whether any step changed something, and the target. bake: of a fused switch.
    metrics: what it asks of Prometheus.

    Where there is nothing to do the playbook ends after judging; here the steps are taken all the same, and change nothing.
    """
    ports, app = operator.ports, operator.world.app
    plan = preflight(ports, app, mode, direction, target, metrics, bake.seconds)
    if plan.verdict == gates.NO_GO:
        raise NoGoError("\n".join(gates.table(plan.gates)))
    action, epoch = plan.decision.action, plan.seen.stored.record.epoch
    asked = (plan.decision.target, direction, mode, operator.run_id, "simulation", epoch)
    request = RunRequest(*asked, bake=bake, metrics=metrics)
    changed, done = False, {}
    for until in (SETTLED,) if fused else APART:
        begins = until in (SETTLED, PREPARED)
        done = run(ports, app, request, until, VERIFY_SECONDS, judged=begins, only="" if begins else GO_ON)
        while "resume" in done:  # the action plugin calls the module again
            going = replace(request, bake=replace(bake, state=done["resume"]))
            done = run(ports, app, going, until, VERIFY_SECONDS)
        changed |= done["changed"]
        request = replace(request, expected_epoch=done["epoch"] if until == PREPARED and "epoch" in done else None)
    record = done["record"]
    there = action in (START, SETTLE) and record["active"] == request.target
    if not done["settled"] and (there or record["phase"] == "verifying"):
        _seen, rows = verify(ports, app, mode, VERIFY_SECONDS)
        if gates.verdict_of(rows) == gates.NO_GO:
            raise NoGoError("\n".join(gates.table(rows)))
        closed = run(ports, app, request, SETTLED, VERIFY_SECONDS, only=SETTLE_ONLY)
        if not closed["settled"]:
            raise NoGoError("\n".join(closed["verified"].get("table", closed["warnings"])))
        changed |= closed["changed"]
    return {"changed": changed, "target": request.target, "decision": action, "baked": done.get("baked", {})}
