# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The stored state of one application: record, journal and snapshots, changed only by compare-and-swap."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import StoredObject
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    ClusterError,
    ConflictError,
    InvalidSettingsError,
    OffsetsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import (
    ActiveRecord,
    record_name,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.handoff_snapshot import (
    MOST_CHUNKS,
    SLOTS,
    HandoffSnapshot,
    chunk_name,
    free_slot,
    from_chunks,
    snapshot_name,
    to_chunks,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import Journal, Run, journal_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.looks import looks

RETRY = 0.2
"""Seconds between two tries of a write whose answer was lost."""


@dataclass(frozen=True)
class StoredRecord:
    """The active record and the version it was read at. metadata: the ConfigMap's, empty for what we wrote ourselves."""

    record: ActiveRecord
    version: str
    metadata: t.Mapping[str, t.Any] = field(default_factory=dict)
    immutable: bool = False


class Store:
    """Reads and writes the state objects of ``app``. patience: seconds to find out what became of a lost write."""

    def __init__(self, ports: Ports, app: str, patience: float = 10.0) -> None:
        self._ports = ports
        self._app = app
        self._patience = patience
        self._journal_version: str | None = None
        self._reserved: dict[str, str] = {}

    def record(self) -> StoredRecord:
        """The record, read fresh. Raises InvalidSettingsError when it is missing or nonsense."""
        name = record_name(self._app)
        stored = self._ports.cluster.config_map(name)
        if stored is None:
            fault = f"ConfigMap {name} does not exist in {self._ports.cluster.place()}; create it once with bg_configmap_switch"
            raise InvalidSettingsError([f"{fault}, naming the colour that is active now"])
        return StoredRecord(
            ActiveRecord.parse(name, stored.data), stored.resource_version, stored.metadata, stored.immutable
        )

    def swap_record(self, stored: StoredRecord, record: ActiveRecord) -> StoredRecord:
        """Replace the record as it was read. Raises ConflictError when somebody changed it, ClusterError when it is
        unknown what became of the write.
        """
        stored_now = self._replace(record_name(self._app), record.to_data(), stored.version)
        return StoredRecord(record, stored_now.resource_version)

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
            stored = self._replace(name, data, self._journal_version)
        self._journal_version = stored.resource_version

    def snapshot(self, record: ActiveRecord) -> HandoffSnapshot | None:
        """What the active colour was handed when it became active; None where the record names no snapshot.

        Raises OffsetsError when the one that it names is missing, not whole, or of another hand-over.
        """
        if not record.snapshot:
            return None
        snapshot = self.stored_snapshot(record.snapshot)
        if snapshot.epoch != record.activated_epoch or snapshot.target != record.active:
            raise OffsetsError(
                f"ConfigMap {record.snapshot} is of the hand-over to {snapshot.target} at epoch {snapshot.epoch}, the active record "
                f"names it for {record.active} at epoch {record.activated_epoch}: somebody wrote to one of the two"
            )
        return snapshot

    def stored_snapshot(self, name: str) -> HandoffSnapshot:
        """The snapshot of that name, whatever it is of. Raises OffsetsError when it is missing or not whole."""
        chunks: list[t.Mapping[str, str]] = []
        for index in range(MOST_CHUNKS):
            part = chunk_name(name, index)
            found = self._ports.cluster.config_map(part)
            if found is None:
                raise OffsetsError(f"ConfigMap {part} does not exist, so the snapshot that it is part of is not known")
            chunks.append(found.data)
            most = chunks[0].get("chunks") or "1"
            if not most.isdigit():
                raise OffsetsError(f"ConfigMap {name} is not a whole snapshot: it has {most!r} chunks")
            if len(chunks) >= int(most):
                break
        return from_chunks(name, chunks)

    def runs(self) -> list[Run]:
        """The runs in the journal, the last one first; none where it is nonsense, which stops whoever needs the journal."""
        try:
            journal = self.journal()
        except InvalidSettingsError:
            return []
        return [run for run in (journal.current, *journal.history) if run is not None]

    def newest_epoch(self, runs: t.Iterable[Run]) -> int:
        """The newest epoch that these runs and the snapshots know of: the record was there once. 0 where there is nothing."""
        epochs = [0, *(run.base_epoch + 2 for run in runs)]
        for slot in SLOTS:
            found = self._ports.cluster.config_map(snapshot_name(self._app, slot))
            text = found.data.get("epoch", "") if found else ""
            epochs.append(int(text) if text.isdigit() else 0)
        return max(epochs)

    def handed(self) -> list[tuple[str, HandoffSnapshot]]:
        """The whole snapshots of both slots with their names, the newest first."""
        found = []
        for slot in SLOTS:
            name = snapshot_name(self._app, slot)
            try:
                found.append((name, self.stored_snapshot(name)))
            except OffsetsError:
                continue  # missing, reserved and not written, or not whole
        return sorted(found, key=lambda one: -one[1].epoch)

    def reserve_snapshot(self, record: ActiveRecord, chunks: int) -> None:
        """Make sure that the ConfigMaps of the slot that the record does not name exist, and remember their versions.

        Before the record is armed: whatever may be refused (a quota, a right) is refused while the source is at work, and a
        run that slept and was taken over finds at its write that the versions have moved on.
        """
        name = free_slot(self._app, record.snapshot)
        for index in range(min(chunks, MOST_CHUNKS)):
            part = chunk_name(name, index)
            found = self._ports.cluster.config_map(part)
            if found is None:
                found = self._ports.cluster.create_config_map(part, {"epoch": "0", "run-id": ""})
            self._reserved[part] = found.resource_version

    def write_snapshot(self, record: ActiveRecord, snapshot: HandoffSnapshot) -> str:
        """Store a snapshot in the reserved slot, part 0 last, and return its name. Raises ConflictError when it was written
        to since it was reserved.
        """
        name, cluster = free_slot(self._app, record.snapshot), self._ports.cluster
        chunks = to_chunks(snapshot)
        for index in range(len(chunks) - 1, -1, -1):
            part = chunk_name(name, index)
            if part not in self._reserved:  # more partitions than when it was reserved
                found = cluster.config_map(part) or cluster.create_config_map(part, {"epoch": "0", "run-id": ""})
                self._reserved[part] = found.resource_version
            stored = self._replace(part, chunks[index], self._reserved[part])
            self._reserved[part] = stored.resource_version
        return name

    def _replace(self, name: str, data: t.Mapping[str, str], version: str) -> StoredObject:
        """Compare and swap; a write whose answer was lost is sent again: it either lands or meets its own first copy.

        Raises ConflictError when somebody else changed the object, ClusterError when the outcome is still unknown.
        """
        cluster = self._ports.cluster
        for _look in looks(self._ports.clock, self._patience, RETRY):
            try:
                return cluster.replace_config_map(name, data, version)
            except ConflictError:
                found = cluster.config_map(name)
                if found is not None and dict(found.data) == dict(data):
                    return found
                raise
            except ClusterError as error:
                unknown = error
        raise unknown
