# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""What the API server answers, as values of the domain. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import (
    LeaseState,
    Pod,
    Scaler,
    StoredObject,
    Workload,
)

MANAGER = "streamops.bluegreen"
"""Our name as a field manager."""
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

ENDED = ("Succeeded", "Failed")
SCALABLE = ("Deployment", "StatefulSet")
BY_SIGTERM = 143

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
    metadata, spec = item["metadata"], item["spec"]
    template = (spec.get("template") or {}).get("spec") or {}
    grace = template.get("terminationGracePeriodSeconds")
    return Workload(
        kind=kind,
        name=metadata["name"],
        uid=metadata["uid"],
        replicas=int(spec.get("replicas", 1)),
        selector=selector(spec.get("selector") or {}),
        outdated=outdated(kind, item),
        scaled_by=scaled_by(metadata),
        grace=30 if grace is None else int(grace),
        ordered=kind == "StatefulSet" and spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady",
    )


def outdated(kind: str, item: Object) -> str:
    """Why pods of an older template may be among the workload's pods, or are made by the next scale; empty if none are."""
    spec, status = item["spec"], item.get("status") or {}
    if int(status.get("observedGeneration") or 0) < int(item["metadata"].get("generation") or 0):
        return "its controller has not seen its newest template yet"
    wanted = int(spec.get("replicas", 1))
    total, updated = int(status.get("replicas") or 0), int(status.get("updatedReplicas") or 0)
    if kind == "StatefulSet":
        total = min(total, wanted)  # it counts pods on their way down, too
        cause, older = _stateful_cause(spec, status)
    else:
        paused = bool(spec.get("paused"))
        # Without pods nothing tells which template the next ones get.
        cause, older = ", the rollout is paused" if paused else "", paused
    if total > updated:
        return f"{updated} of {total} pods run its template{cause}"
    if older and total == 0:
        return f"the next pods may run an older template{cause}"
    return ""


def _stateful_cause(spec: Object, status: Object) -> tuple[str, bool]:
    """Why an update does not go on by itself, and whether new pods get the older template."""
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return ", and its updateStrategy OnDelete replaces none by itself", False
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    if partition > 0:
        older = status.get("currentRevision") != status.get("updateRevision")
        return f", the update leaves out pods below partition {partition}", older
    return "", False


def scaled_by(metadata: Object) -> tuple[str, ...]:
    """Field managers other than ours that own ``spec.replicas``."""
    found = set()
    for entry in metadata.get("managedFields") or []:
        fields = ((entry.get("fieldsV1") or {}).get("f:spec")) or {}
        manager = str(entry.get("manager", ""))
        if "f:replicas" in fields and manager != MANAGER:
            # Its only way to write replicas of a workload is the HorizontalPodAutoscaler's controller.
            hpa = manager == "kube-controller-manager"
            found.add(f"{manager} (a HorizontalPodAutoscaler)" if hpa else manager)
    return tuple(sorted(found))


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
        trouble=trouble_of(status),
        ended=ended_by(status) if "deletionTimestamp" in metadata else "",
        restarts=restarts_of(status),
    )


def has_ended(item: Object) -> bool:
    """Whether a pod ended: it never runs again, and its workload does not count it."""
    return (item.get("status") or {}).get("phase") in ENDED


def to_ended(item: Object) -> str:
    """A pod that ended, readable. Of one that was told to end and did not by itself, its exit code."""
    # The kubelet tells the end of the last container and the phase at once, so nobody sees the one without the other.
    status = item["status"]
    how = ended_by(status) if "deletionTimestamp" in item["metadata"] else ""
    return f"{item['metadata']['name']} ({how or status.get('reason') or status['phase']})"


def to_autoscaler(item: Object) -> Scaler | None:
    """A HorizontalPodAutoscaler of a workload; None for one that KEDA made, whose ScaledObject says more."""
    metadata, spec = item["metadata"], item["spec"]
    owned_by = {owner.get("kind") for owner in metadata.get("ownerReferences") or []}
    target = spec.get("scaleTargetRef") or {}
    if "ScaledObject" in owned_by or target.get("kind") not in SCALABLE:
        return None
    least = spec.get("minReplicas")
    return Scaler("HorizontalPodAutoscaler", metadata["name"], target["name"], 1 if least is None else int(least))


def to_scaled_object(item: Object) -> Scaler | None:
    """KEDA's ScaledObject of a workload."""
    metadata, spec = item["metadata"], item["spec"]
    target, annotations = spec.get("scaleTargetRef") or {}, metadata.get("annotations") or {}
    if target.get("kind", "Deployment") not in SCALABLE:
        return None
    # Zero unless told otherwise; an idle count lies below the least one.
    least = int(spec.get("idleReplicaCount", spec.get("minReplicaCount") or 0) or 0)
    paused_at = annotations.get("autoscaling.keda.sh/paused-replicas")
    if paused_at is not None and str(paused_at).isdigit():
        least = int(paused_at)
    paused = paused_at is not None or annotations.get("autoscaling.keda.sh/paused", "").lower() in ("true", "1", "t")
    return Scaler("ScaledObject", metadata["name"], str(target.get("name")), least, paused)


def problem_of(status: Object, conditions: t.Mapping[str, Object]) -> str:
    """Why a pod cannot run, in Kubernetes' words, or empty. One with a container that runs can: it may process."""
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("reason") == "Unschedulable":
        return f"Unschedulable: {scheduled.get('message', '')}"
    if any("running" in container.get("state", {}) for container in status.get("containerStatuses") or []):
        return ""
    return trouble_of(status)


def trouble_of(status: Object) -> str:
    """Why a container of a pod cannot run, in Kubernetes' words, or empty."""
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


def restarts_of(status: Object) -> int:
    """How often containers of a pod began anew."""
    return sum(int(container.get("restartCount") or 0) for container in status.get("containerStatuses") or [])


def ended_by(status: Object) -> str:
    """How a container of a pod that was told to end did it, where it did not end by itself: ``exit code 137``."""
    for container in status.get("containerStatuses") or []:
        died = container.get("state", {}).get("terminated") or {}
        code, signal = int(died.get("exitCode") or 0), int(died.get("signal") or 0)
        if code == BY_SIGTERM:
            # Either it had no handler and stopped in the middle, or it is a JVM, which says so after every orderly stop.
            return f"exit code {code} (SIGTERM; a JVM says so after an orderly stop, too)"
        if code or signal:
            reason = died.get("reason") or "Error"
            said = f"exit code {code}" if code else f"signal {signal}"
            return said if reason == "Error" else f"{said} ({reason})"
    return ""
