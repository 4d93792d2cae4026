# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The order of a run: judge, prepare, hand over, verify, settle; up to a named step, and on from there."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    ConflictError,
    InvalidSettingsError,
    KafkaError,
    NoGoError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import other_colour
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.bake import (
    ROLLBACK,
    BakeRequest,
    Mark,
    packed,
    unpacked,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.decision import ABORT, CLEAN_UP
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.way_back import as_result as as_ways
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.way_back import way_back
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.store import Store
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run import hand_over as hand_overs
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.bake import bake
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.hand_over import hand_over
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.preflight import (
    Plan,
    as_result,
    preflight,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.prepare import prepare

JUDGED, PREPARED, SETTLED = "judged", "prepared", "settled"
STEPS = (JUDGED, PREPARED, *hand_overs.UNTIL, SETTLED)
"""The steps after which a run may be stopped, to be looked at and gone on with by the same run."""


def run(
    ports: Ports,
    app: Application,
    request: RunRequest,
    until: str = SETTLED,
    wait: float = 60.0,
    judged: bool = False,
    only: str = "",
    check: bool = False,
) -> dict[str, t.Any]:
    """Bring ``request.target`` to work, or whatever else the stored state asks for; JSON-ready.

    until: the last step to take, one of STEPS. wait: seconds to prove the target well before the run is closed. judged: Go was
    said for this target at this epoch; else it is judged here, and a No-Go raises NoGoError before anything is changed. only: one
    of hand_over.ONLY, for a step of a run that is under way; somebody else may have ended that run meanwhile, and then the step
    must not begin another. check: predict, write nothing.

    Returns what was judged, or what the last step returned, with ``changed``, ``run_id`` and ``steps`` of all of them. A target
    that could not be proven well is no error: ``settled`` is false, and ``verified`` says why. Where the bake is sliced and not at
    its end, ``resume`` is the state of the next call and ``line`` says where it stands. Raises NoGoError when the bake says No-Go,
    after the rollback where that was asked for, and ConflictError when somebody else took the run over meanwhile.
    """
    if until == JUDGED:
        if request.direction == "switch":
            request.bake.check()
        return {"changed": False, **as_result(_look(ports, app, request))}
    _check(request, until, judged, only)
    if request.direction == "switch":
        request.bake.check()
    state = unpacked(request.bake.state) if request.bake.state else {}
    if state:
        done = dict(state["done"])
        request = replace(request, run_id=done["run_id"])  # who made one up is called so in all slices
    else:
        done = _move(ports, app, request, until, wait, judged, only, check)
    proven = done.get("verified", {}).get("verdict") == gates.GO and not done["warnings"] and not done["settled"]
    if _watches(request, until, check) and proven:
        return _bake(ports, app, request, wait, done, state)
    return done


def _watches(request: RunRequest, until: str, check: bool) -> bool:
    """Whether the target is to be watched before the run is closed."""
    return request.bake.seconds > 0 and until == SETTLED and request.direction == "switch" and not check


def _move(
    ports: Ports,
    app: Application,
    request: RunRequest,
    until: str,
    wait: float,
    judged: bool,
    only: str,
    check: bool,
) -> dict[str, t.Any]:
    """Everything up to ``until``, or up to the bake."""
    done: dict[str, t.Any] = {"changed": False, "run_id": request.run_id, "steps": []}
    watches = _watches(request, until, check)
    closes = wait if until == SETTLED else None
    last = hand_overs.ACTIVE if closes is not None else until
    try:
        if not only:
            if not judged:
                request = _judge(ports, app, request)
            mark = _mark(ports, app, request.target) if watches else None
            done = prepare(ports, app, request, check)
            request = replace(request, expected_epoch=done["epoch"], mark=mark)
            if until == PREPARED:
                if done["decision"]["action"] not in (ABORT, CLEAN_UP):
                    return done
                last = hand_overs.ACTIVE  # to undo what a run that died has left is all there is to do
        handed = hand_over(ports, app, request, check, closes, last, only, close=not watches)
    except BlueGreenError as error:
        error.result = {
            **error.result,
            "run_id": request.run_id,
            "steps": done["steps"] + error.result.get("steps", []),
        }
        raise
    return {
        **handed,
        "run_id": request.run_id,
        "epoch": int(handed["record"]["epoch"]),  # of the record as it is now: the next step is bound to it
        "changed": done["changed"] or handed["changed"],
        "steps": done["steps"] + handed["steps"],
    }


def _mark(ports: Ports, app: Application, target: str) -> Mark | None:
    """Where the source stands now; None where that can't be told, which is no reason to stop."""
    try:
        return Mark(ports.clock.monotonic(), ports.kafka.all_committed(app.colours[other_colour(target)].group))
    except KafkaError:
        return None


def _bake(
    ports: Ports,
    app: Application,
    request: RunRequest,
    wait: float,
    done: dict[str, t.Any],
    state: t.Mapping[str, t.Any],
) -> dict[str, t.Any]:
    """Watch the target, then close the run, or roll it back."""
    colour, epoch = done["record"]["active"], int(done["record"]["epoch"])
    try:
        found = bake(ports, app, request, colour, epoch, done["source_rate"], state.get("watch") or None)
    except BlueGreenError as error:
        raise _told(
            error, done, f"{colour} is active and the run is not closed: run the switch again to watch and close it"
        ) from error
    if found.resume is not None:
        resume = packed({"done": done, "watch": found.resume})
        return {"changed": done["changed"], "resume": resume, "line": found.line}
    if found.overtaken:
        now = {**done, **_now(ports, app), "settled": found.settled}
        if found.settled:
            return {**now, "warnings": [*done["warnings"], found.overtaken]}
        raise ConflictError(f"{found.overtaken[0].upper()}{found.overtaken[1:]}", now)
    done["baked"] = {
        "active": colour,
        "verdict": gates.verdict_of(found.gates),
        "gates": gates.as_result(found.gates),
        "table": gates.table(found.gates),
        "seconds": round(found.seconds, 1),
        "looks": found.looks,
        "rolled_back": False,
    }
    if done["baked"]["verdict"] == gates.NO_GO:
        _no_go(ports, app, request, wait, done)
    closing = replace(request, target=colour, expected_epoch=epoch)
    try:
        closed = hand_over(ports, app, closing, close_within=wait, only=hand_overs.SETTLE_ONLY)
    except BlueGreenError as error:
        raise _told(
            error, done, f"{colour} was watched and did well, and the run is not closed: run the switch again"
        ) from error
    own = {key: closed[key] for key in ("record", "settled", "verified", "warnings", "way_back")}
    return {
        **done,
        **own,
        "changed": done["changed"] or closed["changed"],
        "steps": done["steps"] + closed["steps"],
    }


def _told(error: BlueGreenError, done: t.Mapping[str, t.Any], what: str) -> BlueGreenError:
    """The error with what was done before it, and what to do."""
    error.message = f"{what}, or the rollback to go back. What kept it from that: {error.message}"
    error.args = (error.message,)
    error.result = {**done, **error.result}
    return error


def _now(ports: Ports, app: Application) -> dict[str, t.Any]:
    """The record and the way back as somebody else left them; nothing where they can't be read any more."""
    store = Store(ports, app.name)
    try:
        record, journal = store.record().record, store.journal()
    except BlueGreenError:
        return {}
    return {"record": record.to_data(), "way_back": as_ways(way_back(record, journal, ports.clock.now()))}


def _no_go(ports: Ports, app: Application, request: RunRequest, wait: float, done: dict[str, t.Any]) -> t.NoReturn:
    """Roll back where that is asked for; raises NoGoError that says what was seen, and how the rollback ended."""
    baked, colour = done["baked"], done["record"]["active"]
    source = other_colour(colour)
    faults = [row for row in baked["gates"] if row["verdict"] == gates.NO_GO]
    seen = "; ".join(f"{row['name']}: {row['value']}, wanted {row['threshold']}" for row in faults)
    said = f"NO-GO for {colour} of {app.name} after {baked['seconds']:.0f} s at work ({baked['looks']} looks): {seen}"
    if request.bake.on_no_go != ROLLBACK:
        raise NoGoError(
            f"{said}. {colour} stays active, as on_no_go says, and the run is not closed: run the rollback to go back, or the switch "
            f"to watch {colour} again",
            done,
        )
    back = replace(
        request,
        direction="rollback",
        target=source,
        run_id=f"{request.run_id[:58]}-back",
        expected_epoch=int(done["record"]["epoch"]),
        reason=said[:1000],
        mark=None,
        bake=BakeRequest(),
    )
    try:
        undone = run(ports, app, back, wait=wait)
        undone.pop("record_before", None)  # the diff is that of the whole run
    except BlueGreenError as error:
        told = ("record", "way_back", "evicted", "ended")
        left = {key: value for key, value in error.result.items() if key in told}
        result = {**done, **left, "rollback": error.result}
        raise NoGoError(f"{said}. The rollback to {source} did not end well: {error.message}", result) from error
    kept = {key: undone[key] for key in ("record", "settled", "verified", "way_back", "evicted", "ended")}
    there = undone["record"]["active"] == source
    result = {**done, **kept, "baked": {**baked, "rolled_back": there}, "rollback": undone}
    after = f"{undone['record']['active']} is active since epoch {undone['record']['epoch']}"
    proven = "" if undone["settled"] else ", and is not proven well yet: run the rollback again"
    raise NoGoError(f"{said}. Rolled back: {after}{proven}", result)


def _check(request: RunRequest, until: str, judged: bool, only: str) -> None:
    """Raise InvalidSettingsError for what makes no sense together."""
    faults = []
    if only and not request.target:
        faults.append(f"target is missing; with only: {only} name the colour that the run hands over to")
    if only and until == PREPARED:
        faults.append(f"until: {until} makes no sense with only: {only}, which begins nothing")
    if judged and (not request.target or request.expected_epoch is None):
        faults.append("judged needs target and expected_epoch, for which Go was said")
    if faults:
        raise InvalidSettingsError(faults)


def _look(ports: Ports, app: Application, request: RunRequest) -> Plan:
    asked = (request.mode, request.direction, request.target, request.metrics, request.bake.seconds)
    return preflight(ports, app, *asked)


def _judge(ports: Ports, app: Application, request: RunRequest) -> RunRequest:
    """The request, bound to what was judged."""
    plan = _look(ports, app, request)
    seen = plan.seen.stored.record
    bound = replace(
        request,
        target=plan.decision.target,
        expected_epoch=seen.epoch if request.expected_epoch is None else request.expected_epoch,
    )
    if request.target and bound.target != request.target and request.direction == "rollback":
        raise ConflictError(
            f"A rollback of {app.name} goes to {bound.target} now, not to {request.target}: {plan.decision.reason}",
            {"record": seen.to_data()},
        )
    # A record that has moved since is told as that, by whoever takes the lock: the gates are of another state.
    if plan.verdict == gates.NO_GO and bound.expected_epoch == seen.epoch:
        table = gates.table(plan.gates)
        raise NoGoError(
            f"NO-GO for {app.name}. Nothing was changed; {seen.active} is still the active colour.\n"
            + "\n".join(table),
            {"gates": gates.as_result(plan.gates), "table": table},
        )
    return bound
