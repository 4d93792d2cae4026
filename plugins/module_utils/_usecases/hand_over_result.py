# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""What a hand-over answers: what it did, or would do, in the shape of a module's result."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core import decision as decisions
from ansible_collections.streamops.bluegreen.plugins.module_utils._core import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.decision import Decision
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.handoff import Handoff
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run_context import RunContext

CRITICAL = ("quiesce source", "snapshot", "copy offsets", "flip", "activate target", "start target")
"""The steps during which records may wait."""
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


def as_result(ctx: RunContext, decision: Decision, handoff: Handoff | None, end: Ending) -> dict[str, t.Any]:
    """JSON-ready: what was done. Times in ms."""
    active = ctx.stored.record.active
    open_still = f"{active} is active, and the run is not proven and closed yet; bg_info and bg_settle do it. Seen: "
    judged = {
        "active": active,
        "verdict": gates.verdict_of(end.judged),
        "gates": gates.as_result(end.judged),
    }
    return {
        "changed": decision.action not in CHANGES_NOTHING or end.settled,
        "decision": decisions.as_result(decision),
        "record": ctx.stored.record.to_data(),
        "record_before": dict(ctx.found),
        "settled": end.settled,
        "verified": {**judged, "table": gates.table(end.judged)} if end.judged else {},
        "warnings": [open_still + end.trouble] if end.trouble else [],
        "steps": ctx.steps.as_result(),
        "critical_ms": round(sum(row.ms or 0 for row in ctx.steps.rows if row.name in CRITICAL), 1),
        "offsets": []
        if handoff is None
        else [
            {
                "topic": tp.topic,
                "partition": tp.partition,
                "offset": committed.offset,
                "decided": handoff.decided.get(tp, "committed"),
            }
            for tp, committed in sorted(handoff.offsets.items())
        ],
    }


def predict(ctx: RunContext, decision: Decision, closes: bool) -> dict[str, t.Any]:
    """JSON-ready: what a real run would do to the record; nothing is written, nobody is paused."""
    record = ctx.stored.record
    after = record
    if decision.action == decisions.START:
        armed = record.arm(ctx.request.direction, ctx.request.run_id)
        after = armed.flip(ctx.request.direction, "(time of the flip)").confirm()
    elif decision.action == decisions.ACTIVATE:
        after = record.confirm()
    elif decision.action == decisions.ABORT:
        after = record.abort(ctx.request.run_id)
    elif decision.action == decisions.CLEAN_UP:
        after = record.claim(ctx.request.run_id)
    return {
        "changed": decision.action not in CHANGES_NOTHING or closes,
        "decision": decisions.as_result(decision),
        "record": (after.settle() if closes else after).to_data(),
        "record_before": dict(ctx.found),
        "settled": False,
        "verified": {},
        "steps": [],
        "offsets": [],
    }
