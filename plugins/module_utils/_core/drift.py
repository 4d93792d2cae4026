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

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.active_record import KEYS

CONTINUOUSLY = "continuously"
"""By itself, at any time."""
ON_DEPLOY = "on_deploy"
"""When somebody deploys, upgrades or applies the next time."""
NEVER = "never"
"""It manages the object, and is told to leave the record's keys alone."""

OURS = "streamops.bluegreen"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
TRACKING_ID = "argocd.argoproj.io/tracking-id"
_FLUX = "kustomize.toolkit.fluxcd.io"
_FLUX_HELM = "helm.toolkit.fluxcd.io"
_HELM = "meta.helm.sh"
_APPLIERS = ("argocd", "kustomize-controller", "helm", "kapp", "terraform", "pulumi", "fleet", "configsync")
"""Managers that write their whole intent again, also where managedFields calls it an update; matched as prefixes."""

Metadata = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class DriftOwner:
    """owner: who, with its name. evidence: where it is written. keys: of the record, as far as seen to be declared.

    reverts: when it writes its own values again (continuously, on_deploy, never). advice: what to do about it.
    """

    owner: str
    evidence: tuple[str, ...]
    keys: tuple[str, ...]
    reverts: str
    advice: str = ""

    def warning(self, name: str) -> str:
        """For a person."""
        when = {CONTINUOUSLY: "by itself at any time", ON_DEPLOY: "when it is deployed the next time"}[self.reverts]
        which = f" (it declares {', '.join(self.keys)})" if self.keys else ""
        return (
            f"ConfigMap {name} is managed by {self.owner} too{which}: {'; '.join(self.evidence)}. It may write the record "
            f"back {when}, and then pods of both colours can process. {self.advice}"
        )


def drift_owners(metadata: Metadata) -> list[DriftOwner]:
    """Everybody who manages the ConfigMap beside us. metadata: as Kubernetes stores it."""
    found = [owner for look in (_argo_cd, _flux, _helm, _kubectl, _controller) if (owner := look(metadata)) is not None]
    said = " ".join(owner.owner.lower() for owner in found)
    return found + [owner for owner in _managers(metadata) if not _is_named(owner.owner, said)]


def reverting(owners: t.Iterable[DriftOwner]) -> list[DriftOwner]:
    """Those that do it."""
    return [owner for owner in owners if owner.reverts != NEVER]


def as_result(owners: t.Iterable[DriftOwner]) -> list[dict[str, t.Any]]:
    """JSON-ready."""
    return [{**asdict(owner), "evidence": list(owner.evidence), "keys": list(owner.keys)} for owner in owners]


def _argo_cd(metadata: Metadata) -> DriftOwner | None:
    labels, annotations = _labels(metadata), _annotations(metadata)
    application, evidence = labels.get("argocd.argoproj.io/instance", ""), []
    if application:
        evidence.append(f"label argocd.argoproj.io/instance={application}")
    tracking = annotations.get(TRACKING_ID, "")
    # Argo CD itself ignores an id that names another object: it was copied with the annotations.
    if tracking.endswith(f"/ConfigMap:{metadata.get('namespace', '')}/{metadata.get('name', '')}"):
        application = tracking.split(":")[0]
        evidence.append(f"annotation {TRACKING_ID}={tracking}")
    if not evidence:
        return None
    applied = _last_applied(metadata)
    applied_by_argo = TRACKING_ID in (applied.get("metadata") or {}).get("annotations", {})
    keys = _declared(applied) if applied_by_argo else _owned(metadata, "argocd")
    if applied_by_argo and not keys:
        return DriftOwner(
            f"Argo CD application {application}", (*evidence, "what it applied has no key of the record"), (), NEVER
        )
    return DriftOwner(
        f"Argo CD application {application}",
        tuple(evidence),
        keys,
        CONTINUOUSLY,
        "In that Application, let ignoreDifferences name /data of this ConfigMap and set the sync option "
        "RespectIgnoreDifferences=true, or take the record out of Git; then say so with on_drift_owner: ignore.",
    )


def _flux(metadata: Metadata) -> DriftOwner | None:
    labels, annotations = _labels(metadata), _annotations(metadata)
    if name := labels.get(f"{_FLUX}/name"):
        who = f"Flux Kustomization {labels.get(f'{_FLUX}/namespace', '?')}/{name}"
        evidence = [f"label {_FLUX}/name={name}"]
        for key, values in (("reconcile", ("disabled",)), ("ssa", ("ifnotpresent", "ignore"))):
            said = annotations.get(f"{_FLUX}/{key}", "")
            if said.lower() in values:
                return DriftOwner(who, (*evidence, f"annotation {_FLUX}/{key}={said}"), (), NEVER)
        return DriftOwner(
            who,
            tuple(evidence),
            _owned(metadata, "kustomize-controller"),
            CONTINUOUSLY,
            f"In Git, give the ConfigMap the annotation {_FLUX}/ssa: IfNotPresent, or take it out.",
        )
    if name := labels.get(f"{_FLUX_HELM}/name"):
        return DriftOwner(
            f"Flux HelmRelease {labels.get(f'{_FLUX_HELM}/namespace', '?')}/{name}",
            (f"label {_FLUX_HELM}/name={name}",),
            _owned(metadata, "helm"),
            ON_DEPLOY,
            "Take the record out of the chart. With spec.driftDetection.mode: enabled it is even written back by itself, "
            "unless spec.driftDetection.ignore names /data of this ConfigMap.",
        )
    return None


def _helm(metadata: Metadata) -> DriftOwner | None:
    labels, annotations = _labels(metadata), _annotations(metadata)
    release = annotations.get(f"{_HELM}/release-name")
    by_label = labels.get("app.kubernetes.io/managed-by") == "Helm"
    if not (release or by_label) or labels.get(f"{_FLUX_HELM}/name"):
        return None
    evidence = f"annotation {_HELM}/release-name={release}" if release else "label app.kubernetes.io/managed-by=Helm"
    return DriftOwner(
        f"Helm release {annotations.get(f'{_HELM}/release-namespace', '?')}/{release or '?'}",
        (evidence,),
        _owned(metadata, "helm"),
        ON_DEPLOY,
        "Take the record out of the chart, with the annotation helm.sh/resource-policy: keep before that, so that the "
        "upgrade does not delete it.",
    )


def _kubectl(metadata: Metadata) -> DriftOwner | None:
    applied = _last_applied(metadata)
    keys = _declared(applied)
    if not keys or TRACKING_ID in (applied.get("metadata") or {}).get("annotations", {}):
        return None
    return DriftOwner(
        "kubectl apply",
        (f"annotation {LAST_APPLIED}",),
        keys,
        ON_DEPLOY,
        f"Do not apply that manifest again; kubectl annotate configmap {metadata.get('name', '')} {LAST_APPLIED}- "
        "forgets that it was applied.",
    )


def _controller(metadata: Metadata) -> DriftOwner | None:
    for owner in metadata.get("ownerReferences") or []:
        if owner.get("controller"):
            return DriftOwner(
                f"the controller of {owner.get('kind')} {owner.get('name')}",
                ("ownerReferences with controller: true",),
                (),
                CONTINUOUSLY,
                "Let the record be created by this collection, under no controller.",
            )
    return None


def _managers(metadata: Metadata) -> t.Iterator[DriftOwner]:
    """Who owns keys of the record by managedFields, and will declare them again."""
    seen: set[str] = set()
    for entry in metadata.get("managedFields") or []:
        manager, applies = str(entry.get("manager", "")), entry.get("operation") == "Apply"
        keys = _data_keys(entry)
        if manager in (OURS, *seen) or not keys or not (applies or manager.lower().startswith(_APPLIERS)):
            continue
        seen.add(manager)
        yield DriftOwner(
            f"field manager {manager}",
            (f"managedFields: {manager} ({entry.get('operation')}) owns data.{', data.'.join(keys)}",),
            keys,
            ON_DEPLOY,
            "Let it declare the ConfigMap without these keys, or not at all.",
        )


def _is_named(manager: str, said: str) -> bool:
    """A manager that belongs to a tool which was found by its label or annotation already."""
    name = manager.removeprefix("field manager ").lower()
    tools = {"argocd": "argo cd", "kustomize-controller": "flux", "helm": "helm", "kubectl": "kubectl"}
    return any(name.startswith(prefix) and tool in said for prefix, tool in tools.items())


def _owned(metadata: Metadata, manager: str) -> tuple[str, ...]:
    """Keys of the record that managers of this prefix own."""
    entries = metadata.get("managedFields") or []
    found = {k for e in entries if str(e.get("manager", "")).startswith(manager) for k in _data_keys(e)}
    return tuple(key for key in KEYS if key in found)


def _data_keys(entry: Metadata) -> tuple[str, ...]:
    fields = ((entry.get("fieldsV1") or {}).get("f:data")) or {}
    return tuple(key for key in KEYS if f"f:{key}" in fields)


def _declared(applied: Metadata) -> tuple[str, ...]:
    return tuple(key for key in KEYS if key in (applied.get("data") or {}))


def _last_applied(metadata: Metadata) -> dict[str, t.Any]:
    """The manifest that a client-side apply left, or nothing."""
    try:
        applied = json.loads(_annotations(metadata).get(LAST_APPLIED, "{}"))
    except ValueError:
        return {}
    return applied if isinstance(applied, dict) else {}


def _labels(metadata: Metadata) -> t.Mapping[str, str]:
    return metadata.get("labels") or {}


def _annotations(metadata: Metadata) -> t.Mapping[str, str]:
    return metadata.get("annotations") or {}
