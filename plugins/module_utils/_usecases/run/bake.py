# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Watches the colour that was switched to for a while, before the run is closed. Reads only, and holds no lock.

Whoever starts another run meanwhile takes over at once; the watch notices it at its next look and ends.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    InterruptedRunError,
    NotReadyError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.lag import lags
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.pod_status import PodStatus
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import bake as core
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.gates import GO, Gate, verdict_of
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.store import Store
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run import metric_gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.context import RunRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.observe import (
    ask,
    partitions_of,
    topic_names,
)


@dataclass(frozen=True)
class Baked:
    """What came of it. overtaken: who ended it, or empty. resume: the state for the next slice, None at the end."""

    gates: list[Gate]
    seconds: float
    looks: int
    overtaken: str = ""
    settled: bool = False
    """Another run has closed this one."""
    resume: dict[str, t.Any] | None = None
    line: str = ""


def bake(
    ports: Ports,
    app: Application,
    asked: RunRequest,
    colour: str,
    epoch: int,
    source_rate: float | None,
    state: t.Mapping[str, t.Any] | None = None,
) -> Baked:
    """Look at ``colour`` once a second for as long as was asked, and judge it. epoch: of the record. state: what the slice before
    returned as ``resume``.

    A look that fails is repeated, for as long again as the bake. Raises NotReadyError when the last of them failed all the same, or
    what could be seen is too little to judge by: then nothing is known of the colour.
    """
    clock, request = ports.clock, asked.bake
    watch = core.from_state(state["watch"]) if state else core.Watch()
    began = float(state["began"]) if state else clock.monotonic()
    heard, run_id = bool(state and state["heard"]), str(state["run_id"]) if state else ""
    slice_began = clock.monotonic()
    if state:
        clock.sleep(max(0.0, float(state["looked"]) + core.INTERVAL - clock.monotonic()))
    while True:
        looked, trouble = clock.monotonic(), ""
        try:
            run_id, overtaken, settled = _overtaken(ports, app, colour, epoch, run_id)
            if overtaken:
                return Baked([], looked - began, len(watch.points), overtaken, settled)
            # Pods of a cold application need not speak to us. Those that did are asked again.
            look, heard = _look(ports, app, colour, looked, asked.mode != "cold" or heard or not watch.points, heard)
            watch = core.advance(watch, look)
        except InterruptedRunError:
            raise
        except BlueGreenError as error:
            trouble = error.message
        now = clock.monotonic()
        elapsed = now - began
        if elapsed >= core.AT_MOST * request.seconds and trouble:
            raise NotReadyError(f"{colour} could not be watched to the end: {trouble}")
        if not trouble and _is_over(watch, request.seconds, elapsed):
            if why := core.too_little(watch, request.seconds):
                raise NotReadyError(
                    f"{colour} was seen too little to be judged: {why}. Kafka, Kubernetes or the pods answered too late or not at all; "
                    f"where that stays so, a bake of more than {request.seconds:g} s sees more"
                )
            rows = core.judge(watch, request.limits, source_rate)
            rows += _from_prometheus(ports, app, asked, colour, watch, source_rate) if verdict_of(rows) == GO else []
            return Baked(rows, elapsed, len(watch.points))
        if request.slice is not None and now + core.INTERVAL - slice_began > request.slice:
            resume = {
                "watch": core.to_state(watch),
                "began": began,
                "looked": looked,
                "heard": heard,
                "run_id": run_id,
            }
            line = core.line(watch, request.seconds, max(0.0, request.seconds - elapsed))
            line += f"; the last look failed: {trouble}" if trouble else ""
            return Baked([], elapsed, len(watch.points), resume=resume, line=line)
        clock.sleep(max(0.0, looked + core.INTERVAL - clock.monotonic()))


def _from_prometheus(
    ports: Ports, app: Application, asked: RunRequest, colour: str, watch: core.Watch, source_rate: float | None
) -> list[Gate]:
    """The gates from Prometheus. Not for a version that is no good anyway: it goes back at once, whether Prometheus answers or not."""
    topics = {name.rpartition("-")[0] for name in watch.partitions}
    return metric_gates.at_the_end(ports, app, asked.metrics, colour, topics, _measured(watch), source_rate)


def _measured(watch: core.Watch) -> float:
    """Seconds since the group settled."""
    return watch.points[-1].at - watch.points[0].at if watch.points else 0.0


def _is_over(watch: core.Watch, seconds: float, elapsed: float) -> bool:
    """The time is over, and what was measured since the last rebalance is half of it and enough."""
    enough = _measured(watch) >= seconds / 2 and len(watch.points) >= core.ENOUGH
    return elapsed >= seconds and (enough or elapsed >= core.AT_MOST * seconds)


def _overtaken(ports: Ports, app: Application, colour: str, epoch: int, run_id: str) -> tuple[str, str, bool]:
    """The run that is watched, who has taken it over, or empty, and whether it was closed as it is. run_id: of the look before."""
    store = Store(ports, app.name)
    found = ports.parallel.run({"record": store.record, "journal": store.journal})
    record, current = found["record"].record, found["journal"].current
    same = record.active == colour and record.epoch == epoch
    seen = current.run_id if current else ""
    if same and record.phase == "verifying" and seen == (run_id or seen):
        return seen, "", False
    if same and record.phase == "stable":
        return seen, f"somebody else has closed the run of {app.name} while {colour} was watched", True
    who = f"run {seen}" + (f" by {current.who}" if current and current.who else "") if seen else "somebody"
    return (
        seen,
        f"{who} has taken over while {colour} was watched ({record.active} is active, {record.phase}, epoch {record.epoch})",
        False,
    )


def _look(ports: Ports, app: Application, colour: str, at: float, asks: bool, heard: bool) -> tuple[core.Look, bool]:
    """Everything once; and whether a pod has ever answered."""
    wanted = app.colours[colour]
    found = ports.parallel.run(
        {
            "pods": lambda: _pods(ports, app, colour, asks),
            "group": lambda: ports.kafka.groups([wanted.group])[wanted.group],
            "partitions": lambda: partitions_of(ports.kafka.topics(topic_names(ports, app, colour))),
        }
    )
    pods, statuses = found["pods"]
    partitions = found["partitions"]
    committed, pending = ports.kafka.committed_or_pending(wanted.group, partitions)
    # Up to where a reader of committed records gets: what an open transaction has written waits for nobody here.
    rows = lags(committed, ports.kafka.log_ranges(partitions, read_committed=True), pending)
    return (
        core.Look(
            at=at,
            rows=rows,
            settled=found["group"].state == "Stable",
            restarts={pod.uid: pod.restarts for pod in pods},
            names={pod.uid: pod.name for pod in pods},
            unready={
                pod.uid: pod.problem or pod.trouble or pod.phase
                for pod in pods
                if not pod.ready and not pod.terminating
            },
            counters=_counters(pods, statuses),
        ),
        heard or bool(statuses),
    )


def _pods(ports: Ports, app: Application, colour: str, asks: bool) -> tuple[list[Pod], dict[str, PodStatus]]:
    workload = ports.cluster.workload(app.workload_kind, app.colours[colour].workload)
    pods = ports.cluster.pods(workload) if workload else []
    return pods, ask(ports, app, pods)[0] if asks else {}


def _counters(pods: t.Sequence[Pod], statuses: t.Mapping[str, PodStatus]) -> dict[str, core.Counters] | None:
    """By process: a container that began anew counts from 0."""
    found = {
        f"{pod.uid}/{pod.restarts}": core.Counters(status.processed, status.failed)
        for pod in pods
        if (status := statuses.get(pod.name)) is not None and status.processed is not None and status.failed is not None
    }
    return found or None
