# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Aborts a run that did not flip: the source goes on from where it stands, replicas are put back."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    InvalidSettingsError,
    LockedError,
    NotReadyError,
    UnknownReplicasError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunContext, replicas_of
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.drive import drive, wake
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.waits import wait_started

PATIENCE = 900.0
"""Seconds for which a run that can undo what it did goes on trying: an API server that is replaced is away for minutes."""
RETRY = 1.0
"""Seconds between two tries."""


def raise_aborted(ctx: RunContext, error: Exception) -> t.NoReturn:
    """Abort the run because of ``error``, whatever it is, and raise it saying what became of the source.

    Tries again for as long as nobody else holds the lock: nobody but this process knows that there is something to undo.
    """
    said = error.message if isinstance(error, BlueGreenError) else f"{type(error).__name__}: {error}"
    deadline = ctx.ports.clock.monotonic() + PATIENCE
    while True:
        try:
            doubt = abort_run(ctx, f"given up: {said}")
            end = f"Nothing was switched; {ctx.source} continues at epoch {ctx.stored.record.epoch}"
            end += f". {doubt}" if doubt else ""
            break
        except LockedError as taken:
            end = taken.message
            break
        except InvalidSettingsError as gone:
            # Waiting brings no record back, and whoever makes it again needs the lock.
            ctx.lock.release()
            end = (
                f"{gone.message}. Without a readable record {ctx.source} stands still: create it again with "
                f"bg_configmap_switch, active: {ctx.source}, force: true, and run the rollback playbook"
            )
            break
        except UnknownReplicasError as unknown:
            ctx.lock.release()
            end = f"Nothing was switched. {unknown.message}, and run the rollback playbook: {ctx.source} stands still until it has pods"
            break
        except Exception as second:  # noqa: BLE001  it is tried again, and told in the end
            if ctx.ports.clock.monotonic() >= deadline:
                end = (
                    f"It could not be undone for {PATIENCE:.0f} s ({second}); {ctx.source} may stand still until it is. "
                    "Run the rollback playbook as soon as the API server answers"
                )
                break
        ctx.ports.clock.sleep(RETRY)
    result = error.result if isinstance(error, BlueGreenError) else {}
    told = {**result, "steps": ctx.steps.as_result(), "record": ctx.stored.record.to_data(), **doubts(ctx)}
    if not isinstance(error, BlueGreenError):
        raise BlueGreenError(f"{said}. {end}", told) from error
    error.message, error.result = f"{said}. {end}", told
    error.args = (error.message,)
    raise error


def doubts(ctx: RunContext) -> dict[str, list[str]]:
    """What a result says of what a cold stop could not prove."""
    return {"evicted": list(ctx.evicted), "ended": sorted(ctx.ended.values())}


def abort_run(ctx: RunContext, note: str) -> str:
    """Undo a run whose record is not flipped; may be repeated from any point of itself.

    The record comes first: from then on commands of the given-up run are stale, and every pod of the source goes on when it
    reads it. Returns what could not be seen at work yet, empty when everything is. Raises LockedError when the record is
    another run's by now.
    """
    ctx.lock.hold()
    ctx.refresh()
    record, run_id = ctx.stored.record, ctx.request.run_id
    if record.active != ctx.source:
        raise LockedError(f"Run {record.run_id} made {record.active} active meanwhile; there is nothing left to abort")
    if record.armed:
        with ctx.steps.step("disarm"):
            ctx.stored = ctx.store.swap_record(ctx.stored, record.abort(run_id, ctx.run.proven))
    elif ctx.run.run_id != run_id:
        # That run may only sleep, just before it arms: what it has read has to be old when it wakes up.
        with ctx.steps.step("claim the record"):
            ctx.stored = ctx.store.swap_record(ctx.stored, record.claim(run_id))
    with ctx.steps.step("put back replicas"):
        restore_replicas(ctx)
    doubt = _see_at_work(ctx)
    run = ctx.run.close("aborted", ctx.ports.clock.now(), f"{note}. {doubt}" if doubt else note)
    ctx.write_journal(run)
    ctx.event(
        ctx.source,
        "BlueGreenAborted",
        f"run {run.run_id}: {ctx.source} continues at epoch {ctx.stored.record.epoch}. {note}"[:1000],
    )
    ctx.lock.release()
    return doubt


def restore_replicas(ctx: RunContext) -> None:
    """The replicas that the run changed. A colour at work is never scaled down, and what others did since is theirs."""
    if ctx.workload(ctx.source).replicas < 1:
        ctx.scale(ctx.source, ctx.run.saved.get(ctx.source) or replicas_of(ctx.app, ctx.run, ctx.source))
    before = ctx.run.saved.get(ctx.target)
    if before is None:
        return
    made = 0 if ctx.run.mode == "cold" else replicas_of(ctx.app, ctx.run, ctx.target)
    if ctx.workload(ctx.target).replicas == made:
        ctx.scale(ctx.target, before)


def _see_at_work(ctx: RunContext) -> str:
    """Wait for the source's pods; what is not at work yet when the time is over, or empty."""
    try:
        with ctx.steps.step("resume source"):
            if ctx.run.mode == "cold":
                wait_started(ctx, ctx.source, 1)
            else:
                drive(ctx, ctx.source, wake(ctx.stored.record.epoch), ctx.app.timeouts.activate)
    except NotReadyError as error:
        return f"Not every pod of {ctx.source} was seen at work yet: {error.message}"
    return ""
