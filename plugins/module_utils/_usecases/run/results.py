# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""What a hand-over returns: what it did, or would do, in the shape of a module's result."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import free_slot
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import CRITICAL
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import decision as decisions
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.decision import Decision
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.handoff import Handoff
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.way_back import as_result as as_ways
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.way_back import way_back
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.abort import doubts
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunContext

CHANGES_NOTHING = (decisions.NOTHING, decisions.SETTLE)
"""Decisions after which a hand-over leaves everything as it is, unless it closes the run."""


@dataclass(frozen=True)
class Ending:
    """The gates after the hand-over, empty where nobody looked, and whether the run was closed.

    trouble: what kept it from being proven and closed, where that was no gate.
    """

    judged: list[gates.Gate] = field(default_factory=list)
    settled: bool = False
    trouble: str = ""


def as_result(
    ctx: RunContext, decision: Decision, handoff: Handoff | None, end: Ending, moves: bool
) -> dict[str, t.Any]:
    """JSON-ready: what was done. Times in ms. moves: a run that starts had something left to do."""
    active = ctx.stored.record.active
    judged = {
        "active": active,
        "verdict": gates.verdict_of(end.judged),
        "gates": gates.as_result(end.judged),
    }
    changed = moves if decision.action == decisions.START else decision.action not in CHANGES_NOTHING
    return {
        "changed": changed or ctx.scaled or end.settled,
        "decision": decisions.as_result(decision),
        "record": ctx.stored.record.to_data(),
        "record_before": dict(ctx.found),
        "settled": end.settled or decision.action == decisions.NOTHING,
        "verified": {**judged, "table": gates.table(end.judged)} if end.judged else {},
        "warnings": [_warning(decision, active, end.trouble)] if end.trouble else [],
        "steps": ctx.steps.as_result(),
        "critical_ms": round(sum(row.ms or 0 for row in ctx.steps.rows if row.name in CRITICAL), 1),
        "source_rate": None if ctx.source_rate is None else round(ctx.source_rate, 1),
        "offsets": by_topic(handoff.offsets) if handoff else {},
        "decided": {str(tp): why for tp, why in sorted(handoff.decided.items())} if handoff else {},
        "way_back": as_ways(way_back(ctx.stored.record, ctx.journal, ctx.ports.clock.now())),
        **doubts(ctx),
    }


def _warning(decision: Decision, active: str, trouble: str) -> str:
    if decision.action in (decisions.ABORT, decisions.CLEAN_UP):
        return trouble
    return f"{active} is active, and the run is not verified and closed yet; run the same again to do that. Seen: {trouble}"


def by_topic(offsets: t.Mapping[TopicPartition, CommittedOffset]) -> dict[str, dict[str, int]]:
    """Offsets as ``{topic: {partition: offset}}``; Ansible looks at every value of a result, so there are few."""
    found: dict[str, dict[str, int]] = {}
    for tp, committed in sorted(offsets.items()):
        found.setdefault(tp.topic, {})[str(tp.partition)] = committed.offset
    return found


def predict(ctx: RunContext, decision: Decision, closes: bool, until: str, moves: bool) -> dict[str, t.Any]:
    """JSON-ready: what a real run would do to the record; nothing is written, nobody is paused."""
    record, request = ctx.stored.record, ctx.request
    after = record
    changed = moves if decision.action == decisions.START else decision.action not in CHANGES_NOTHING
    if decision.action == decisions.START and until != "joined":
        after = (
            record
            if record.armed and record.run_id == request.run_id
            else record.arm(request.direction, request.run_id)
        )
        if until in ("flipped", "active"):
            after = after.flip(
                request.direction, "(time of the flip)", snapshot=free_slot(ctx.app.name, record.snapshot)
            )
    elif decision.action == decisions.ABORT:
        run = ctx.journal.unfinished
        after = record.abort(request.run_id, run is not None and run.proven)
    elif decision.action == decisions.CLEAN_UP:
        after = record.claim(request.run_id)
    return {
        "changed": changed or closes,
        "decision": decisions.as_result(decision),
        "record": (after.settle() if closes else after).to_data(),
        "record_before": dict(ctx.found),
        "settled": decision.action == decisions.NOTHING,
        "verified": {},
        "steps": [],
        "offsets": {},
        "decided": {},
    }
