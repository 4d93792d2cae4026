# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""After the hand-over: is the target really at work, alone, from where it was told to begin? And closing the run."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import OffsetsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import same_logs
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.looks import looks
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.store import Store
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunContext
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.observe import Observation, observe
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.preflight import (
    at_work_gates,
    strangers_in,
)

LOOK_AGAIN = 0.25
"""Seconds between two looks at everything: each is two dozen requests, and members take seconds to join."""


def verify(
    ports: Ports, app: Application, mode: str, wait: float, hold: t.Callable[[], None] = lambda: None
) -> tuple[Observation, list[gates.Gate]]:
    """Judge the active colour, looking again for up to ``wait`` seconds while a gate says No-Go.

    hold: called before each look, for a run that has to keep its lock meanwhile.
    """
    for _look in looks(ports.clock, wait, LOOK_AGAIN, hold):
        seen = observe(ports, app, mode)
        rows = judge_active(app, mode, seen, _handed_over(ports, app, seen))
        if gates.verdict_of(rows) == gates.GO:
            break
    return seen, rows


def judge_active(app: Application, mode: str, seen: Observation, handed: gates.Gate) -> list[gates.Gate]:
    """The gates after a hand-over."""
    record = seen.stored.record
    active, standby = seen.colours[record.active], seen.colours[record.standby]
    rows = [
        *gates.topic_gates(seen.topics, seen.missing_topics, seen.min_isr),
        gates.gate(
            "record",
            f"{record.active}, {record.phase}, epoch {record.epoch}",
            "verifying or stable",
            record.phase in ("verifying", "stable"),
            "the hand-over is not complete: run the switch again",
        ),
        *at_work_gates(app, mode, active),
        gates.ownership_gate("active", active.group, seen.partitions),
        *(
            gates.members_gate(
                role, view.group, seen.partitions, strangers_in(seen, kind, view, app.colours[view.colour].workload)
            )
            for role, kind, view in (("active", mode, active), ("standby", "cold", standby))
        ),
    ]
    if mode == "hot":
        rows.append(gates.quiet_gate(standby.statuses, standby.silent, standby.pods))
    else:
        wanted = standby.workload.replicas if standby.workload else 0
        left = len(standby.pods) + len(standby.group.members)
        rows.append(
            gates.gate(
                "standby is stopped",
                f"{wanted} replicas, {len(standby.pods)} pods, {len(standby.group.members)} members",
                "none",
                not wanted and not left,
                "somebody started the other colour again: both may be processing",
            )
        )
    rows.append(handed)
    return rows


def _handed_over(ports: Ports, app: Application, seen: Observation) -> gates.Gate:
    """No commit of the active group lies before its hand-off, and no pod began anywhere but there."""
    name, wanted = "hand-off kept", "commits at or after it"
    active = seen.colours[seen.stored.record.active]
    try:
        snapshot = Store(ports, app.name).snapshot(seen.stored.record)
    except OffsetsError as error:
        return gates.gate(name, "unknown", wanted, False, error.message)
    if snapshot is None:
        return gates.gate(name, "never handed over", wanted, True)
    offsets = same_logs(snapshot, seen.topics)
    before = [
        str(tp)
        for tp, handed in offsets.items()
        if tp not in active.committed or active.committed[tp].offset < handed.offset
    ]
    for status in active.statuses.values():
        if status.activated_epoch != snapshot.epoch:
            continue  # started anew since: its place is the commit, judged above
        for tp, partition in status.partitions.items():
            handed = offsets.get(tp)
            if handed is not None and partition.start_offset is not None and partition.start_offset < handed.offset:
                before.append(f"{tp} (began at {partition.start_offset}, handed {handed.offset})")
    lost = len(snapshot.offsets) - len(offsets)
    again = f", {lost} of topics that were created again since" if lost else ""
    return gates.gate(
        name,
        f"{len(offsets) - len(before)} of {len(offsets)}{again}",
        wanted,
        not before,
        "before their hand-off: " + ", ".join(before[:5]),
    )


def close_run(ctx: RunContext) -> None:
    """Record stable, journal done. The lock stays held."""
    record, unfinished = ctx.stored.record, ctx.journal.unfinished
    ctx.lock.hold()
    if record.phase != "stable":
        ctx.stored = ctx.store.swap_record(ctx.stored, record.settle())
    if unfinished is not None:
        # A run that died before it armed can be what is left beside a reign that is settled now: it has moved nothing, and a
        # rollback still means the switch before it.
        status = "done" if unfinished.target == record.active else "superseded"
        ctx.write_journal(unfinished.close(status, ctx.ports.clock.now()))
    ctx.event(record.active, "BlueGreenSettled", f"{record.active} is settled at epoch {record.epoch}")
