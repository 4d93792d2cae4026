# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Before the hand-over: take the lock, open the journal, seed the target's group and bring its pods to STANDBY."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    GroupNotEmptyError,
    LockedError,
    NoGoError,
    UnknownReplicasError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import COLOURS
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Run
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import decision as decisions
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.decision import Decision, decide
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.handoff import as_seeds, unmarked
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.write_offsets import write_offsets
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.run_lock import RunLock
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.abort import raise_aborted
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import (
    RunContext,
    RunRequest,
    replicas_of,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.drive import drive, stand_by
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.observe import (
    partitions_of,
    topic_names,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.waits import (
    group_of,
    settled_commits,
    wait_started,
    wait_stopped,
)


def prepare(ports: Ports, app: Application, request: RunRequest, check: bool = False) -> dict[str, t.Any]:
    """Bring the application to where a hand-over to ``request.target`` may begin.

    Returns changed, decision, run_id, epoch and steps. When the target can't be brought up, what this run did is put
    back, the source never having stopped, and the error says so.
    """
    if check:
        ctx = RunContext.read(ports, app, request, RunLock(ports, app.name, request.run_id, app.lock_ttl))
        decision = decide(ctx.stored.record, ctx.journal.unfinished, request.target)
        if decision.action == decisions.START:
            _new_run(ctx, decision)
        return _result(ctx, decision, predicted=True)
    ctx = RunContext.open(ports, app, request)
    decision = decide(ctx.stored.record, ctx.journal.unfinished, request.target)
    if decision.action != decisions.START:
        if decision.action == decisions.NOTHING:
            ctx.lock.release()
        return _result(ctx, decision)
    try:
        run = _new_run(ctx, decision)
    except UnknownReplicasError:
        ctx.lock.release()
        raise
    with ctx.steps.step("journal"):
        ctx.start_run(run)
    try:
        _bring_up(ctx)
    except LockedError:
        raise  # another run took over: hands off
    except Exception as error:  # noqa: BLE001  whatever it is, what this run began is put back
        raise_aborted(ctx, error)
    ctx.write_journal(ctx.run)
    return _result(ctx, decision)


def _new_run(ctx: RunContext, decision: Decision) -> Run:
    """The run, with the replicas to put back: those from before an interrupted run, where there was one.

    Raises UnknownReplicasError where the target could not be started: after the flip it would be too late to notice.
    """
    before = ctx.journal.unfinished
    saved = {colour: ctx.workload(colour).replicas for colour in COLOURS}
    if before is not None and before.source == decision.source:
        saved = {**saved, **before.saved}
    elif before is not None:
        # It flipped: what it did to the replicas stays, unless it died before it had started the colour it flipped to.
        saved[decision.source] = saved[decision.source] or before.saved.get(before.source, 0)
    request = ctx.request
    run = Run(
        run_id=request.run_id,
        direction=request.direction,
        mode=request.mode,
        source=decision.source,
        target=decision.target,
        who=request.who,
        started=ctx.ports.clock.now(),
        base_epoch=ctx.stored.record.epoch,
        saved=saved,
        pods={
            colour: {**_known(before, colour), **{pod.name: pod.ip for pod in ctx.pods(colour)}} for colour in COLOURS
        },
        proven=before.proven if before and ctx.stored.record.armed else ctx.stored.record.phase == "stable",
        note=request.reason,
    )
    try:
        replicas_of(ctx.app, run, run.target)
    except UnknownReplicasError as error:
        raise UnknownReplicasError(f"Nothing was changed. {error.message}") from error
    return run


def _known(before: Run | None, colour: str) -> t.Mapping[str, str]:
    return before.pods.get(colour, {}) if before else {}


def _bring_up(ctx: RunContext) -> None:
    names = topic_names(ctx.ports, ctx.app, ctx.stored.record.active)
    ctx.topics = ctx.ports.kafka.topics(names)
    missing = sorted(set(names) - set(ctx.topics))
    if missing:
        raise NoGoError(f"Topics {', '.join(missing)} do not exist or may not be described")
    if ctx.request.mode == "cold":
        with ctx.steps.step("stop target"):
            ctx.scale(ctx.target, 0)
            wait_stopped(ctx, ctx.target)
        return
    with ctx.steps.step("seed target"):
        _seed(ctx)
    with ctx.steps.step("start target"):
        replicas = replicas_of(ctx.app, ctx.run, ctx.target)
        ctx.raise_to(ctx.target, replicas)
        # That they have joined is waited for by the hand-over: a broker takes seconds to admit the members of a new group.
        wait_started(ctx, ctx.target, replicas)
    with ctx.steps.step("standby target"):
        drive(ctx, ctx.target, stand_by(ctx.stored.record.epoch), ctx.app.timeouts.activate)


def _seed(ctx: RunContext) -> None:
    """Give an empty target group an explicit offset for every partition, so that no reset policy ever decides.

    They are marked as older than every reign. Where members have joined already the broker takes no offsets from outside,
    and none are needed: the snapshot gives them every offset. But a commit without a mark would count before it.
    """
    partitions, group = partitions_of(ctx.topics), group_of(ctx, ctx.target)
    if group.is_empty:
        committed = settled_commits(ctx, ctx.source, partitions)
        ranges = ctx.ports.kafka.log_ranges(partitions)
        seeds = as_seeds(ctx.hand_off_of(ctx.source, committed, partitions, ranges).offsets)
        ctx.lock.hold()
        try:
            write_offsets(ctx.ports, group.group_id, seeds)
        except GroupNotEmptyError:
            if group_of(ctx, ctx.target).is_empty:
                raise
    left = unmarked(ctx.ports.kafka.committed(group.group_id, partitions))
    if left:
        raise NoGoError(
            f"Group {group.group_id} of {ctx.target} has commits without the mark of bg/v1 for {len(left)} partitions "
            f"({', '.join(map(str, left[:3]))}), and members: scale {ctx.target} to 0 and run again, so that they can be set"
        )


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
