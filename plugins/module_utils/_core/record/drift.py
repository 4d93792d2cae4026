# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Who else may write the active record back to what it was, read from its metadata. No I/O.

A tool that reverts the record behind a switch lets pods that start then process for the old colour: both colours work.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import KEYS

OURS = "streamops.bluegreen"
BY_HAND = "kubectl"
"""Field managers of this prefix change a field when somebody types it, and do not repeat it; what was applied is told below."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MANAGED_BY = "f:app.kubernetes.io/managed-by"

Metadata = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class DriftOwner:
    """owner: who. evidence: where it is written. declares: keys of the record, as far as seen to be declared."""

    owner: str
    evidence: str
    declares: tuple[str, ...]

    def warning(self, name: str) -> str:
        """For a person."""
        which = f" (it declares {', '.join(self.declares)})" if self.declares else ""
        return (
            f"ConfigMap {name} is managed by {self.owner} too{which}: {self.evidence}. It may revert the record, and then pods "
            "of both colours can process. Let it declare the ConfigMap without the keys of the record, or not at all; if it was "
            "told to leave them alone, say so with on_drift_owner: ignore"
        )


def drift_owners(metadata: Metadata) -> list[DriftOwner]:
    """Everybody who manages the ConfigMap beside us. metadata: as Kubernetes stores it.

    Our write makes the keys that it changes ours, so a server-side apply that declared them leaves no trace of it: whoever
    applies anything counts. An update counts when it owns a key of the record, or says of itself that it manages the object.
    """
    found: dict[str, DriftOwner] = {}
    declared = _declared(metadata)
    if declared:
        found[LAST_APPLIED] = DriftOwner("kubectl apply", f"annotation {LAST_APPLIED}", declared)
    for entry in metadata.get("managedFields") or []:
        manager, operation = str(entry.get("manager", "")), str(entry.get("operation", ""))
        applies = operation == "Apply"
        fields = entry.get("fieldsV1") or {}
        keys = tuple(key for key in KEYS if f"f:{key}" in (fields.get("f:data") or {}))
        manages = MANAGED_BY in ((fields.get("f:metadata") or {}).get("f:labels") or {})
        if manager == OURS or not (applies or ((keys or manages) and not manager.startswith(BY_HAND))):
            continue
        said = f"managedFields: {operation} by {manager}" + (f" of data.{', data.'.join(keys)}" if keys else "")
        found.setdefault(manager, DriftOwner(f"field manager {manager}", said, keys))
    return list(found.values())


def as_result(owners: t.Iterable[DriftOwner]) -> list[dict[str, t.Any]]:
    """JSON-ready."""
    return [{**asdict(owner), "declares": list(owner.declares)} for owner in owners]


def _declared(metadata: Metadata) -> tuple[str, ...]:
    """Keys of the record in the manifest that a client-side apply left."""
    try:
        applied = json.loads((metadata.get("annotations") or {}).get(LAST_APPLIED, "{}"))
        return tuple(key for key in KEYS if key in (applied.get("data") or {}))
    except (ValueError, AttributeError, TypeError):
        return ()
