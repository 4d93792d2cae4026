# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The stored state of one application: record, journal and snapshots, changed only by compare-and-swap."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.active_record import ActiveRecord, record_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    ClusterError,
    ConflictError,
    InvalidSettingsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.journal import Journal, journal_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.snapshot import (
    Snapshot,
    from_chunks,
    snapshot_name,
    to_chunks,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports

RETRY = 0.2
"""Seconds between two tries of a write whose answer was lost."""


@dataclass(frozen=True)
class StoredRecord:
    """The active record and the version it was read at. metadata: the ConfigMap's, empty for what we wrote ourselves."""

    record: ActiveRecord
    version: str
    metadata: t.Mapping[str, t.Any] = field(default_factory=dict)


class State:
    """Reads and writes the state objects of ``app``. patience: seconds to find out what became of a lost write."""

    def __init__(self, ports: Ports, app: str, patience: float = 10.0) -> None:
        self._ports = ports
        self._app = app
        self._patience = patience
        self._journal_version: str | None = None

    def record(self) -> StoredRecord:
        """The record, read fresh. Raises InvalidSettingsError when it is missing or nonsense."""
        name = record_name(self._app)
        stored = self._ports.cluster.config_map(name)
        if stored is None:
            raise InvalidSettingsError(
                [
                    f"ConfigMap {name} does not exist; create it once with bg_configmap_switch, naming the colour that is active now"
                ]
            )
        return StoredRecord(ActiveRecord.parse(name, stored.data), stored.resource_version, stored.metadata)

    def swap_record(self, stored: StoredRecord, record: ActiveRecord) -> StoredRecord:
        """Replace the record as it was read. Raises ConflictError when somebody changed it.

        An answer that got lost leaves the outcome open, so the same compare-and-swap is sent again: it either lands
        or collides with its own first copy. ClusterError means that the outcome is still unknown.
        """
        name, cluster, clock = record_name(self._app), self._ports.cluster, self._ports.clock
        data = record.to_data()
        deadline = clock.monotonic() + self._patience
        while True:
            try:
                return StoredRecord(record, cluster.replace_config_map(name, data, stored.version).resource_version)
            except ConflictError:
                found = cluster.config_map(name)
                if found is not None and dict(found.data) == data:
                    return StoredRecord(record, found.resource_version)
                raise
            except ClusterError:
                if clock.monotonic() >= deadline:
                    raise
                clock.sleep(RETRY)

    def journal(self) -> Journal:
        """The journal, read fresh; empty when there is none yet."""
        stored = self._ports.cluster.config_map(journal_name(self._app))
        self._journal_version = stored.resource_version if stored else None
        return Journal.parse(journal_name(self._app), stored.data) if stored else Journal()

    def write_journal(self, journal: Journal) -> None:
        """Replace the journal as this object last read or wrote it. Raises ConflictError when another run wrote it."""
        name, data = journal_name(self._app), journal.to_data()
        if self._journal_version is None:
            stored = self._ports.cluster.create_config_map(name, data)
        else:
            stored = self._ports.cluster.replace_config_map(name, data, self._journal_version)
        self._journal_version = stored.resource_version

    def snapshot(self, epoch: int) -> Snapshot | None:
        """The snapshot of the hand-over at ``epoch``, or None when there is no whole one."""
        name = snapshot_name(self._app, epoch)
        first = self._ports.cluster.config_map(name)
        if first is None:
            return None
        chunks: list[t.Mapping[str, str]] = [first.data]
        for index in range(1, int(first.data.get("chunks", "1"))):
            part = self._ports.cluster.config_map(snapshot_name(self._app, epoch, index))
            if part is not None:
                chunks.append(part.data)
        return from_chunks(name, chunks)

    def write_snapshot(self, snapshot: Snapshot) -> str:
        """Store a snapshot, last chunk first, and return its name. The same one twice is fine; another is a conflict."""
        chunks = to_chunks(snapshot)
        for index in range(len(chunks) - 1, -1, -1):
            name = snapshot_name(self._app, snapshot.epoch, index)
            try:
                self._ports.cluster.create_config_map(name, chunks[index], immutable=True)
            except ConflictError:
                found = self._ports.cluster.config_map(name)
                if found is None or dict(found.data) != chunks[index]:
                    raise
        return snapshot_name(self._app, snapshot.epoch)
