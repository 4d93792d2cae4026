# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The critical section, in one warm process: source proven quiet, offsets handed over, record flipped, target at work."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core import decision as decisions
from ansible_collections.streamops.bluegreen.plugins.module_utils._core import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core import snapshot as snapshots
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.active_record import ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.decision import Decision, decide
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    ConflictError,
    LockedError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.handoff import Handoff
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.journal import Run
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import COLOURS, Pod
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases import cold, hot
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.abort import give_up
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.hand_over_result import (
    Ending,
    as_result,
    predict,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.observe import partitions_of, topic_names
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run_context import (
    Request,
    RunContext,
    replicas_of,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run_lock import RunLock
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.settle import close_run, verify
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.waits import wait_started

COMPLETES = (decisions.START, decisions.ACTIVATE, decisions.SETTLE)
"""After these the target is at work, and the run can be proven and closed."""


def hand_over(
    ports: Ports, app: Application, request: Request, check: bool = False, close_within: float | None = None
) -> dict[str, t.Any]:
    """Do what the stored state asks for, so that ``request.target`` processes; prepare must have run before.

    close_within: seconds to prove the target well after that, and to close the run once it is; None leaves both to a
    later step. Answers changed, decision, record, offsets, the time of every step in ms, and with ``close_within`` what
    was judged and whether the run is settled. An error before the flip lets the source go on; an error after it says
    so, and a repeated run finishes what is left.
    """
    if check:
        ctx = RunContext.read(ports, app, request, RunLock(ports, app.name, request.run_id, app.lock_ttl))
        decision = decide(ctx.stored.record, ctx.journal.unfinished, request.target)
        return predict(ctx, decision, closes=close_within is not None and decision.action in COMPLETES)
    ctx = RunContext.open(ports, app, request)
    decision = decide(ctx.stored.record, ctx.journal.unfinished, request.target)
    handoff: Handoff | None = None
    if decision.action == decisions.START:
        handoff = _move(ctx)
    elif decision.action == decisions.ACTIVATE:
        with ctx.steps.step("finish activation"):
            hot.finish_activation(ctx, decision.target)
    elif decision.action in (decisions.ABORT, decisions.CLEAN_UP):
        _adopt(ctx, decision)
        give_up(ctx, f"undone by {request.direction} {request.run_id}")
    elif decision.action == decisions.SETTLE:
        _start_again(ctx)
    else:
        ctx.lock.release()
    end = Ending()
    if close_within is not None and decision.action in COMPLETES:
        end = _prove_and_close(ctx, close_within)
    return as_result(ctx, decision, handoff, end)


def _prove_and_close(ctx: RunContext, wait: float) -> Ending:
    """Judge the target and close the run when every gate says Go; no gates where they could not be judged.

    Whoever sees a run that is not settled looks again, and then meets what kept us from it.
    """
    judged: list[gates.Gate] = []
    try:
        with ctx.steps.step("verify"):
            _seen, judged = verify(ctx.ports, ctx.app, ctx.request.mode, wait, ctx.lock.hold)
        if gates.verdict_of(judged) == gates.GO:
            with ctx.steps.step("settle"):
                close_run(ctx)
                ctx.lock.release()
            return Ending(judged, settled=True)
    except BlueGreenError as error:
        return Ending(judged, trouble=error.message)
    return Ending(judged)


def _start_again(ctx: RunContext) -> None:
    """Bring every pod of the active colour to work: a run that died after its flip may have left some idle.

    Cold: it may have died before it started them, and so may a run that was to take them back. Hot: a pod that started
    anew between the activation and its confirmation stands by, as the record told it to.
    """
    run, colour = ctx.journal.unfinished, ctx.stored.record.active
    unstarted = run is not None and run.mode == "cold" and run.target == colour
    if run is not None and (unstarted or ctx.workload(colour).replicas < 1):
        with ctx.steps.step("start target"):
            cold.start(ctx, colour, replicas_of(ctx, colour))
    elif run is None or run.mode == "hot":
        with ctx.steps.step("activate again"):
            hot.activate_again(ctx, colour)


def _adopt(ctx: RunContext, decision: Decision) -> None:
    """Without a journal the record alone tells what is to be undone: write down a run that can be given up."""
    if ctx.journal.unfinished is not None:
        return
    request, source = ctx.request, decision.target
    run = Run(
        run_id=request.run_id,
        direction=request.direction,
        mode=request.mode,
        source=source,
        target=decision.source,
        who=request.who,
        started=ctx.ports.clock.now(),
        base_epoch=ctx.stored.record.epoch,
        saved={colour: ctx.workload(colour).replicas for colour in COLOURS},
        unconfirmed=not hot.took_over(ctx, source),
    )
    ctx.start_run(run)


def _move(ctx: RunContext) -> Handoff:
    run = ctx.journal.unfinished
    if run is None or run.run_id != ctx.request.run_id:
        raise ConflictError(
            f"Run {ctx.request.run_id} is not the one in the journal of {ctx.app.name}; run the prepare step first"
        )
    ctx.topics = ctx.ports.kafka.topics(topic_names(ctx.ports, ctx.app, ctx.stored.record.active))
    _await_target(ctx)
    pods = _warm(ctx)
    with ctx.steps.step("arm"):
        ctx.write_journal(ctx.run.begin("hand over", ctx.ports.clock.now()))
        ctx.stored = ctx.state.swap_record(ctx.stored, ctx.stored.record.arm(run.direction, run.run_id))
    try:
        handoff = _quiesce(ctx, pods["source"])
        flip = _ready_to_flip(ctx, handoff)
    except LockedError:
        # Another run took over and commands the pods now: hands off.
        raise
    except BlueGreenError as error:
        _let_go_on(ctx, error)
    # From here on the outcome is the record's: a write whose answer is lost is settled by the next run, never undone.
    with ctx.steps.step("flip"):
        ctx.lock.hold()
        ctx.stored = ctx.state.swap_record(ctx.stored, flip)
    _begin(ctx, pods["target"], handoff)
    done = ctx.run.end("hand over", ctx.ports.clock.now(), sum(row.ms or 0 for row in ctx.steps.rows))
    ctx.write_journal(replace(done, steps=(*done.steps, *ctx.steps.rows), unconfirmed=False))
    ctx.event(
        ctx.target, "BlueGreenActive", f"run {run.run_id}: {ctx.target} is active at epoch {ctx.stored.record.epoch}"
    )
    return handoff


def _await_target(ctx: RunContext) -> None:
    """Until the pods of a hot target have joined their group and own every partition; else everything is put back."""
    if ctx.run.mode == "cold":
        return
    try:
        with ctx.steps.step("target joins"):
            replicas = max(1, ctx.workload(ctx.target).replicas)
            wait_started(ctx, ctx.target, replicas, partitions_of(ctx.topics), joined=True)
    except LockedError:
        raise
    except BlueGreenError as error:
        _let_go_on(ctx, error)


def _warm(ctx: RunContext) -> dict[str, list[Pod]]:
    """Open every connection the critical section uses, and look at what it will look at, before it begins."""
    with ctx.steps.step("warm"):
        partitions = partitions_of(ctx.topics)
        seen = ctx.ports.parallel.run(
            {
                "source": lambda: ctx.pods(ctx.source),
                "target": lambda: ctx.pods(ctx.target),
                "inherited": lambda: ctx.inherited_by(ctx.source),
                "groups": lambda: ctx.ports.kafka.groups([ctx.group(ctx.source), ctx.group(ctx.target)]),
                "committed": lambda: [
                    ctx.ports.kafka.committed(ctx.group(colour), partitions) for colour in (ctx.source, ctx.target)
                ],
                "ranges": lambda: ctx.ports.kafka.log_ranges(partitions),
            }
        )
        pods: dict[str, list[Pod]] = {"source": seen["source"], "target": seen["target"]}
        if ctx.run.mode == "hot":
            ctx.ports.consumers.call([*pods["source"], *pods["target"]], "status", None, ctx.app.timeouts.request)
    return pods


def _quiesce(ctx: RunContext, pods: t.Sequence[Pod]) -> Handoff:
    with ctx.steps.step("quiesce source"):
        return cold.quiesce(ctx) if ctx.run.mode == "cold" else hot.quiesce(ctx, pods)


def _ready_to_flip(ctx: RunContext, handoff: Handoff) -> ActiveRecord:
    """Write down what the flip rests on (snapshot, and in cold mode the target's commits); answers the new record."""
    run, now = ctx.run, ctx.ports.clock.now()
    with ctx.steps.step("snapshot"):
        ctx.lock.hold()
        epoch = ctx.stored.record.epoch + 1
        ctx.state.write_snapshot(snapshots.take(epoch, run, now, handoff.offsets, handoff.ranges, ctx.topics))
    if run.mode != "cold":
        return ctx.stored.record.flip(run.direction, now)
    with ctx.steps.step("copy offsets"):
        cold.copy(ctx, handoff)
    # Pods that start from now on find their place by the commits: nothing is left to be told to them.
    return ctx.stored.record.flip(run.direction, now, phase="verifying")


def _begin(ctx: RunContext, pods: t.Sequence[Pod], handoff: Handoff) -> None:
    """Set the target to work."""
    if ctx.run.mode == "cold":
        with ctx.steps.step("start target"):
            cold.start(ctx, ctx.target, replicas_of(ctx, ctx.target))
        return
    with ctx.steps.step("activate target"):
        hot.activate(ctx, ctx.target, pods, handoff.offsets)
    with ctx.steps.step("confirm"):
        hot.confirm(ctx, ctx.target, handoff.offsets)
        ctx.lock.hold()
        ctx.stored = ctx.state.swap_record(ctx.stored, ctx.stored.record.confirm())


def _let_go_on(ctx: RunContext, error: BlueGreenError) -> t.NoReturn:
    """The source goes on; the error says that it does, or what keeps it."""
    try:
        give_up(ctx, f"hand-over given up: {error.message}")
        error.message += f". Nothing was switched; {ctx.source} goes on at epoch {ctx.stored.record.epoch}"
    except BlueGreenError as second:
        error.message += f". {ctx.source} could not be resumed ({second.message}); run the rollback playbook NOW, nothing may be processing"
    error.args = (error.message,)
    error.result = {**error.result, "steps": ctx.steps.as_result(), "record": ctx.stored.record.to_data()}
    raise error
