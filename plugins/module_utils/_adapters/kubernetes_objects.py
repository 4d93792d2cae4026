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
    Scaler,
    StoredObject,
    Workload,
)

MANAGER = "streamops.bluegreen"
"""The field manager by which our writes are known."""
KEDA = "autoscaling.keda.sh"
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
        selector=selector(spec.get("selector") or {}),
        outdated=outdated(metadata, spec, status),
        scaled_by=scaled_by(metadata),
        grace=int(_pod_spec(spec).get("terminationGracePeriodSeconds", 30)),
        ordered=kind == "StatefulSet" and spec.get("podManagementPolicy") != "Parallel",
    )


def _pod_spec(spec: Object) -> Object:
    found: Object = (spec.get("template") or {}).get("spec") or {}
    return found


def outdated(metadata: Object, spec: Object, status: Object) -> str:
    """Why pods of an older template may be among the workload's, in one sentence, or empty."""
    wanted, updated = int(spec.get("replicas", 1)), int(status.get("updatedReplicas") or 0)
    strategy = spec.get("updateStrategy") or {}
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    reasons = []
    if int(status.get("observedGeneration") or 0) < int(metadata.get("generation") or 0):
        reasons.append("its controller has not seen its last change yet")
    elif updated < wanted:
        reasons.append(f"{updated} of {wanted} pods run its template")
    if spec.get("paused"):
        reasons.append("its rollout is paused")
    elif reasons and strategy.get("type") == "OnDelete":
        reasons.append("pods are only replaced when somebody deletes them (OnDelete)")
    elif reasons and partition:
        reasons.append(f"only pods from {partition} on are updated (partition)")
    return ", ".join(reasons)


def scaled_by(metadata: Object) -> tuple[str, ...]:
    """Field managers other than ours that own ``spec.replicas``."""
    names = []
    for entry in metadata.get("managedFields") or []:
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {}) and entry.get("manager") != MANAGER:
            name = str(entry.get("manager"))
            names.append(f"{name} (an autoscaler)" if name == "kube-controller-manager" else name)
    return tuple(dict.fromkeys(names))


def to_scaler(kind: str, item: Object) -> Scaler | None:
    """A HorizontalPodAutoscaler or a ScaledObject; None for an HPA that belongs to a ScaledObject."""
    metadata, spec = item["metadata"], item.get("spec") or {}
    target = str((spec.get("scaleTargetRef") or {}).get("name") or "")
    if kind == "HorizontalPodAutoscaler":
        if any(owner.get("kind") == "ScaledObject" for owner in metadata.get("ownerReferences") or []):
            return None
        return Scaler(kind, metadata["name"], target, int(spec.get("minReplicas", 1)))
    notes = metadata.get("annotations") or {}
    paused = notes.get(f"{KEDA}/paused") == "true" or f"{KEDA}/paused-replicas" in notes
    return Scaler(kind, metadata["name"], target, int(spec.get("minReplicaCount", 0)), paused)


def is_ended(item: Object) -> bool:
    """Whether the pod ended for good. Kubernetes keeps such an object, never runs it again and does not count it."""
    return (item.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def ended_title(item: Object) -> str:
    """Name of a pod that ended, and why."""
    status = item.get("status") or {}
    return f"{item['metadata']['name']} ({status.get('reason') or status['phase']})"


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
        ended=ended_of(status) if "deletionTimestamp" in metadata else "",
    )


def ended_of(status: Object) -> str:
    """How a container ended that did not end well: what it had in work is not known."""
    for container in status.get("containerStatuses") or []:
        ended = (container.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            return f"container {container.get('name')} ended with exit code {ended['exitCode']} ({ended.get('reason') or 'no reason'})"
    return ""


def problem_of(status: Object, conditions: t.Mapping[str, Object]) -> str:
    """Why a pod cannot run, in Kubernetes' words, or empty."""
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("reason") == "Unschedulable":
        return f"Unschedulable: {scheduled.get('message', '')}"
    if any("running" in (container.get("state") or {}) for container in status.get("containerStatuses") or []):
        return ""  # a sidecar that fails does not keep the consumer from processing
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
