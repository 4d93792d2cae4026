# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""What the API server answers, as values of the domain. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import (
    LeaseState,
    Pod,
    StoredObject,
    Workload,
)

CANNOT_RUN = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)

Object = dict[str, t.Any]


def to_stored(item: Object) -> StoredObject:
    """A ConfigMap."""
    metadata = item["metadata"]
    return StoredObject(
        name=metadata["name"],
        data=item.get("data") or {},
        resource_version=metadata["resourceVersion"],
        metadata=metadata,
        immutable=bool(item.get("immutable")),
    )


def to_lease(item: Object) -> LeaseState:
    """A Lease."""
    spec, metadata = item.get("spec") or {}, item["metadata"]
    duration = int(spec.get("leaseDurationSeconds") or 0)
    return LeaseState(
        metadata["name"],
        spec.get("holderIdentity") or "",
        duration,
        spec.get("renewTime") or "",
        metadata["resourceVersion"],
    )


def to_workload(kind: str, item: Object) -> Workload:
    """A Deployment or StatefulSet."""
    metadata, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    return Workload(
        kind=kind,
        name=metadata["name"],
        uid=metadata["uid"],
        replicas=int(spec.get("replicas", 1)),
        ready=int(status.get("readyReplicas") or 0),
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        selector=selector(spec.get("selector") or {}),
    )


def selector(wanted: t.Mapping[str, t.Any]) -> str:
    """A LabelSelector as the API server's labelSelector parameter takes it."""
    terms = [f"{key}={value}" for key, value in (wanted.get("matchLabels") or {}).items()]
    for expression in wanted.get("matchExpressions") or []:
        key, operator, values = expression["key"], expression["operator"], ",".join(expression.get("values") or [])
        terms.append(
            {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}.get(operator, f"!{key}")
        )
    return ",".join(terms)


def owners(item: Object) -> set[str]:
    """Uids of the objects that own this one."""
    return {owner["uid"] for owner in item["metadata"].get("ownerReferences") or []}


def to_pod(item: Object) -> Pod:
    """A pod."""
    metadata, status = item["metadata"], item.get("status") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or []}
    return Pod(
        name=metadata["name"],
        uid=metadata["uid"],
        ip=status.get("podIP") or "",
        phase=status.get("phase") or "Unknown",
        ready=conditions.get("Ready", {}).get("status") == "True",
        terminating="deletionTimestamp" in metadata,
        problem=problem_of(status, conditions),
    )


def problem_of(status: Object, conditions: t.Mapping[str, Object]) -> str:
    """Why a pod cannot run, in Kubernetes' words, or empty."""
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("reason") == "Unschedulable":
        return f"Unschedulable: {scheduled.get('message', '')}"
    for container in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in CANNOT_RUN:
            said = f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
            died = container.get("lastState", {}).get("terminated")
            return (
                f"{said} (last exit: code {died.get('exitCode')}, {died.get('message') or died.get('reason')})"
                if died
                else said
            )
    return ""
