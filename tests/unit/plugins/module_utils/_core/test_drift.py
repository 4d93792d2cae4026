# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who else manages the record, read from metadata as the tools leave it."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.active_record import ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.drift import (
    DriftOwner,
    as_result,
    drift_owners,
    reverting,
)

NAME = {"name": "app-active-version", "namespace": "orders"}
TRACKING = "argocd.argoproj.io/tracking-id"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
FLUX = {"kustomize.toolkit.fluxcd.io/name": "orders", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
RECORD = ActiveRecord.first("blue").to_data()


def meta(labels: t.Any = None, annotations: t.Any = None, **more: t.Any) -> dict[str, t.Any]:
    return {**NAME, "labels": labels, "annotations": annotations, **more}


def managed(manager: str, operation: str, *keys: str, **more: t.Any) -> dict[str, t.Any]:
    return {
        "manager": manager,
        "operation": operation,
        "fieldsV1": {"f:data": {".": {}, **{f"f:{key}": {} for key in keys}}, "f:metadata": {"f:labels": {}}},
        **more,
    }


def tracked(name: str = "app-active-version", application: str = "orders") -> dict[str, str]:
    return {TRACKING: f"{application}:/ConfigMap:orders/{name}"}


def applied(data: t.Mapping[str, str], annotations: t.Any = None) -> dict[str, str]:
    manifest = {"kind": "ConfigMap", "metadata": {"annotations": annotations or {}}, "data": dict(data)}
    return {LAST_APPLIED: json.dumps(manifest)}


def only(metadata: t.Mapping[str, t.Any]) -> DriftOwner:
    (found,) = drift_owners(metadata)
    return found


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        meta({"app.kubernetes.io/managed-by": "streamops.bluegreen"}),
        # The label of Helm charts and of old Argo CD alone says nothing: half of all manifests carry it.
        meta({"app.kubernetes.io/instance": "orders", "app.kubernetes.io/part-of": "orders"}),
        # Somebody edited a key once; he does not do it again by himself.
        meta(managedFields=[managed("kubectl-edit", "Update", "active"), managed("kubectl-patch", "Update", "epoch")]),
        meta(managedFields=[managed("streamops.bluegreen", "Apply", "active")]),
        # Others apply their own keys.
        meta(managedFields=[managed("argocd-controller", "Apply", "owner"), {"manager": "x", "operation": "Apply"}]),
        meta(annotations=applied({"owner": "team-a"})),
        meta(annotations={LAST_APPLIED: "not json"}),
        meta(annotations={LAST_APPLIED: "[]"}),
        # Copied from another object together with its annotations.
        meta(annotations=tracked("other")),
        meta(ownerReferences=[{"kind": "Shop", "name": "s"}]),
    ],
)
def test_nobody(metadata: dict[str, t.Any]) -> None:
    assert drift_owners(metadata) == []


def test_argo_cd_by_annotation() -> None:
    found = only(meta(annotations=tracked()))
    assert (found.owner, found.reverts, found.keys) == ("Argo CD application orders", "continuously", ())
    assert "RespectIgnoreDifferences=true" in found.advice


def test_argo_cd_by_label() -> None:
    assert only(meta({"argocd.argoproj.io/instance": "orders"})).owner == "Argo CD application orders"


def test_argo_cd_says_what_it_applied() -> None:
    whole = meta(annotations={**tracked(), **applied(RECORD, tracked())})
    assert only(whole).keys == tuple(RECORD)
    assert only(whole).reverts == "continuously"
    rest = meta(annotations={**tracked(), **applied({"owner": "team-a"}, tracked())})
    assert (only(rest).reverts, only(rest).keys) == ("never", ())
    by_server = meta(annotations=tracked(), managedFields=[managed("argocd-controller", "Apply", "active", "owner")])
    assert (only(by_server).reverts, only(by_server).keys) == ("continuously", ("active",))


@pytest.mark.parametrize(
    ("annotations", "reverts"),
    [
        ({}, "continuously"),
        ({"kustomize.toolkit.fluxcd.io/ssa": "Merge"}, "continuously"),
        ({"kustomize.toolkit.fluxcd.io/prune": "disabled"}, "continuously"),
        ({"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}, "never"),
        ({"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}, "never"),
        ({"kustomize.toolkit.fluxcd.io/ssa": "Ignore"}, "never"),
    ],
)
def test_flux(annotations: dict[str, str], reverts: str) -> None:
    found = only(meta(FLUX, annotations, managedFields=[managed("kustomize-controller", "Apply", "active")]))
    assert (found.owner, found.reverts) == ("Flux Kustomization flux-system/orders", reverts)
    assert reverting([found]) == ([] if reverts == "never" else [found])


def test_helm_of_itself_and_by_flux() -> None:
    release = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "orders"}
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    found = only(meta(labels, release, managedFields=[managed("helm", "Update", "active", "phase")]))
    assert (found.owner, found.reverts, found.keys) == ("Helm release orders/shop", "on_deploy", ("active", "phase"))
    assert only(meta(labels)).owner == "Helm release ?/?"
    by_flux = {**labels, "helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "flux-system"}
    assert only(meta(by_flux, release)).owner == "Flux HelmRelease flux-system/shop"


def test_kubectl_apply() -> None:
    found = only(
        meta(annotations=applied(RECORD), managedFields=[managed("kubectl-client-side-apply", "Update", "active")])
    )
    assert (found.owner, found.reverts, found.keys) == ("kubectl apply", "on_deploy", tuple(RECORD))
    assert f"kubectl annotate configmap app-active-version {LAST_APPLIED}-" in found.advice


def test_field_managers_that_declare_keys_of_the_record() -> None:
    fields = [
        managed("kubectl", "Apply", "active"),
        managed("kubectl", "Apply", "epoch"),
        managed("Terraform", "Update", "phase"),
        managed("streamops.bluegreen", "Update", "active", "epoch"),
    ]
    found = drift_owners(meta(managedFields=fields))
    assert [(owner.owner, owner.keys, owner.reverts) for owner in found] == [
        ("field manager kubectl", ("active",), "on_deploy"),
        ("field manager Terraform", ("phase",), "on_deploy"),
    ]


def test_a_controller_and_more_than_one_owner() -> None:
    both = meta(FLUX, applied(RECORD), ownerReferences=[{"kind": "Shop", "name": "s", "controller": True}])
    assert [owner.owner for owner in drift_owners(both)] == [
        "Flux Kustomization flux-system/orders",
        "kubectl apply",
        "the controller of Shop s",
    ]


def test_for_people_and_for_machines() -> None:
    found = only(meta(annotations={**tracked(), **applied(RECORD, tracked())}))
    said = found.warning("app-active-version")
    assert "managed by Argo CD application orders too (it declares active, epoch" in said
    assert "write the record back by itself at any time" in said
    assert json.loads(json.dumps(as_result([found])))[0]["evidence"][0].startswith("annotation argocd")
