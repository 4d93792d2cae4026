# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Port ``Cluster``: one namespace of a Kubernetes cluster."""

from __future__ import annotations

import base64
import datetime
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.api_server import ApiServer
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.objects import (
    MANAGER,
    Object,
    has_ended,
    owners,
    to_autoscaler,
    to_ended,
    to_lease,
    to_pod,
    to_scaled_object,
    to_stored,
    to_workload,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.system import ThreadParallel
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import (
    LeaseState,
    Place,
    Pod,
    Right,
    Scaler,
    StoredObject,
    Workload,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import BlueGreenError, ClusterError

PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets"}
SCALERS = {"horizontalpodautoscalers": ("autoscaling", "v2"), "scaledobjects": ("keda.sh", "v1alpha1")}
"""What scales workloads by itself: resource, API group and version."""


class KubernetesAdapter:
    """Port ``Cluster``. Safe to use from several threads."""

    def __init__(self, api: ApiServer, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._read: dict[tuple[str, str], Object] = {}
        """Objects as last read, by kind and name: a replacement keeps everything of them that is not ours."""

    def config_map(self, name: str) -> StoredObject | None:
        """The ConfigMap read fresh, or None."""
        found = self._get("ConfigMap", name, self._core("configmaps", name))
        return to_stored(found) if found else None

    def create_config_map(self, name: str, data: t.Mapping[str, str], immutable: bool = False) -> StoredObject:
        """Create. Raises ``ConflictError`` when it exists."""
        body: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": self._metadata(name), "data": dict(data)}
        if immutable:
            body["immutable"] = True
        return to_stored(self._put("create", "POST", "ConfigMap", name, self._core("configmaps"), body))

    def replace_config_map(self, name: str, data: t.Mapping[str, str], resource_version: str) -> StoredObject:
        """Make ``data`` the whole data, if the object is still at ``resource_version``; else ``ConflictError``.

        Everything beside it stays: binary data, labels, annotations, owners.
        """
        body = {**self._base("ConfigMap", name, self._core("configmaps", name), resource_version), "data": dict(data)}
        return to_stored(self._put("replace", "PUT", "ConfigMap", name, self._core("configmaps", name), body))

    def lease(self, name: str) -> LeaseState | None:
        """The Lease read fresh, or None."""
        found = self._get("Lease", name, self._leases(name))
        return to_lease(found) if found else None

    def put_lease(self, name: str, holder: str, duration_seconds: int, resource_version: str | None) -> LeaseState:
        """Create (resource_version None) or replace the Lease with a new renew time; ``ConflictError`` if it changed."""
        now = _now()
        spec = {"holderIdentity": holder, "leaseDurationSeconds": duration_seconds, "renewTime": now}
        if resource_version is None:
            body: Object = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": self._metadata(name)}
            body["spec"] = {**spec, "acquireTime": now, "leaseTransitions": 0}
            return to_lease(self._put("create", "POST", "Lease", name, self._leases(), body))
        body = self._base("Lease", name, self._leases(name), resource_version)
        before = body.get("spec") or {}
        taken_over = before.get("holderIdentity") != holder
        body["spec"] = {
            **spec,
            "acquireTime": now if taken_over else before.get("acquireTime") or now,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + int(taken_over),
        }
        return to_lease(self._put("renew", "PUT", "Lease", name, self._leases(name), body))

    def workload(self, kind: str, name: str) -> Workload | None:
        """The Deployment or StatefulSet, or None."""
        found = self._api.read(self._title(kind, name), self._apps(PLURALS[kind], name))
        return to_workload(kind, found) if found else None

    def scale(self, kind: str, name: str, replicas: int) -> None:
        """Set the wanted replicas. May be repeated."""
        # Named, so that managedFields tells our replicas from those of others.
        path, what = f"{self._apps(PLURALS[kind], name, 'scale')}?fieldManager={MANAGER}", self._title(kind, name)
        body = {"spec": {"replicas": replicas}}
        if self._api.write("scale", what, "PATCH", path, body, "application/merge-patch+json") is None:
            raise ClusterError(f"Could not scale {what} to {replicas}: it does not exist in {self.place()}")

    def pods(self, workload: Workload) -> list[Pod]:
        """The workload's pods that have or may get a process, terminating ones included (found by owner, not by label)."""
        return sorted((to_pod(item) for item in self._owned(workload) if not has_ended(item)), key=lambda pod: pod.name)

    def ended_pods(self, workload: Workload) -> list[str]:
        """Pods of the workload that ended and are still listed, readable: ``name (Evicted)``, ``name (exit code 137)``."""
        return sorted(to_ended(item) for item in self._owned(workload) if has_ended(item))

    def _owned(self, workload: Workload) -> list[Object]:
        # The selector only keeps the lists short: the workload's controller lets go of objects that no longer match it.
        query = {"labelSelector": workload.selector} if workload.selector else None
        calls = {"pods": lambda: self._api.read(f"the pods of {self._namespace}", self._core("pods"), query)}
        if workload.kind == "Deployment":
            calls["owners"] = lambda: self._api.read(
                f"the ReplicaSets of {self._namespace}", self._apps("replicasets"), query
            )
        found = ThreadParallel().run(calls)
        owned_by = {workload.uid}
        if workload.kind == "Deployment":
            replica_sets = (found["owners"] or {}).get("items", [])
            owned_by = {item["metadata"]["uid"] for item in replica_sets if owners(item) & owned_by}
        return [item for item in (found["pods"] or {}).get("items", []) if owners(item) & owned_by]

    def scalers(self, workloads: t.Collection[str]) -> list[Scaler]:
        """What scales these workloads (names) by itself: HorizontalPodAutoscalers, and KEDA's ScaledObjects where installed.

        Raises ``ClusterError`` that names the right when one of the two may not be listed: then it is not known.
        """
        calls = {name: self._listing(name, *group) for name, group in SCALERS.items()}
        found = ThreadParallel().run(calls)
        scalers = [to_autoscaler(item) for item in found["horizontalpodautoscalers"]]
        scalers += [to_scaled_object(item) for item in found["scaledobjects"]]
        return sorted(
            (one for one in scalers if one is not None and one.workload in workloads),
            key=lambda one: (one.kind, one.name),
        )

    def _listing(self, resource: str, group: str, version: str) -> t.Callable[[], list[Object]]:
        def listed() -> list[Object]:
            what = f"the {resource} of {self._namespace}"
            path = f"/apis/{group}/{version}/namespaces/{self._namespace}/{resource}"
            try:
                # Not found: nobody installed that kind, so nothing of it scales anything.
                return list((self._api.read(what, path) or {}).get("items", []))
            except ClusterError as error:
                raise ClusterError(f"{error.message}. It needs the right list {resource}.{group}") from error

        return listed

    def denied(self, rights: t.Collection[Right]) -> list[str]:
        """Of the wanted rights those we lack, readable: ``patch deployments/scale.apps order-consumer-blue``."""
        calls = {str(right): self._asking(right) for right in rights}
        return [title for title, allowed in ThreadParallel().run(calls).items() if not allowed]

    def _asking(self, right: Right) -> t.Callable[[], bool]:
        resource, subresource = (*right.resource.split("/"), "")[:2]
        attributes = {
            "namespace": self._namespace,
            "verb": right.verb,
            "group": right.api_group,
            "resource": resource,
            "subresource": subresource,
            "name": right.name,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

        def ask() -> bool:
            answer = self._api.write("ask whether I may", str(right), "POST", path, body) or {}
            return bool(answer.get("status", {}).get("allowed"))

        return ask

    def identity(self) -> str:
        """Who we are to the API server, and by what, for messages. Never an error."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        try:
            answer = self._api.write("ask who I am", "", "POST", path, body) or {}
            name = str(answer["status"]["userInfo"]["username"])
        except (BlueGreenError, LookupError, TypeError):  # a server may be too old for the question, or refuse it
            name = "the user"
        return f"{name} ({self._api.credentials})"

    def place(self) -> Place:
        """The namespace, and whether it exists where that may be seen, for messages. Never an error."""
        try:
            found = self._api.read(f"namespace {self._namespace}", f"/api/v1/namespaces/{self._namespace}")
        except BlueGreenError:
            return Place(self._namespace)
        return Place(self._namespace, found is not None)

    def secret(self, name: str, key: str) -> str:
        """One value of a Secret. Raises ``ClusterError`` when the Secret or the key is missing or may not be read."""
        what = self._title("Secret", name)
        try:
            found = self._api.read(what, self._core("secrets", name))
        except ClusterError as error:
            raise ClusterError(f"{error.message}. It needs the right get secrets on {name}") from error
        if found is None:
            raise ClusterError(f"Could not read {what}: it does not exist in {self.place()}")
        data = found.get("data") or {}
        if key not in data:
            raise ClusterError(f"{what} has no key {key}; it has {', '.join(sorted(data)) or 'none'}")
        try:
            return base64.b64decode(data[key]).decode().strip()
        except ValueError as error:
            raise ClusterError(f"Key {key} of {what} is not text") from error

    def event(self, workload: Workload, reason: str, message: str) -> None:
        """Leave a Kubernetes Event on the workload. Best effort: a failure is not an error."""
        now = datetime.datetime.now(datetime.UTC)
        seconds = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        involved = {
            "apiVersion": "apps/v1",
            "kind": workload.kind,
            "name": workload.name,
            "namespace": self._namespace,
            "uid": workload.uid,
        }
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": self._metadata(f"{workload.name}.{int(now.timestamp() * 1_000_000):x}"),
            "involvedObject": involved,
            "type": "Normal",
            "reason": reason,
            "message": message[:1024],
            "source": {"component": MANAGER},
            "firstTimestamp": seconds,
            "lastTimestamp": seconds,
            "count": 1,
        }
        try:
            self._api.write(
                "create", f"an Event on {workload.kind} {workload.name}", "POST", self._core("events"), body
            )
        except ClusterError:
            pass

    def _get(self, kind: str, name: str, path: str) -> Object | None:
        found = self._api.read(self._title(kind, name), path)
        if found:
            self._read[(kind, name)] = found
        return found

    def _put(self, verb: str, method: str, kind: str, name: str, path: str, body: Object) -> Object:
        # By this name managedFields tells our keys from those of others.
        stored = self._api.write(verb, self._title(kind, name), method, f"{path}?fieldManager={MANAGER}", body)
        if stored is None:
            missing = f"namespace {self._namespace}" if method == "POST" else self._title(kind, name)
            raise ClusterError(f"Could not {verb} {self._title(kind, name)}: {missing} does not exist")
        self._read[(kind, name)] = stored
        return stored

    def _base(self, kind: str, name: str, path: str, resource_version: str) -> Object:
        """The object to put our part into, at the version it must still have."""
        found = self._read.get((kind, name))
        if found is None or found["metadata"]["resourceVersion"] != resource_version:
            found = self._get(kind, name, path)
        if found is None:
            raise ClusterError(f"Could not replace {self._title(kind, name)}: it does not exist")
        return {**found, "metadata": {**found["metadata"], "resourceVersion": resource_version}}

    def _title(self, kind: str, name: str) -> str:
        return f"{kind} {self._namespace}/{name}"

    def _metadata(self, name: str) -> Object:
        return {"name": name, "namespace": self._namespace, "labels": {"app.kubernetes.io/managed-by": MANAGER}}

    def _core(self, *parts: str) -> str:
        return "/".join(("/api/v1/namespaces", self._namespace, *parts))

    def _apps(self, *parts: str) -> str:
        return "/".join(("/apis/apps/v1/namespaces", self._namespace, *parts))

    def _leases(self, *parts: str) -> str:
        return "/".join(("/apis/coordination.k8s.io/v1/namespaces", self._namespace, "leases", *parts))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
