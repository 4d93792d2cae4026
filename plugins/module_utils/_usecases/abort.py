# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Gives a run up that did not flip: the source goes on from where it stands, replicas are put back."""

from __future__ import annotations

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import NotReadyError
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.observe import ask
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run_context import (
    POLL,
    RunContext,
    replicas_of,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.waits import wait_started


def give_up(ctx: RunContext, note: str) -> None:
    """Undo a run whose record is not flipped. May be repeated from any point of itself.

    The record comes first: from then on commands of the given-up run are stale, pods of the source that start anew
    start ACTIVE, and only then are those that were paused told to go on.
    """
    if ctx.run.unconfirmed:
        raise NotReadyError(
            f"{ctx.source} was made active and never confirmed that it took over, so it can't simply go on; "
            f"nothing processes now. Run the rollback playbook with bg_mode=cold, it takes what {ctx.source} has committed"
        )
    run_id, record = ctx.request.run_id, ctx.stored.record
    if record.armed:
        ctx.lock.hold()
        with ctx.steps.step("disarm"):
            ctx.stored = ctx.state.swap_record(ctx.stored, record.abort(run_id))
    elif ctx.run.run_id != run_id:
        # That run may only sleep, just before it arms: what it has read has to be old when it wakes up.
        ctx.lock.hold()
        with ctx.steps.step("claim the record"):
            ctx.stored = ctx.state.swap_record(ctx.stored, record.claim(run_id))
    with ctx.steps.step("put back replicas"):
        # A source that a killed run left without pods gets as many as a working colour has.
        ctx.scale(ctx.source, ctx.run.saved.get(ctx.source) or replicas_of(ctx, ctx.source))
        if ctx.target in ctx.run.saved:
            ctx.scale(ctx.target, ctx.run.saved[ctx.target])
    if ctx.run.mode == "cold":
        wait_started(ctx, ctx.source, ctx.workload(ctx.source).replicas, [], joined=False)
    with ctx.steps.step("resume source"):
        resume(ctx, ctx.source, demanded=ctx.run.mode != "cold")
    run = ctx.run.close("aborted", ctx.ports.clock.now(), note)
    ctx.write_journal(run)
    ctx.event(
        ctx.source,
        "BlueGreenAborted",
        f"run {run.run_id}: {ctx.source} goes on at epoch {ctx.stored.record.epoch}. {note}"[:1000],
    )
    ctx.lock.release()


def resume(ctx: RunContext, colour: str, demanded: bool) -> None:
    """Every pod of a colour processes, from its own position or, one that never did, from its group's commits.

    Not ``demanded``: pods that don't speak the contract are left alone (a cold run needs no contract), but those a hot
    run paused before it must still be told to go on.
    """
    clock, epoch = ctx.ports.clock, ctx.stored.record.epoch
    deadline = clock.monotonic() + ctx.app.timeouts.activate
    while True:
        ctx.lock.hold()
        pods = ctx.pods(colour)
        statuses, silent = ask(ctx.ports, ctx.app, pods)
        if not demanded:
            pods, silent = [pod for pod in pods if pod.name in statuses], {}
            if not pods:
                return
        # A pod that never stopped is told too until it knows the epoch: a pause of the given-up run may still be on its
        # way to it.
        paused = [
            pod
            for pod in pods
            if pod.name in statuses and (statuses[pod.name].state != "ACTIVE" or statuses[pod.name].epoch < epoch)
        ]
        if paused:
            answered, refused, _codes = ctx.call(
                paused, "resume", {"epoch": epoch, "waitMs": 1000}, ctx.app.timeouts.request
            )
            statuses, silent = {**statuses, **answered}, {**silent, **refused}
        if (
            pods
            and not silent
            and len(statuses) == len(pods)
            and all(status.state == "ACTIVE" for status in statuses.values())
        ):
            return
        if clock.monotonic() >= deadline:
            seen = [
                *silent.values(),
                *(f"pod {name} is {status.state}" for name, status in statuses.items() if status.state != "ACTIVE"),
            ]
            raise NotReadyError(
                f"{colour} did not resume within {ctx.app.timeouts.activate:.0f} s: {'; '.join(seen[:5]) or 'it has no pods'}"
            )
        clock.sleep(POLL)
