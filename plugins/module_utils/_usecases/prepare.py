# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Before the hand-over: take the lock, open the journal, seed the target's group and bring its pods to STANDBY."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core import decision as decisions
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.decision import Decision, decide
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    GroupNotEmptyError,
    NoGoError,
    NotReadyError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.journal import Run
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import COLOURS
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.abort import give_up
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.hot import finish_activation
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.observe import partitions_of, topic_names
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run_context import (
    POLL,
    Request,
    RunContext,
    replicas_of,
    write_offsets,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run_lock import RunLock
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.waits import (
    group_of,
    wait_started,
    wait_stopped,
)


def prepare(ports: Ports, app: Application, request: Request, check: bool = False) -> dict[str, t.Any]:
    """Bring the application to where a hand-over to ``request.target`` may begin.

    Answers changed, decision, run_id, epoch and steps. When the target can't be brought up, what this run did is put
    back, the source never having stopped, and the error says so.
    """
    if check:
        ctx = RunContext.read(ports, app, request, RunLock(ports, app.name, request.run_id, app.lock_ttl))
        return _result(ctx, decide(ctx.stored.record, ctx.journal.unfinished, request.target), predicted=True)
    ctx = RunContext.open(ports, app, request)
    decision = decide(ctx.stored.record, ctx.journal.unfinished, request.target)
    if decision.action != decisions.START:
        if decision.action == decisions.NOTHING:
            ctx.lock.release()
        return _result(ctx, decision)
    if ctx.stored.record.flipped and request.mode == "hot":
        with ctx.steps.step("finish the activation of the run before"):
            finish_activation(ctx, decision.source)
    with ctx.steps.step("journal"):
        ctx.start_run(_new_run(ctx, decision))
    try:
        _bring_up(ctx)
    except BlueGreenError as error:
        _put_back(ctx, error)
    ctx.write_journal(ctx.run)
    return _result(ctx, decision)


def _new_run(ctx: RunContext, decision: Decision) -> Run:
    """The run, with the replicas to put back: those from before an interrupted run, where there was one."""
    before = ctx.journal.unfinished
    saved = {colour: ctx.workload(colour).replicas for colour in COLOURS}
    if before is not None and before.source == decision.source:
        saved = {**saved, **before.saved}
    elif before is not None:
        # It flipped: what it did to the replicas stays, unless it died before it had started the colour it flipped to.
        saved[decision.source] = saved[decision.source] or before.saved.get(before.source, 0)
    request = ctx.request
    return Run(
        run_id=request.run_id,
        direction=request.direction,
        mode=request.mode,
        source=decision.source,
        target=decision.target,
        who=request.who,
        started=ctx.ports.clock.now(),
        base_epoch=ctx.stored.record.epoch,
        saved=saved,
        unconfirmed=ctx.stored.record.flipped or bool(before and before.unconfirmed and ctx.stored.record.armed),
    )


def _bring_up(ctx: RunContext) -> None:
    names = topic_names(ctx.ports, ctx.app, ctx.stored.record.active)
    ctx.topics = ctx.ports.kafka.topics(names)
    missing = sorted(set(names) - set(ctx.topics))
    if missing:
        raise NoGoError(f"Topics {', '.join(missing)} do not exist or may not be described")
    if ctx.request.mode == "cold":
        with ctx.steps.step("stop target"):
            ctx.scale(ctx.target, 0)
            wait_stopped(ctx, ctx.target, ctx.app.timeouts.start)
        return
    with ctx.steps.step("seed target"):
        _seed(ctx)
    with ctx.steps.step("start target"):
        replicas = replicas_of(ctx, ctx.target)
        ctx.scale(ctx.target, replicas)
        # That they have joined is waited for by the hand-over: a broker takes seconds to admit the members of a new group.
        wait_started(ctx, ctx.target, replicas, [], joined=False)
    with ctx.steps.step("standby target"):
        _stand_by(ctx)


def _seed(ctx: RunContext) -> None:
    """Give an empty target group an explicit offset for every partition, so that no reset policy ever decides.

    Where members have joined already the broker takes no offsets from outside, and none are needed: the hand-over
    gives them every offset itself.
    """
    if not group_of(ctx, ctx.target).is_empty:
        return
    partitions = partitions_of(ctx.topics)
    committed = ctx.ports.kafka.committed(ctx.group(ctx.source), partitions)
    ranges = ctx.ports.kafka.log_ranges(partitions)
    seeds = ctx.hand_off_of(ctx.source, committed, partitions, ranges).offsets
    ctx.lock.hold()
    try:
        write_offsets(ctx.ports, ctx.group(ctx.target), seeds)
    except GroupNotEmptyError:
        if group_of(ctx, ctx.target).is_empty:
            raise


def _stand_by(ctx: RunContext) -> None:
    """Every target pod confirms STANDBY at the present epoch."""
    clock, epoch = ctx.ports.clock, ctx.stored.record.epoch
    deadline = clock.monotonic() + ctx.app.timeouts.activate
    while True:
        ctx.lock.hold()
        pods = ctx.pods(ctx.target)
        body = {"epoch": epoch, "standby": "hot"}
        statuses, silent, codes = ctx.call(pods, "prepare", body, ctx.app.timeouts.request)
        refused = [why for name, why in silent.items() if codes[name] == 409]
        if refused:
            raise NotReadyError(f"{ctx.target} refuses to stand by: {'; '.join(refused)}")
        if pods and len(statuses) == len(pods) and all(status.state == "STANDBY" for status in statuses.values()):
            return
        if clock.monotonic() >= deadline:
            seen = [
                *silent.values(),
                *(f"pod {name} is {status.state}" for name, status in statuses.items() if status.state != "STANDBY"),
            ]
            raise NotReadyError(
                f"{ctx.target} is not in STANDBY after {ctx.app.timeouts.activate:.0f} s: {'; '.join(seen[:5])}"
            )
        clock.sleep(POLL)


def _put_back(ctx: RunContext, error: BlueGreenError) -> t.NoReturn:
    """Undo what this run did and raise the error with what became of the source."""
    try:
        give_up(ctx, f"prepare failed: {error.message}")
    except BlueGreenError as second:
        error.message += (
            f". Putting things back failed too ({second.message}); run the rollback playbook to finish that"
        )
    else:
        error.message += f". {ctx.source} never stopped and goes on; the replicas of {ctx.target} were put back"
    error.args = (error.message,)
    error.result = {**error.result, **_result(ctx, None)}
    raise error


def _result(ctx: RunContext, decision: Decision | None, predicted: bool = False) -> dict[str, t.Any]:
    starts = decision is not None and decision.action == decisions.START
    result: dict[str, t.Any] = {
        "changed": starts,
        "run_id": ctx.request.run_id,
        "epoch": ctx.stored.record.epoch,
        "steps": ctx.steps.as_result(),
    }
    if decision is not None:
        result["decision"] = decisions.as_result(decision)
    if predicted and starts:
        result["predicted"] = True
    return result
