# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Before a run: look, decide, judge. Writes nothing."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka import lag
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import inside_log
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import Member, TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import record_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.drift import drift_owners
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import decision as decisions
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.decision import (
    Decision,
    decide,
    rollback_target,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.members import strangers
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metric_gate import BAKE, MetricRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.way_back import as_result as as_ways
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.way_back import way_back
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.looks import looks
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.store import Store
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run import metric_gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.observe import (
    ColourView,
    Observation,
    check_rights,
    observe,
)

REBALANCING = ("PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling")
"""States of a group that end by themselves, and in which nobody can tell who owns what."""
REBALANCE_WAIT = 15.0
"""Seconds for which a look is repeated while the source's group rebalances, or a pod of it has not begun after that."""
LOOK_AGAIN = 0.5
"""Seconds between two of these looks."""
NOTHING_ASKED = MetricRequest()


@dataclass(frozen=True)
class Plan:
    """What was seen, what a run would do, and whether it may."""

    seen: Observation
    decision: Decision
    gates: list[gates.Gate]
    now: str = ""

    @property
    def verdict(self) -> str:
        """GO or NO-GO."""
        return gates.verdict_of(self.gates)


def preflight(
    ports: Ports,
    app: Application,
    mode: str,
    direction: str,
    target: str = "",
    request: MetricRequest = NOTHING_ASKED,
    bake: float | None = None,
) -> Plan:
    """Look at everything and judge. Without ``target`` a switch goes to the other colour, a rollback to the one before.

    request: what is asked of Prometheus, for a switch that moves the work or watches where it has moved. bake: for so many
    seconds, 0 for not at all, None where nobody has said.
    """
    plan = _look(ports, app, mode, direction, target)
    seen, decision = plan.seen, plan.decision
    if direction != "switch" or decision.action not in (decisions.START, decisions.SETTLE):
        return plan
    asked = request if decision.action == decisions.START else replace(request, gates=request.of(BAKE))
    rows = metric_gates.before(ports, app, asked, seen.stored.record.active, decision.target, seen.topics, bake)
    return replace(plan, gates=plan.gates + rows)


def _look(ports: Ports, app: Application, mode: str, direction: str, target: str) -> Plan:
    check_rights(ports, app, mode)
    wanted = ""
    for _look in looks(ports.clock, REBALANCE_WAIT, LOOK_AGAIN):
        seen = observe(ports, app, mode, surroundings=True)
        # The colour that was meant at first stays meant: "the other one" is another one once somebody has switched.
        wanted = wanted or choose_target(seen, direction, target, ports.clock.now())
        decision = decide(seen.stored.record, seen.journal.unfinished, wanted)
        plan = Plan(seen, decision, judge(app, mode, direction, seen, decision), ports.clock.now())
        moves = decision.action == decisions.START and _in_motion(seen.colours[decision.source])
        if plan.verdict == gates.GO or not (moves or _overtaken(ports, app, seen)):
            break
    return plan


def _in_motion(source: ColourView) -> bool:
    """Whether what stands in the way may end by itself. Pods learn last that a group is stable again: from its answer to each."""
    return source.group.state in REBALANCING or any(status.beginning for status in source.statuses.values())


def _overtaken(ports: Ports, app: Application, seen: Observation) -> bool:
    """Whether the record has moved on since it was read: then pods were asked after it, and nothing fits."""
    return Store(ports, app.name).record().version != seen.stored.version


def choose_target(seen: Observation, direction: str, target: str, now: str) -> str:
    """The colour to make active. Raises InvalidSettingsError when a rollback is not possible."""
    record, unfinished = seen.stored.record, seen.journal.unfinished
    if direction == "rollback":
        wanted = rollback_target(record, seen.journal, now)
        if wanted.refused:
            raise InvalidSettingsError([f"rollback refused: {wanted.refused}"])
        return wanted.colour
    if target:
        return target
    return unfinished.target if unfinished else record.standby


def judge(app: Application, mode: str, direction: str, seen: Observation, decision: Decision) -> list[gates.Gate]:
    """The gates that matter for this decision. A run that finishes or undoes another is not held up by its traces."""
    record, views = seen.stored.record, seen.colours
    statuses = [status for view in views.values() for status in view.statuses.values()]
    rows = gates.topic_gates(seen.topics, seen.missing_topics, seen.min_isr)
    holder = seen.lock.holder if seen.lock else ""
    rows += [
        gates.lock_gate(holder, ""),
        gates.immutable_gate(seen.stored.immutable),
        gates.owners_gate(record_name(app.name), drift_owners(seen.stored.metadata)),
        gates.epoch_gate(record.epoch, statuses),
        gates.ended_gate([name for view in views.values() for name in view.ended]),
    ]
    if decision.action == decisions.NOTHING:
        return rows + at_work_gates(app, mode, views[record.active])
    rows += _surroundings(mode, seen)
    if decision.action != decisions.START:
        return rows
    source, target = views[decision.source], views[decision.target]
    rows += gates.group_gates(mode, source.group, target.group)
    rows += [
        _target_exists(app, target),
        gates.template_gate(target.workload),
        _members(app, mode, "source", seen, source),
        _members(app, "cold", "target", seen, target),
        gates.pending_gate(source.group.group_id, source.pending),
        _inside(app, direction, seen, source),
    ]
    if not (record.armed or seen.journal.unfinished is not None):
        rows += _source_gates(app, mode, direction, seen, source)
    if mode == "cold":
        # Not even a run that died has started it: that comes after the flip.
        rows.append(gates.running_target_gate(target.pods, target.statuses, target.group))
    if mode == "hot":
        # Pods on their way up or down can't answer; prepare waits for them, and for every one that stays to stand by.
        moving = {pod.name for pod in target.pods if not pod.ready or pod.terminating}
        silent = {pod: why for pod, why in target.silent.items() if pod not in moving}
        rows += gates.contract_gates(target.colour, "target", app.colours[target.colour].group, target.statuses, silent)
        rows.append(gates.quiet_gate(target.statuses, silent, target.pods, "target"))
    return rows


def _inside(app: Application, direction: str, seen: Observation, source: ColourView) -> gates.Gate:
    """Commits that are not in the log any more: the run's policy says what becomes of them."""
    known = {tp: committed for tp, committed in source.committed.items() if tp in seen.ranges}
    inside = inside_log(known, seen.ranges, app.out_of_range_in(direction))
    return gates.range_gate(inside.faults, [f"{tp}: {note}" for tp, note in sorted(inside.notes.items())])


def at_work_gates(app: Application, mode: str, active: ColourView) -> list[gates.Gate]:
    """The active colour has pods, and they process: without them nothing is settled."""
    rows = gates.source_gates(
        active.workload, active.pods, app.colours[active.colour].workload, "active", app.namespace
    )
    if mode == "hot":
        rows += gates.contract_gates(
            active.colour, "active", app.colours[active.colour].group, active.statuses, active.silent
        )
        rows.append(gates.active_gate(active.statuses, "active"))
    return rows


def _members(app: Application, mode: str, role: str, seen: Observation, view: ColourView) -> gates.Gate:
    workload = app.colours[view.colour].workload
    return gates.members_gate(role, view.group, seen.partitions, strangers_in(seen, mode, view, workload))


def strangers_in(seen: Observation, mode: str, view: ColourView, workload: str) -> list[Member]:
    """Members of a colour's group that are none of its pods; in hot mode each also has to be known by its own status."""
    last = seen.journal.current.pods.get(view.colour, {}) if seen.journal.current else {}
    found = strangers(view.group, {**last, **view.addresses}, workload)
    if mode == "hot":
        known = {status.member_id for status in view.statuses.values()}
        found += [member for member in view.group.members if member not in found and member.member_id not in known]
    return found


def _surroundings(mode: str, seen: Observation) -> list[gates.Gate]:
    around = seen.around
    if around is None:
        return []
    rows = [
        gates.scalers_gate(mode, around.scalers),
        gates.scaled_by_gate(mode, (view.workload for view in seen.colours.values())),
        gates.other_groups_gate(around.others),
    ]
    active = seen.colours[seen.stored.record.active]
    rows.append(gates.elsewhere_gate("active", active.group.group_id, around.elsewhere[active.colour]))
    return rows


def _source_gates(
    app: Application, mode: str, direction: str, seen: Observation, source: ColourView
) -> list[gates.Gate]:
    stopped = source.workload is not None and source.workload.replicas == 0 and not source.pods
    # First, because pods that are not ready are why there is a lag.
    ready = gates.source_gates(
        source.workload, source.pods, app.colours[source.colour].workload, namespace=app.namespace
    )
    reading = gates.verdict_of(ready) == gates.GO
    rows = [
        *ready,
        gates.lag_gate(source.committed, seen.ranges, app.max_lag, _no_transaction(seen), reading),
        gates.ownership_gate("source", source.group, seen.partitions, stopped),
        gates.parallelism_gate(len(seen.partitions), len(source.pods)),
    ]
    if seen.around is not None:
        rows.append(gates.transactions_gate(seen.around.transactions, app.max_transaction_age))
    if mode == "hot":
        rows += gates.contract_gates(
            source.colour, "source", app.colours[source.colour].group, source.statuses, source.silent
        )
        rows.append(gates.active_gate(source.statuses, "source"))
    else:
        rows.append(gates.grace_gate(source.workload, len(source.pods), app.timeouts.start))
    # A rollback leaves a colour because it is ill: its illness is no reason to stay, and neither is that of the input,
    # which both colours read. What the hand-over itself needs (pods that answer, in hot mode) is still demanded.
    ill = ["source lag", "source pods ready", "source pods processing", "open transactions on the input"]
    if not reading and _owns_little_because_ill(source, seen.partitions, bool(app.topics)):
        ill.append("source owns every partition")
    return [gates.soften(row) if direction == "rollback" and row.name in ill else row for row in rows]


def _no_transaction(seen: Observation) -> bool | None:
    """Whether no transaction is open on the input; None where that is not known."""
    if seen.around is None or seen.around.transactions.unknown:
        return None
    return not seen.around.transactions.found


def _owns_little_because_ill(source: ColourView, partitions: t.Collection[TopicPartition], named: bool) -> bool:
    """Whether its illness explains that the source owns less than every partition, and not a wrong group or an old topic.

    A group without members is that of pods that fail, or another than the one of pods that are well. Where the topics are not
    named, one that nobody reads beside others is of the past, and nobody could prove afterwards that it is at work.
    """
    if not source.group.members:
        failing = [pod for pod in source.pods if pod.problem or pod.trouble]
        return bool(failing) or not any(pod.ready for pod in source.pods)
    return named or not gates.unread_topics(source.group, partitions)


def _target_exists(app: Application, target: ColourView) -> gates.Gate:
    name = app.colours[target.colour].workload
    found = f"{target.workload.replicas} replicas" if target.workload else "not found"
    return gates.gate(
        "target workload",
        found,
        "exists",
        target.workload is not None,
        f"{app.workload_kind} {name} does not exist in {app.namespace}: deploy it (0 replicas are fine)",
    )


def as_result(plan: Plan) -> dict[str, t.Any]:
    """JSON-ready: decision, gates, table, verdict and the facts they rest on."""
    seen = plan.seen
    lags = {
        colour: {str(row.partition): row.lag for row in lag.lags(view.committed, seen.ranges) if row.lag is not None}
        for colour, view in seen.colours.items()
    }
    return {
        "decision": decisions.as_result(plan.decision),
        "gates": gates.as_result(plan.gates),
        "table": gates.table(plan.gates),
        "verdict": plan.verdict,
        "summary": summary(plan),
        "record": seen.stored.record.to_data(),
        "way_back": as_ways(way_back(seen.stored.record, seen.journal, plan.now, _refuses_hot(seen))),
        "lock_holder": seen.lock.holder if seen.lock else "",
        "unfinished_run": seen.journal.unfinished.run_id if seen.journal.unfinished else "",
        "partitions": len(seen.partitions),
        "colours": {
            colour: _colour_result(view, lags[colour], len(seen.partitions)) for colour, view in seen.colours.items()
        },
    }


def _refuses_hot(seen: Observation) -> bool:
    """Whether a hot rollback would be refused because a pod of the active colour does not answer, as ``judge`` would."""
    under_way = seen.stored.record.armed or seen.journal.unfinished is not None
    return bool(seen.colours[seen.stored.record.active].silent) and not under_way


def summary(plan: Plan) -> list[str]:
    """The application as lines for a terminal."""
    record = plan.seen.stored.record
    lines = [
        f"{record.active} is active since {record.switch_timestamp or 'the beginning'} (epoch {record.epoch}, {record.phase})"
    ]
    for colour, view in sorted(plan.seen.colours.items()):
        states = sorted(
            {status.state for status in view.statuses.values()}
            | {(pod.problem or pod.trouble).split(":")[0] for pod in view.pods if pod.problem or pod.trouble}
        ) or ["no contract spoken"]
        pods = (
            f"{sum(pod.ready for pod in view.pods)} of {len(view.pods)} pods ready ({', '.join(states)})"
            if view.pods
            else "no pods"
        )
        group = f"group {view.group.group_id}: {view.group.state}, {len(view.group.members)} members"
        lines.append(
            f"{colour:<6} {'ACTIVE ' if colour == record.active else 'standby'} {pods}; {group}, lag {_lag_text(plan, view)}"
        )
    run = plan.seen.journal.current
    if run:
        who, why = f" by {run.who}" if run.who else "", f": {run.note}" if run.note else ""
        ended = "not ended" if run.unfinished else f"{run.status} {run.finished}"
        lines.append(
            f"last run {run.run_id} ({run.direction} to {run.target}, started {run.started}{who}, {ended}){why}"
        )
    lock = plan.seen.lock.holder if plan.seen.lock and plan.seen.lock.holder else "free"
    lines.append(f"lock: {lock}; a run would {plan.decision.does}")
    return lines


def _lag_text(plan: Plan, view: ColourView) -> str:
    rows = lag.lags(view.committed, plan.seen.ranges)
    total = lag.total_lag(rows)
    if total is None:
        return f"unknown ({len(lag.uncommitted(rows))} partitions with records and no commit)"
    return f"{total} records"


def _colour_result(view: ColourView, lags: dict[str, int], partitions: int) -> dict[str, t.Any]:
    return {
        "group": {
            "id": view.group.group_id,
            "type": view.group.kind,
            "state": view.group.state,
            "members": len(view.group.members),
        },
        "workload": view.workload.name if view.workload else None,
        "replicas": view.workload.replicas if view.workload else None,
        "pods": [
            {
                "name": pod.name,
                "ready": pod.ready,
                "state": view.statuses[pod.name].state if pod.name in view.statuses else None,
                "problem": pod.problem or view.silent.get(pod.name, ""),
            }
            for pod in view.pods
        ],
        # Unknown is not 0: a partition without a commit makes the sum unknown.
        "lag": sum(lags.values()) if len(lags) == partitions else None,
    }
