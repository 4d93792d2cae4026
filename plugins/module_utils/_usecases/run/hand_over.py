# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The critical section, in one warm process: source proven quiet, offsets handed over, record flipped, target at work."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    ClusterError,
    ConflictError,
    LockedError,
    NotReadyError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record import handoff_snapshot as snapshots
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import (
    COLOURS,
    ActiveRecord,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import HAND_OVER, Run
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import decision as decisions
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.bake import rate_since
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.decision import Decision, decide
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.handoff import Handoff
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.looks import looks
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.run_lock import RunLock
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run import cold, hot
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.abort import (
    PATIENCE,
    RETRY,
    abort_run,
    raise_aborted,
    restore_replicas,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunContext, RunRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.drive import drive, wake
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.observe import (
    ask,
    partitions_of,
    topic_names,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.results import (
    Ending,
    as_result,
    predict,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.verify import close_run, verify
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.waits import wait_started

COMPLETES = (decisions.START, decisions.SETTLE)
"""After these the target is at work, and the run can be proven and closed."""
JOINED, ARMED, QUIET, COPIED, FLIPPED, ACTIVE = UNTIL = ("joined", "armed", "quiet", "copied", "flipped", "active")
"""The steps of a hand-over after which it may be stopped, to be looked at and gone on with by the same run."""
GO_ON, SETTLE_ONLY = ONLY = ("go_on", "settle")
"""What a step of a run that is under way may do: go on with that run, or prove and close what is flipped."""


def hand_over(
    ports: Ports,
    app: Application,
    request: RunRequest,
    check: bool = False,
    close_within: float | None = None,
    until: str = ACTIVE,
    only: str = "",
    close: bool = True,
) -> dict[str, t.Any]:
    """Do what the stored state asks for, so that ``request.target`` processes; prepare must have run before.

    close_within: seconds to prove the target well after that, and to close the run once it is; None leaves both to a later step.
    close: False leaves the closing of a run of this direction to a later step, and the lock to whoever comes.
    only: one of ONLY; whatever else the state asks for is refused with ConflictError. until: the last step to take, one of
    UNTIL; called again with a later one the same run goes on, and what was proven is proven again.

    Returns changed, decision, record, offsets, the time of every step in ms, and with ``close_within`` what was judged and
    whether the run is settled. An error before the flip lets the source go on; after it the outcome is the record's, and a
    repeated run closes what is left.
    """
    if check:
        ctx = RunContext.read(ports, app, request, RunLock(ports, app.name, request.run_id, app.lock_ttl))
        decision = decide(ctx.stored.record, ctx.journal.unfinished, request.target)
        if only == SETTLE_ONLY:  # a run that is only predicted is in no journal, and can be gone on with
            _refuse_others(ctx, decision, only)
        closes = close_within is not None and decision.action in COMPLETES and until == ACTIVE
        return predict(ctx, decision, closes, until, UNTIL.index(until) > reached(ctx))
    ctx = _open(ports, app, request, only)
    decision = decide(ctx.stored.record, ctx.journal.unfinished, request.target)
    try:
        _refuse_others(ctx, decision, only or (GO_ON if decision.action == decisions.START else ""))
    except ConflictError:
        ctx.lock.release()
        raise
    handoff: Handoff | None = None
    end, moves = Ending(), UNTIL.index(until) > reached(ctx)
    if decision.action == decisions.START:
        handoff = _move(ctx, until)
    elif decision.action in (decisions.ABORT, decisions.CLEAN_UP):
        _record_orphaned_run(ctx, decision)
        end = Ending(trouble=abort_run(ctx, f"undone by {request.direction} {request.run_id}"))
    elif decision.action == decisions.SETTLE:
        _set_to_work(ctx)
    else:
        ctx.lock.release()
    if close_within is not None and decision.action in COMPLETES and until == ACTIVE:
        end = _prove_and_close(ctx, close_within, close)
    return as_result(ctx, decision, handoff, end, moves)


def _open(ports: Ports, app: Application, request: RunRequest, only: str) -> RunContext:
    """The context with the lock. A step of a run that is under way may have a paused source: what keeps it from opening is undone."""
    try:
        return RunContext.open(ports, app, request)
    except (LockedError, ConflictError):
        raise
    except Exception as error:
        if only != GO_ON:
            raise
        ctx = _open_again(ports, app, request, error)
        if not _is_ours(ctx):
            ctx.lock.release()
            raise
        raise_aborted(ctx, error)


def _open_again(ports: Ports, app: Application, request: RunRequest, error: Exception) -> RunContext:
    """Try for as long as an undo is tried; raises ``error`` when the time is over."""
    for _look in looks(ports.clock, PATIENCE, RETRY):
        try:
            return RunContext.open(ports, app, request)
        except ClusterError:
            pass
    raise error


def _refuse_others(ctx: RunContext, decision: Decision, only: str) -> None:
    """Raise ConflictError for what a step of a run that is under way must not do."""
    if not only or decision.action in (decisions.SETTLE, decisions.NOTHING):
        return
    if only == GO_ON and decision.action == decisions.START and _is_ours(ctx):
        return
    raise ConflictError(
        f"{ctx.stored.record.active} is active at epoch {ctx.stored.record.epoch}, and run {ctx.request.run_id} of "
        f"{ctx.app.name} is not under way to {ctx.request.target}: there is nothing to "
        f"{'settle' if only == SETTLE_ONLY else 'continue'}. Run the switch or the rollback again",
        {"record": ctx.stored.record.to_data()},
    )


def _is_ours(ctx: RunContext) -> bool:
    """Whether the journal's run is this one, from the active colour to the one that was asked for."""
    run = ctx.journal.unfinished
    return (
        run is not None
        and run.run_id == ctx.request.run_id
        and run.target == ctx.request.target
        and run.source == ctx.stored.record.active
    )


def _prove_and_close(ctx: RunContext, wait: float, close: bool) -> Ending:
    """Judge the target and close the run when every gate says Go; no gates where they could not be judged.

    Whoever sees a run that is not settled looks again, and then meets what kept us from it.
    """
    judged: list[gates.Gate] = []
    try:
        with ctx.steps.step("verify"):
            _seen, judged = verify(ctx.ports, ctx.app, ctx.request.mode, wait, ctx.lock.hold)
        unfinished = ctx.journal.unfinished
        ours = unfinished is None or unfinished.direction == ctx.request.direction
        if gates.verdict_of(judged) == gates.GO and not close and ours:
            ctx.lock.release()
        elif gates.verdict_of(judged) == gates.GO:
            with ctx.steps.step("settle"):
                close_run(ctx)
                ctx.lock.release()
            return Ending(judged, settled=True)
    except BlueGreenError as error:
        return Ending(judged, trouble=error.message)
    return Ending(judged)


def _set_to_work(ctx: RunContext) -> None:
    """Bring every pod of the active colour to work: a run that died after its flip may have left it without pods."""
    run, colour = ctx.journal.unfinished, ctx.stored.record.active
    with ctx.steps.step("start target"):
        if run is not None and run.source == colour:
            restore_replicas(ctx)
        elif run is not None:
            cold.begin(ctx, colour)
        wait_started(ctx, colour, 1)
        if ctx.request.mode == "hot":
            drive(ctx, colour, wake(ctx.stored.record.epoch), ctx.app.timeouts.activate)


def _record_orphaned_run(ctx: RunContext, decision: Decision) -> None:
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
        proven=False,
    )
    ctx.start_run(run)


def _move(ctx: RunContext, until: str) -> Handoff | None:
    """From wherever this run stands to ``until``; where the target begins, None while that is not known."""
    run = ctx.run
    try:
        ctx.topics = ctx.ports.kafka.topics(topic_names(ctx.ports, ctx.app, ctx.stored.record.active))
        handoff, pods = _to_the_flip(ctx, until)
    except LockedError:
        # Another run took over and commands the pods now: hands off.
        raise
    except Exception as error:  # noqa: BLE001  whatever interrupts it, the source must not be left paused
        raise_aborted(ctx, error)
    if UNTIL.index(until) < UNTIL.index(FLIPPED):
        if reached(ctx) < UNTIL.index(until):
            ctx.write_journal(replace(ctx.run, reached=until))
        return handoff
    # From here on the outcome is the record's. Pods begin by themselves when they read it, which is within a second.
    if until == ACTIVE:
        try:
            _begin(ctx, pods)
        except NotReadyError as error:
            error.message += (
                f". {ctx.target} is active since epoch {ctx.stored.record.epoch} and its pods begin when they can: run the switch "
                "again to prove and close the run, or the rollback to go back"
            )
            error.args = (error.message,)
            raise
    done = ctx.run.end(HAND_OVER, ctx.ports.clock.now(), sum(row.ms or 0 for row in ctx.steps.rows))
    ctx.write_journal(replace(done, steps=(*done.steps, *ctx.steps.rows)))
    ctx.event(
        ctx.target, "BlueGreenActive", f"run {run.run_id}: {ctx.target} is active at epoch {ctx.stored.record.epoch}"
    )
    return handoff


def reached(ctx: RunContext) -> int:
    """How far this run has come, as an index of UNTIL; -1 before its target has joined."""
    run, record = ctx.journal.unfinished, ctx.stored.record
    if run is None or run.run_id != ctx.request.run_id:
        return -1
    known = UNTIL.index(run.reached) if run.reached in UNTIL else -1
    return max(known, UNTIL.index(ARMED)) if record.armed and record.run_id == run.run_id else min(known, 0)


def _to_the_flip(ctx: RunContext, until: str) -> tuple[Handoff | None, list[Pod]]:
    """Everything that an error undoes. The hand-off as far as it is known, and the target's pods."""
    run, last = ctx.run, UNTIL.index(until)
    went_before = reached(ctx) >= UNTIL.index(ARMED)
    if not went_before:
        _await_target(ctx)
        if until == JOINED:
            return None, []
    pods = _open_connections(ctx)
    if not went_before:
        with ctx.steps.step("arm"):
            ctx.write_journal(ctx.run.begin(HAND_OVER, ctx.ports.clock.now()))
            ctx.stored = ctx.store.swap_record(ctx.stored, ctx.stored.record.arm(run.direction, run.run_id))
    if last <= UNTIL.index(ARMED):
        return None, []
    now = ctx.ports.clock.monotonic()
    with ctx.steps.step("quiesce source"):
        handoff = cold.quiesce(ctx) if run.mode == "cold" else hot.quiesce(ctx, pods["source"])
    ctx.source_rate = rate_since(ctx.request.mark, handoff.offsets, now, ctx.request.bake.limits.min_records)
    if until == QUIET:
        return handoff, []
    flip = _ready_to_flip(ctx, handoff)
    if until == COPIED:
        return handoff, []
    with ctx.steps.step("flip"):
        ctx.lock.hold()
        _flip(ctx, flip)
    return handoff, pods["target"]


def _flip(ctx: RunContext, flip: ActiveRecord) -> None:
    """Swap the record. Where it is unknown what became of the write, the record itself is asked for as long as it takes.

    Returns when it is flipped; raises when it is not, and then the hand-over may be given up.
    """
    deadline = ctx.ports.clock.monotonic() + PATIENCE
    while True:
        try:
            ctx.stored = ctx.store.swap_record(ctx.stored, flip)
        except ClusterError:
            if ctx.ports.clock.monotonic() >= deadline:
                raise
        else:
            return


def _await_target(ctx: RunContext) -> None:
    """Until the pods of a hot target have joined their group and own every partition."""
    if ctx.run.mode == "cold":
        return
    with ctx.steps.step("target joins"):
        wait_started(ctx, ctx.target, 1, partitions_of(ctx.topics), joined=True)


def _open_connections(ctx: RunContext) -> dict[str, list[Pod]]:
    """Open every connection the critical section uses, read what it will read, and create the objects for its snapshot."""
    with ctx.steps.step("warm"):
        partitions = partitions_of(ctx.topics)
        chunks = 1 + len(partitions) // snapshots.PARTITIONS_PER_CHUNK
        seen = ctx.ports.parallel.run(
            {
                "source": lambda: ctx.pods(ctx.source),
                "target": lambda: ctx.pods(ctx.target),
                "groups": lambda: ctx.ports.kafka.groups([ctx.group(ctx.source), ctx.group(ctx.target)]),
                "committed": lambda: [
                    ctx.ports.kafka.committed_or_pending(ctx.group(colour), partitions)
                    for colour in (ctx.source, ctx.target)
                ],
                "ranges": lambda: ctx.ports.kafka.log_ranges(partitions),
            }
        )
        ctx.store.reserve_snapshot(ctx.stored.record, chunks)
        pods: dict[str, list[Pod]] = {"source": seen["source"], "target": seen["target"]}
        if ctx.run.mode == "hot":
            ask(ctx.ports, ctx.app, [*pods["source"], *pods["target"]])
    return pods


def _ready_to_flip(ctx: RunContext, handoff: Handoff) -> ActiveRecord:
    """Write down what the flip rests on (snapshot, and in cold mode the target's commits); returns the new record."""
    run, record, now = ctx.run, ctx.stored.record, ctx.ports.clock.now()
    with ctx.steps.step("snapshot"):
        ctx.lock.hold()
        taken = snapshots.take(record.epoch + 1, run, now, handoff.offsets, handoff.ranges, ctx.topics)
        name = ctx.store.write_snapshot(record, taken)
    if run.mode == "cold":
        with ctx.steps.step("copy offsets"):
            cold.copy(ctx, handoff)
            cold.still_stopped(ctx)
    return record.flip(run.direction, now, snapshot=name)


def _begin(ctx: RunContext, pods: t.Sequence[Pod]) -> None:
    """Set the target to work, and see it there."""
    if ctx.run.mode == "cold":
        with ctx.steps.step("start target"):
            cold.begin(ctx, ctx.target)
        return
    with ctx.steps.step("activate target"):
        drive(ctx, ctx.target, wake(ctx.stored.record.epoch), ctx.app.timeouts.activate, pods=pods)
