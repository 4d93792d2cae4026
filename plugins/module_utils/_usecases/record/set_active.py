# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Create or change the active record by compare-and-swap, under the application's lock."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import KINDS
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    ClusterError,
    InvalidSettingsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record import drift
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import (
    COLOURS,
    IN_HANDOVER,
    ActiveRecord,
    record_name,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.change import (
    change_record,
    check_expected,
    flip_refusal,
    rollback_refusal,
    shown,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import HandoffSnapshot
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Run
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.run_lock import RunLock, lock_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.store import Store, StoredRecord

LOCK_TTL = 15
"""Seconds after which the lock of a module that was killed may be taken over; more where one request may take as long."""
MOST_EPOCH = 10**9
"""Pods never go back to an older epoch: a larger one by mistake would stop them until they restart."""
_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\Z")
_LONGEST_NAME = 253 - len(record_name(""))


@dataclass(frozen=True)
class RecordRequest:
    """What the record of ``app`` should be; None leaves a value as it is. expected_*: what it must be to be changed.

    epoch: the minimum epoch. force: roll back, or flip without a hand-over, although the record does not
    allow it. on_drift_owner: ignore, warn or fail.
    """

    app: str
    run_id: str
    active: str | None = None
    phase: str | None = None
    rollback_window: int | None = None
    expected_active: str | None = None
    expected_epoch: int | None = None
    lock_timeout: float = 60.0
    force: bool = False
    epoch: int | None = None
    on_drift_owner: str = "warn"
    lock_ttl: int = LOCK_TTL

    def check(self) -> None:
        """Raise InvalidSettingsError that lists every fault."""
        faults = []
        if not _NAME.match(self.app) or len(self.app) > _LONGEST_NAME:
            faults.append(
                f"name is {self.app!r}; it must be a name of Kubernetes (a-z, 0-9, - and .) of at most {_LONGEST_NAME} characters"
            )
        if self.epoch is not None and not 1 <= self.epoch <= MOST_EPOCH:
            faults.append(f"epoch is {self.epoch}; it must be from 1 to {MOST_EPOCH}")
        if self.rollback_window is not None and self.rollback_window < 0:
            faults.append(f"rollback_window is {self.rollback_window}; it must be 0 or more seconds")
        if faults:
            raise InvalidSettingsError(faults)


@dataclass(frozen=True)
class Seen:
    """What there is: the record, or None, and who else manages the ConfigMap."""

    stored: StoredRecord | None
    owners: tuple[drift.DriftOwner, ...] = ()
    immutable: bool = False

    @property
    def record(self) -> ActiveRecord | None:
        """The record, if there is one."""
        return self.stored.record if self.stored else None


def set_active(ports: Ports, request: RecordRequest, check: bool = False) -> dict[str, t.Any]:
    """The module's result. Nothing, not even the lock, is written when the record is as wanted or in check mode.

    Raises ConflictError when the record is not as expected, LockedError when another run works on the application,
    InvalidSettingsError when the record does not allow the change.
    """
    request.check()
    seen = _read(ports, request.app)
    wanted = _wanted(ports, request, seen)
    if check and seen.stored is None and (place := ports.cluster.place()).exists is False:
        raise InvalidSettingsError([f"{place}; check its name, or create it"])  # a real run learns it when it writes
    if check or wanted == seen.record:
        return _result(ports, request, seen, wanted)
    lock = RunLock(ports, request.app, request.run_id, request.lock_ttl)
    lock.acquire(request.lock_timeout)
    try:
        seen = _read(ports, request.app)  # the run we may have waited for can have changed it
        wanted = _wanted(ports, request, seen)
        if seen.stored is None:
            _create(ports, request.app, wanted)
        elif wanted != seen.record:
            Store(ports, request.app).swap_record(seen.stored, wanted)
        return _result(ports, request, seen, wanted)
    finally:
        try:
            if not lock.was_ours:
                lock.release()
        except BlueGreenError:
            pass  # it expires by itself; what was done, or failed, counts


def _read(ports: Ports, app: str) -> Seen:
    name = record_name(app)
    found = ports.cluster.config_map(name)
    if found is None:
        return Seen(None)
    owners = tuple(drift.drift_owners(found.metadata))
    try:
        record = ActiveRecord.parse(name, found.data)
    except InvalidSettingsError as error:
        # Who manages it is the first suspect.
        raise _refused([*error.faults, *(owner.warning(name) for owner in owners)], owners) from error
    return Seen(StoredRecord(record, found.resource_version), owners, found.immutable)


def _refused(
    faults: t.Sequence[str], owners: t.Iterable[drift.DriftOwner], record: ActiveRecord | None = None
) -> InvalidSettingsError:
    error = InvalidSettingsError(faults)
    error.result["drift_owners"] = drift.as_result(owners)
    if record is not None:
        error.result["record"] = record.to_data()
    return error


def _wanted(ports: Ports, request: RecordRequest, seen: Seen) -> ActiveRecord:
    name = record_name(request.app)
    record = seen.record
    if record is None:
        check_expected(name, None, request.expected_active, request.expected_epoch)
        return _first(ports, name, request, Store(ports, request.app))
    now = ports.clock.now()
    wanted = change_record(record, request.active, request.phase, request.rollback_window, now, request.run_id)
    if request.epoch is not None and wanted.epoch < request.epoch:
        wanted = replace(wanted, epoch=request.epoch, run_id=request.run_id)
    if wanted != record:
        check_expected(name, record, request.expected_active, request.expected_epoch)
        _check_allowed(name, request, seen, wanted, now)
    return wanted


def _check_allowed(name: str, request: RecordRequest, seen: Seen, wanted: ActiveRecord, now: str) -> None:
    """Raise InvalidSettingsError that lists every reason not to change the record."""
    record = t.cast(ActiveRecord, seen.record)
    faults = []
    if seen.immutable:
        faults.append(f"ConfigMap {name} is immutable; delete it, and create the record again with this module")
    refusal = rollback_refusal(record, wanted, now)
    if refusal and not request.force:
        faults.append(
            f"ConfigMap {name}: {record.active} is active, going back to {record.standby} is a rollback, and {refusal}. "
            "Begin it as a switch (phase: switching), or set force"
        )
    jump = flip_refusal(record, wanted, request.phase)
    if jump and (wanted.phase in IN_HANDOVER or not (request.force or request.expected_epoch is not None)):
        faults.append(f"ConfigMap {name}: {jump}")
    # A hand-over that was begun is always finished: stopping in the middle is worse than any owner.
    if request.on_drift_owner == "fail" and record.phase not in IN_HANDOVER:
        faults += [owner.warning(name) for owner in seen.owners]
    if faults:
        raise _refused(faults, seen.owners, record)


def _first(ports: Ports, name: str, request: RecordRequest, store: Store) -> ActiveRecord:
    """The record of an application that has none: newer than everything that runs of before have left.

    Where it was there once the colour may have been handed offsets that its pods have not begun at yet: they are named again.
    """
    if request.active is None:
        raise InvalidSettingsError(
            [f"ConfigMap {name} does not exist in {ports.cluster.place()}; set active to the colour that processes now"]
        )
    if request.phase not in (None, "stable"):
        raise InvalidSettingsError(
            [
                f"ConfigMap {name} does not exist in {ports.cluster.place()}; the first record is stable, not {request.phase}"
            ]
        )
    runs = store.runs()
    aborted = {run.run_id for run in runs if run.status == "aborted"}
    handed = [(slot, snapshot) for slot, snapshot in store.handed() if snapshot.run_id not in aborted]
    doubt = "" if request.force else _doubt(name, request.active, handed, runs)
    if doubt:
        raise InvalidSettingsError([doubt])
    least = max(1 + store.newest_epoch(runs), request.epoch or 1)
    # Where it was handed nothing its group's commits alone tell.
    mine = [(slot, snapshot.epoch) for slot, snapshot in handed if snapshot.target == request.active]
    snapshot, reign = mine[0] if mine else ("", least)
    first = replace(
        ActiveRecord.first(request.active),
        run_id=request.run_id,
        epoch=least,
        activated_epoch=reign,
        snapshot=snapshot,
    )
    return first if request.rollback_window is None else replace(first, rollback_window=request.rollback_window)


def _doubt(name: str, active: str, handed: t.Sequence[tuple[str, HandoffSnapshot]], runs: t.Sequence[Run]) -> str:
    """Why a record that was there once may not have said that ``active`` is active, or empty.

    handed: the snapshots of runs that were not given up. A run writes its own before it flips.
    """
    if runs:
        last = runs[0]
        wrote = any(snapshot.run_id == last.run_id for _slot, snapshot in handed)
        flipped = last.status == "done" or (last.status != "aborted" and wrote)
        known = last.target if flipped else last.source
        told = f"run {last.run_id} ({last.source} to {last.target}, {last.status}) {'came to' if flipped else 'did not come to'} its flip"
    elif handed:
        newest = handed[0][1]
        known, told = newest.target, f"run {newest.run_id} handed the work over to it"
    else:
        return ""
    if known == active:
        return ""
    return (
        f"ConfigMap {name} does not exist, and was there once: not {active} but {known} may be active, because {told}. Check which "
        f"colour processes; name {known}, or set force if it is {active}"
    )


def _create(ports: Ports, app: str, record: ActiveRecord) -> None:
    name = record_name(app)
    try:
        ports.cluster.create_config_map(name, record.to_data())
    except ClusterError:  # perhaps only the answer was lost
        found = ports.cluster.config_map(name)
        if found is None or dict(found.data) != record.to_data():
            raise


def _of_the_creation(ports: Ports, request: RecordRequest, wanted: ActiveRecord) -> list[str]:
    """What whoever creates a record should look at: perhaps the name is wrong, or the record was there once."""
    name, said = record_name(request.app), []
    if wanted.epoch > 1 and wanted.epoch != request.epoch:
        said.append(
            f"ConfigMap {name} begins at epoch {wanted.epoch}: journal or snapshots of {request.app} know of epoch {wanted.epoch - 1}, "
            "and pods that have seen it never go back"
        )
    if wanted.snapshot:
        said.append(
            f"Pods of {wanted.active} begin where ConfigMap {wanted.snapshot} says, unless they have committed since epoch "
            f"{wanted.activated_epoch}; if they should not, delete that ConfigMap and the record, and create the record again"
        )
    names = [f"{request.app}-{colour}" for colour in COLOURS]
    try:
        if any(ports.cluster.workload(kind, each) for kind in KINDS for each in names):
            return said
    except ClusterError:
        return said  # it takes a right that this module does not need
    said.append(
        f"ConfigMap {name} is created for an application {request.app}, and there is neither a Deployment nor a StatefulSet "
        f"{' or '.join(names)} in its namespace. If its workloads have other names, this is fine; otherwise delete the ConfigMap and the "
        f"Lease {lock_name(request.app)}, and check the name"
    )
    return said


def _result(ports: Ports, request: RecordRequest, seen: Seen, wanted: ActiveRecord) -> dict[str, t.Any]:
    before = seen.record.to_data() if seen.record else None
    warned = () if request.on_drift_owner == "ignore" else seen.owners
    notes = [] if seen.record else _of_the_creation(ports, request, wanted)
    return {
        "changed": wanted != seen.record,
        "created": seen.record is None,
        "active": wanted.active,
        "epoch": wanted.epoch,
        "phase": wanted.phase,
        "record": wanted.to_data(),
        "drift_owners": drift.as_result(seen.owners),
        "warnings": [*notes, *(owner.warning(record_name(request.app)) for owner in warned)],
        "diff": {"before": shown(before), "after": shown(wanted.to_data())},
    }
