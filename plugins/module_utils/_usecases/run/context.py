# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""What every step of a run works with, and the few things all of them do."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod, Workload
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    ClusterError,
    ConflictError,
    NotReadyError,
    OffsetsError,
    UnknownReplicasError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offsets import inside_log
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    LogRange,
    Topic,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import still_meant
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal, Run
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.bake import BakeRequest, Mark
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.handoff import Handoff, hand_off, is_older
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metric_gate import MetricRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.run_lock import RunLock
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.store import Store, StoredRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.steps import Steps

POLL = 0.1
"""Seconds between two looks while pods or groups change."""


@dataclass(frozen=True)
class RunRequest:
    """What the operator asked for. who: for the journal, e.g. the user and host that ran the playbook.

    expected_epoch: the record's epoch on which the operator decided; None binds the run to nothing. reason: why, for the journal.
    bake: how long the target of a switch is watched before the run is closed. mark: where the source stood when the run began.
    metrics: what a switch asks of Prometheus.
    """

    target: str
    direction: str
    mode: str
    run_id: str
    who: str = ""
    expected_epoch: int | None = None
    reason: str = ""
    bake: BakeRequest = field(default_factory=BakeRequest)
    mark: Mark | None = None
    metrics: MetricRequest = field(default_factory=MetricRequest)


@dataclass
class RunContext:
    """One run at work. stored follows every change this run makes to the record; found is its data as first read.

    evicted and ended tell what leaves a doubt in cold mode: members that were evicted, containers that were killed.
    """

    ports: Ports
    app: Application
    request: RunRequest
    lock: RunLock
    store: Store
    steps: Steps
    journal: Journal
    stored: StoredRecord
    topics: t.Mapping[str, Topic]
    found: t.Mapping[str, str]
    known: dict[str, Workload] = field(default_factory=dict)
    evicted: list[str] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    scaled: bool = False
    source_rate: float | None = None

    @classmethod
    def open(cls, ports: Ports, app: Application, request: RunRequest) -> RunContext:
        """Take the lock, then read everything fresh: what was read before the lock may be old.

        Raises ConflictError when the record is not at the epoch that the operator saw: the decision was made for another state.
        """
        lock = RunLock(ports, app.name, request.run_id, app.lock_ttl)
        lock.acquire(app.timeouts.lock)
        ctx = cls.read(ports, app, request, lock)
        moved = _moved(ctx)
        if moved:
            lock.release()
            raise ConflictError(moved, {"record": ctx.stored.record.to_data()})
        return ctx

    @classmethod
    def read(cls, ports: Ports, app: Application, request: RunRequest, lock: RunLock) -> RunContext:
        """Read the state without taking the lock (check mode)."""
        store = Store(ports, app.name)
        stored = store.record()
        found = stored.record.to_data()
        return cls(ports, app, request, lock, store, Steps(ports.clock), store.journal(), stored, {}, found)

    @property
    def run(self) -> Run:
        """The run in the journal."""
        if self.journal.current is None:
            raise ConflictError(f"The journal of {self.app.name} is empty; run the prepare step first")
        return self.journal.current

    @property
    def source(self) -> str:
        """The colour that is left."""
        return self.run.source

    @property
    def target(self) -> str:
        """The colour that takes over."""
        return self.run.target

    def group(self, colour: str) -> str:
        """Consumer group of a colour."""
        return self.app.colours[colour].group

    def workload(self, colour: str) -> Workload:
        """Workload of a colour; NotReadyError when it is missing."""
        name = self.app.colours[colour].workload
        found = self.ports.cluster.workload(self.app.workload_kind, name)
        if found is None:
            raise NotReadyError(
                f"{self.app.workload_kind} {name} does not exist in namespace {self.app.namespace}; deploy it and run again"
            )
        return found

    def pods(self, colour: str) -> list[Pod]:
        """Every pod of a colour, now. The workload itself is looked up once a run: its identity doesn't change."""
        if colour not in self.known:
            self.known[colour] = self.workload(colour)
        return self.ports.cluster.pods(self.known[colour])

    def scale(self, colour: str, replicas: int) -> bool:
        """Set the wanted replicas of a colour; False when they already are."""
        workload = self.workload(colour)
        if workload.replicas == replicas:
            return False
        self.lock.hold()
        self.scaled = True
        self.ports.cluster.scale(workload.kind, workload.name, replicas)
        return True

    def raise_to(self, colour: str, replicas: int) -> bool:
        """Give a colour at least so many replicas; one that has more keeps them: who works is never scaled down."""
        return self.workload(colour).replicas < replicas and self.scale(colour, replicas)

    def write_journal(self, run: Run) -> None:
        """Store the run as it stands."""
        self.lock.hold()
        self.journal = self.journal.update(run)
        self.store.write_journal(self.journal)

    def start_run(self, run: Run) -> None:
        """Store a new run; an unfinished one before it is superseded."""
        self.lock.hold()
        self.journal = self.journal.start(run)
        self.store.write_journal(self.journal)

    def event(self, colour: str, reason: str, message: str) -> None:
        """Tell ``kubectl describe``; never a reason to fail."""
        try:
            self.ports.cluster.event(self.workload(colour), reason, message)
        except (ClusterError, ConflictError, NotReadyError):
            pass

    def refresh(self) -> None:
        """Read the record again: what became of a write, or who else wrote, is told by it alone."""
        self.stored = self.store.record()

    def whose_scale(self, colour: str) -> str:
        """Who else owns the replicas of a colour, as the end of a sentence, or empty."""
        owners = self.workload(colour).scaled_by
        return f" (spec.replicas is also set by {', '.join(owners)})" if owners else ""

    def hand_off_of(
        self,
        colour: str,
        committed: t.Mapping[TopicPartition, CommittedOffset],
        partitions: t.Sequence[TopicPartition],
        ranges: t.Mapping[TopicPartition, LogRange],
    ) -> Handoff:
        """Where the work of ``colour`` stands. Raises OffsetsError where that is not in the log, or not known."""
        epoch = self.stored.record.activated_epoch
        inherited: t.Mapping[TopicPartition, CommittedOffset | None] = {}
        if colour == self.stored.record.active:
            try:
                snapshot = self.store.snapshot(self.stored.record)
            except OffsetsError:
                # Nobody needs it any more once every partition has a commit of this reign.
                if any(tp not in committed or is_older(committed[tp], epoch) for tp in partitions):
                    raise
            else:
                inherited = still_meant(snapshot, self.topics) if snapshot else {}
        found = hand_off(partitions, committed, inherited, epoch, ranges)
        inside = inside_log(found.offsets, ranges, self.app.out_of_range_in(self.request.direction))
        if inside.faults:
            raise OffsetsError(
                f"Group {self.group(colour)} is outside its log: {'; '.join(inside.faults[:5])}. Set bg_out_of_range to earliest "
                "to continue at the start of the log; what is lost is counted and reported",
                {"faults": inside.faults},
            )
        return replace(found, offsets=inside.offsets, decided={**found.decided, **inside.notes})


def replicas_of(app: Application, run: Run, colour: str) -> int:
    """How many pods ``colour`` should have: as configured, else as many as the source had. Raises UnknownReplicasError."""
    wanted = app.replicas or run.saved.get(run.source, 0) or run.saved.get(colour, 0)
    if wanted < 1:
        raise UnknownReplicasError(
            f"Nobody knows how many pods {colour} of {app.name} needs: {run.source} has none, and no run under way says how many it had. "
            "Set bg_replicas"
        )
    return wanted


def _moved(ctx: RunContext) -> str:
    """Why the record is not the one that the operator decided on, or empty."""
    record, expected = ctx.stored.record, ctx.request.expected_epoch
    if expected is None or record.epoch == expected:
        return ""
    run = next(
        (run for run in (ctx.journal.current, *ctx.journal.history) if run and run.run_id == record.run_id), None
    )
    who = f"run {record.run_id or '(unnamed)'}" + (f" by {run.who}" if run and run.who else "")
    when = (run.finished or run.started) if run else record.switch_timestamp
    return (
        f"Nothing was changed: this run was decided at epoch {expected}, and since then {who} moved the active record to epoch "
        f"{record.epoch} ({record.active} active, {record.phase}) at {when or 'an unknown time'}. Check the status before you decide"
    )
