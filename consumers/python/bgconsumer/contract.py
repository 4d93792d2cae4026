"""The state machine of bg/v1. It knows neither Kafka nor HTTP.

Three parties meet here: the HTTP handlers submit commands and wait, the record reader reports what the active
record says, and the consumer thread reads the desired state, acts, and publishes where it is. Only the consumer
thread touches Kafka; everybody else only changes `Desired`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from bgconsumer.commands import Command
from bgconsumer.model import NOTHING_HANDED, STARTING_PHASES, ActiveRecord, ContractError, Handoff, State
from bgconsumer.view import UNJOINED, Desired, MemberView, is_active, is_drained

Clock = Callable[[], float]

_TARGETS = {"pause": State.DRAINED, "prepare": State.STANDBY, "fence": State.FENCED}


@dataclass(frozen=True)
class ContractState:
    """The contract's own state at one instant; times in seconds."""

    state: State
    desired: Desired
    epoch: int
    epoch_source: str
    lease_remaining: float
    record: ActiveRecord | None
    record_error: str | None
    view: MemberView
    activated_epoch: int | None = None

    @property
    def drained(self) -> bool:
        return is_drained(self.state, self.view)

    @property
    def active(self) -> bool:
        return is_active(self.state, self.lease_remaining, self.view)


class Contract:
    """State, epochs and lease of one pod. Every method may be called from any thread."""

    def __init__(self, colour: str, hot_standby: bool, lease_seconds: float, clock: Clock = time.monotonic) -> None:
        self._colour = colour
        self._hot_standby = hot_standby
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._changed = threading.Condition()
        self._state = State.STARTING
        self._desired = Desired(target=State.STANDBY, epoch=0, joined=hot_standby, serial=0)
        self._decided = False  # nothing but a record or a pause may end STARTING
        self._terminating = False
        self._epoch = 0
        self._epoch_source = "none"
        self._woken_at: float | None = None  # when a command asked for a look at the record that did not begin since
        self._handoff: tuple[int, Handoff | None] = (0, NOTHING_HANDED)
        self._record: ActiveRecord | None = None
        self._record_error: str | None = None
        self._lease_until = clock()
        self._confirmed_at = float("-inf")  # begin of the last read that says that pods of this colour may start
        self._assigned_at = clock()
        self.read_wanted = threading.Event()
        self._view = MemberView()
        self._activated_epoch: int | None = None  # of the last activation that was reached in this process

    # --- record reader -------------------------------------------------------------------------------------------

    def observe_record(
        self, record: ActiveRecord, read_started: float, handoff: Handoff | None = NOTHING_HANDED
    ) -> None:
        """Take in a record that was read at or after ``read_started`` (monotonic seconds).

        handoff: what the snapshot that it names holds, `None` when that could not be read.
        """
        with self._changed:
            if record.epoch < self._epoch:
                # Either the read overtook a command, or somebody put an old record back. The next read tells;
                # until one confirms the epoch the lease runs on.
                self._record_error = f"record has epoch {record.epoch}, epoch {self._epoch} was seen before"
                return
            if record.epoch > self._epoch:
                self._epoch, self._epoch_source = record.epoch, "configmap"
            self._record, self._record_error = record, None
            self._lease_until = read_started + self._lease_seconds
            mine = record.active == self._colour
            may_start = mine and record.phase in STARTING_PHASES
            if mine:
                self._handoff = (record.activated_epoch, handoff)
            if may_start:
                self._confirmed_at = read_started
            woken = self._woken_at is not None and read_started >= self._woken_at
            if woken:
                self._woken_at = None
            if not self._decided:
                self._decided = True
                target = State.ACTIVE if may_start else State.STANDBY
                self._set(target, joined=may_start or self._hot_standby, by_record=True)
            elif not self._terminating and self._desired.target is not State.FENCED:
                self._follow_record(record, mine, may_start, woken)
            self._changed.notify_all()

    def _follow_record(self, record: ActiveRecord, mine: bool, may_start: bool, woken: bool) -> None:
        if not mine:
            self._step_down(record)
        elif may_start:
            self._take_up(record, woken)
        elif self._state is State.ACTIVATING and self._desired.by_record:
            # A hand-over began before this pod had started: it must not become one more source.
            self._set(State.STANDBY, joined=self._desired.joined and self._hot_standby, by_record=True)

    def _take_up(self, record: ActiveRecord, woken: bool) -> None:
        # The record and the snapshot that it names are all a pod needs, so one that stands by or was paused becomes active when
        # it reads them: a colour does not stay idle because the operator died. A newer command stays in effect, and so does one
        # of the same epoch until the pod is woken.
        target, newer = self._desired.target, record.epoch > self._desired.epoch
        waiting = target is State.STANDBY and (newer or woken or self._desired.by_record)
        paused = target is State.DRAINED and (newer or woken)
        # It was not read for so long that the other colour has worked in between.
        again = target is State.ACTIVE and record.activated_epoch > self._desired.reign
        if waiting or paused or again:
            self._set(State.ACTIVE, joined=True, by_record=True)

    def _step_down(self, record: ActiveRecord) -> None:
        # A command of epoch e is only sent after the record of epoch e was written, so a pod that is active
        # in e can see another colour there only if somebody broke the protocol: stop, do not argue.
        # A paused pod is the source of a run until the record has moved on.
        target = self._desired.target
        if target is State.ACTIVE or (target is State.DRAINED and record.epoch > self._desired.epoch):
            self._set(State.STANDBY, joined=self._desired.joined and self._hot_standby, by_record=True)

    def record_failed(self, message: str) -> None:
        """Note that the record could not be read; the lease runs on."""
        with self._changed:
            self._record_error = message

    # --- HTTP handlers -------------------------------------------------------------------------------------------

    def submit(self, command: Command) -> None:
        """Accept a command or raise `ContractError`; repeating an accepted command is harmless."""
        with self._changed:
            if command.epoch < self._epoch:
                raise self._conflict("stale_epoch", f"{command.name} carries epoch {command.epoch}, this pod has seen")
            self._check(command)
            self._epoch, self._epoch_source = command.epoch, "http"
            if command.name == "resume":
                if self._woken_at is None:  # or repeating it faster than the record is read would put it off for ever
                    self._woken_at = self._clock()
                self.read_wanted.set()
            else:
                self._woken_at = None  # the last command counts, also when nothing has to change for it
                if not self._repeats(command):
                    self._decided = True
                    self._apply(command)
            self._changed.notify_all()

    def _repeats(self, command: Command) -> bool:
        """Whether the pod is on its way to, or at, what the command wants: a new decision would begin it anew."""
        wanted = self._desired
        if wanted.epoch != command.epoch or wanted.by_record or wanted.target is not _TARGETS[command.name]:
            return False
        return wanted.joined == self._joined_after(command)

    def _joined_after(self, command: Command) -> bool:
        if command.name == "pause":
            return self._desired.joined and not command.leave_group
        return command.name == "prepare" and command.standby == "hot"

    def _check(self, command: Command) -> None:
        name, target = command.name, self._desired.target
        if target is State.FENCED and name != "fence":
            raise ContractError(423, "fenced", f"{name}: this pod is fenced until it restarts")
        if name in ("pause", "fence"):
            return  # the safe direction is always open
        if self._terminating:
            raise ContractError(503, "terminating", f"{name}: this pod is shutting down")
        if not self._decided and name == "prepare":
            raise ContractError(503, "starting", f"{name}: this pod has not read the active record yet")
        if name == "prepare" and (target is State.ACTIVE or self._state is State.PAUSING):
            raise self._conflict("conflict", f"prepare: this pod is {self._state}; pause it first. It is at")

    def _conflict(self, code: str, message: str) -> ContractError:
        return ContractError(409, code, f"{message} epoch {self._epoch}")

    def _apply(self, command: Command) -> None:
        self._set(_TARGETS[command.name], joined=self._joined_after(command), epoch=command.epoch)

    def wait(self, command: Command) -> bool:
        """Wait up to the command's ``waitMs`` for the consumer thread; `True` when what it asked for is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_done(command), timeout=command.wait_ms / 1000)

    def _is_done(self, command: Command) -> bool:
        now = self._snapshot()
        if command.name == "pause":
            left = not command.leave_group or self._view.member_state == UNJOINED
            return self._state is State.DRAINED and now.drained and left
        if command.name == "resume":
            return now.active and self._woken_at is None
        return self._state is (State.STANDBY if command.name == "prepare" else State.FENCED)

    def snapshot(self) -> ContractState:
        """Everything a status answer needs, taken at one instant."""
        with self._changed:
            return self._snapshot()

    def _snapshot(self) -> ContractState:
        return ContractState(
            state=self._state,
            desired=self._desired,
            epoch=self._epoch,
            epoch_source=self._epoch_source,
            lease_remaining=self._lease_until - self._clock(),
            record=self._record,
            record_error=self._record_error,
            view=self._view,
            activated_epoch=self._activated_epoch,
        )

    # --- consumer thread -----------------------------------------------------------------------------------------

    @property
    def desired(self) -> Desired:
        """Where to go; one reference, so it can be read without the lock."""
        return self._desired

    def await_decision(self, serial: int, timeout: float) -> None:
        """Sleep until there is a decision other than ``serial``, at most ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._desired.serial != serial, timeout)

    def may_process(self, serial: int) -> bool:
        """Whether one more record may be processed for the decision ``serial``. Asked before every record."""
        return self._desired.serial == serial and self._clock() < self._lease_until

    def handoff(self, reign: int) -> Handoff | None:
        """What was handed over at the beginning of this reign, `None` while that is not known."""
        known, handoff = self._handoff
        return handoff if known == reign else None

    def assigned(self) -> None:
        """The pod was given partitions: what it read before says nothing about them any more."""
        with self._changed:
            self._assigned_at = self._clock()
        self.read_wanted.set()

    def may_start(self, serial: int) -> bool:
        """Whether records of the present assignment may be fetched for the decision ``serial``.

        That takes a read of the record that began after the assignment. A pod that was assigned before a source was proven
        quiet is seen by that proof, as a member of the group; one that was assigned after it sees here that a hand-over
        began.
        """
        with self._changed:
            return self._desired.serial == serial and self._confirmed_at >= self._assigned_at

    def publish(self, view: MemberView, serial: int, reached: bool) -> None:
        """Report the member as it is; with ``reached`` the pod is where the decision ``serial`` wanted it."""
        with self._changed:
            self._view = view
            if reached and serial == self._desired.serial and (self._decided or self._terminating):
                self._state = self._desired.target
                if self._state is State.ACTIVE:
                    self._activated_epoch = self._desired.epoch
            self._changed.notify_all()

    def terminate(self) -> None:
        """SIGTERM: drain and leave the group; no command brings the pod back."""
        with self._changed:
            self._terminating = self._decided = True  # the first record must not start it either
            self._set(State.DRAINED, joined=False)
            self._changed.notify_all()

    def _set(
        self,
        target: State,
        joined: bool,
        epoch: int | None = None,
        by_record: bool = False,
    ) -> None:
        self._desired = Desired(
            target=target,
            epoch=self._epoch if epoch is None else epoch,
            joined=joined,
            serial=self._desired.serial + 1,
            reign=self._record.activated_epoch if self._record else 0,
            by_record=by_record,
        )
        if target is State.ACTIVE:
            self._state = State.ACTIVATING
        elif target is State.DRAINED or self._state in (State.ACTIVE, State.ACTIVATING):
            self._state = State.PAUSING
