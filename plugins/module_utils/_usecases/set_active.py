# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Create or change the active record by compare-and-swap, under the application's lock."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.active_record import ActiveRecord, record_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    ClusterError,
    InvalidSettingsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record_change import (
    change_record,
    check_expected,
    shown,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run_lock import RunLock
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.state import State, StoredRecord

LOCK_TTL = 15
"""Seconds after which the lock of a module that was killed may be taken over."""


@dataclass(frozen=True)
class RecordRequest:
    """What the record of ``app`` shall be; None leaves a value as it is. expected_*: what it must be to be changed."""

    app: str
    run_id: str
    active: str | None = None
    phase: str | None = None
    rollback_window: int | None = None
    expected_active: str | None = None
    expected_epoch: int | None = None
    lock_timeout: float = 60.0


def set_active(ports: Ports, request: RecordRequest, check: bool = False) -> dict[str, t.Any]:
    """The module's result. Nothing, not even the lock, is written when the record is as wanted or in check mode.

    Raises ConflictError when the record is not as expected, LockedError when another run works on the application.
    """
    stored = _read(ports, request.app)
    wanted = _wanted(ports, request, stored)
    if check or (stored is not None and wanted == stored.record):
        return _result(stored, wanted)
    lock = RunLock(ports, request.app, request.run_id, LOCK_TTL)
    lock.acquire(request.lock_timeout)
    try:
        stored = _read(ports, request.app)  # the run we may have waited for can have changed it
        wanted = _wanted(ports, request, stored)
        if stored is None:
            _create(ports, request.app, wanted)
        elif wanted != stored.record:
            State(ports, request.app).swap_record(stored, wanted)
        return _result(stored, wanted)
    finally:
        try:
            if not lock.was_ours:
                lock.release()
        except BlueGreenError:
            pass  # it expires by itself; what was done, or failed, counts


def _read(ports: Ports, app: str) -> StoredRecord | None:
    if ports.cluster.config_map(record_name(app)) is None:
        return None
    return State(ports, app).record()


def _wanted(ports: Ports, request: RecordRequest, stored: StoredRecord | None) -> ActiveRecord:
    name = record_name(request.app)
    if stored is None:
        check_expected(name, None, request.expected_active, request.expected_epoch)
        return _first(name, request)
    wanted = change_record(
        stored.record, request.active, request.phase, request.rollback_window, ports.clock.now(), request.run_id
    )
    if wanted != stored.record:
        check_expected(name, stored.record, request.expected_active, request.expected_epoch)
    return wanted


def _first(name: str, request: RecordRequest) -> ActiveRecord:
    if request.active is None:
        raise InvalidSettingsError([f"ConfigMap {name} does not exist; set active to the colour that processes now"])
    if request.phase not in (None, "stable"):
        raise InvalidSettingsError(
            [f"ConfigMap {name} does not exist; the first record is stable, not {request.phase}"]
        )
    first = replace(ActiveRecord.first(request.active), run_id=request.run_id)
    return first if request.rollback_window is None else replace(first, rollback_window=request.rollback_window)


def _create(ports: Ports, app: str, record: ActiveRecord) -> None:
    name = record_name(app)
    try:
        ports.cluster.create_config_map(name, record.to_data())
    except ClusterError:  # perhaps only the answer was lost
        found = ports.cluster.config_map(name)
        if found is None or dict(found.data) != record.to_data():
            raise


def _result(stored: StoredRecord | None, wanted: ActiveRecord) -> dict[str, t.Any]:
    before = stored.record.to_data() if stored else None
    return {
        "changed": stored is None or wanted != stored.record,
        "created": stored is None,
        "active": wanted.active,
        "epoch": wanted.epoch,
        "phase": wanted.phase,
        "record": wanted.to_data(),
        "diff": {"before": shown(before), "after": shown(wanted.to_data())},
    }
