# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who else manages the record, read from metadata as the tools leave it."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.drift import as_result, drift_owners

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
RECORD = ActiveRecord.first("blue").to_data()
MANAGED_BY = ("f:app.kubernetes.io/managed-by",)


def managed(manager: str, operation: str, *keys: str, labels: t.Collection[str] = ("f:team",)) -> dict[str, t.Any]:
    fields = {
        "f:data": {".": {}, **{f"f:{key}": {} for key in keys}},
        "f:metadata": {"f:labels": {label: {} for label in labels}},
    }
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def applied(data: t.Mapping[str, str]) -> dict[str, str]:
    return {LAST_APPLIED: json.dumps({"kind": "ConfigMap", "metadata": {}, "data": dict(data)})}


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"labels": None, "annotations": None, "managedFields": None},
        # Labels alone say nothing: half of all manifests carry them.
        {"labels": {"app.kubernetes.io/instance": "orders", "app.kubernetes.io/managed-by": "Helm"}},
        # Somebody edited a key once; he does not do it again by himself.
        {"managedFields": [managed("kubectl-edit", "Update", "active"), managed("kubectl-patch", "Update", "epoch")]},
        {"managedFields": [managed("kubectl-create", "Update", "active", labels=MANAGED_BY)]},
        {"managedFields": [managed("streamops.bluegreen", op, "active") for op in ("Apply", "Update")]},
        # Others write their own keys.
        {"managedFields": [managed("team-a-controller", "Update", "owner"), {"manager": "x", "operation": "Update"}]},
        {"annotations": applied({"owner": "team-a"})},
        {"annotations": {LAST_APPLIED: "not json"}},
        {"annotations": {LAST_APPLIED: "[]"}},
        {"annotations": {LAST_APPLIED: '{"data": 1}'}},
    ],
)
def test_nobody(metadata: dict[str, t.Any]) -> None:
    assert drift_owners(metadata) == []


@pytest.mark.parametrize(
    ("entry", "keys"),
    [
        (managed("kustomize-controller", "Apply", "active", "epoch"), ("active", "epoch")),
        # What it declared of the record is ours since we changed it, and it declares it again all the same.
        (managed("argocd-controller", "Apply", "owner"), ()),
        (managed("kubectl", "Apply", "active"), ("active",)),
        (managed("Terraform", "Update", "phase"), ("phase",)),
        (managed("helm", "Update", "rollback-window"), ("rollback-window",)),
        (managed("helm", "Update", labels=MANAGED_BY), ()),
    ],
)
def test_a_field_manager(entry: dict[str, t.Any], keys: tuple[str, ...]) -> None:
    ours = managed("streamops.bluegreen", "Update", "active", "epoch")
    (found,) = drift_owners({"managedFields": [ours, entry]})
    assert (found.owner, found.declares) == (f"field manager {entry['manager']}", keys)
    assert f"{entry['operation']} by {entry['manager']}" in found.evidence


def test_what_was_applied_by_kubectl() -> None:
    """It goes on declaring what we have changed since."""
    fields = [managed("kubectl-client-side-apply", "Update", "active")]
    (found,) = drift_owners({"annotations": applied(RECORD), "managedFields": fields})
    assert (found.owner, found.declares) == ("kubectl apply", tuple(RECORD))


def test_more_than_one_and_each_once() -> None:
    fields = [
        managed("flux", "Apply", "active"),
        managed("flux", "Update", "epoch"),
        managed("helm", "Update", "phase"),
    ]
    found = drift_owners({"annotations": applied(RECORD), "managedFields": fields})
    assert [owner.owner for owner in found] == ["kubectl apply", "field manager flux", "field manager helm"]


def test_for_people_and_for_machines() -> None:
    (found,) = drift_owners({"managedFields": [managed("flux", "Apply", "active", "epoch")]})
    said = found.warning("app-active-version")
    assert said.startswith(
        "ConfigMap app-active-version is managed by field manager flux too (it declares active, epoch): "
    )
    assert "say so with on_drift_owner: ignore" in said
    assert json.loads(json.dumps(as_result([found]))) == [
        {
            "owner": "field manager flux",
            "evidence": "managedFields: Apply by flux of data.active, data.epoch",
            "declares": ["active", "epoch"],
        }
    ]
