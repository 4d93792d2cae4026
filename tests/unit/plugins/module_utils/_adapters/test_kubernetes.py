# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Kubernetes adapter: what it sends, and how it reads what it gets."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.api_server import ApiServer
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes import KubernetesAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes_objects import (
    outdated,
    scaled_by,
    selector,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ClusterError, ConflictError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import Right, Scaler, Workload
from ansible_collections.streamops.bluegreen.tests.unit.fakes.http_server import HttpServer

MAPS = "/api/v1/namespaces/n/configmaps"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/n/leases"
APPS = "/apis/apps/v1/namespaces/n"
PODS = "/api/v1/namespaces/n/pods"
STORED = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "x",
        "resourceVersion": "7",
        "labels": {"team": "a"},
        "annotations": {"note": "1"},
        "ownerReferences": [{"uid": "u"}],
    },
    "data": {"active": "blue"},
    "binaryData": {"logo": "AAE="},
}


@pytest.fixture
def cluster(api: ApiServer) -> KubernetesAdapter:
    """Namespace n of the scripted server."""
    return KubernetesAdapter(api, "n")


def owned(kind: str, name: str, owner: str, **more: t.Any) -> dict[str, t.Any]:
    metadata = {"name": name, "uid": f"uid-{name}", "ownerReferences": [{"uid": owner}]}
    return {"kind": kind, "metadata": {**metadata, **more.pop("metadata", {})}, **more}


def test_a_config_map(cluster: KubernetesAdapter, server: HttpServer) -> None:
    server.answers[f"GET {MAPS}/x"] = [(200, STORED)]
    found = cluster.config_map("x")
    assert found is not None
    assert (found.name, found.data, found.resource_version) == ("x", {"active": "blue"}, "7")
    assert (found.metadata["labels"], found.immutable) == ({"team": "a"}, False)
    server.answers[f"GET {MAPS}/x"] = [(200, {**STORED, "immutable": True})]
    assert cluster.config_map("x").immutable is True  # type: ignore[union-attr]
    assert cluster.config_map("y") is None


def test_a_replacement_keeps_what_is_not_ours(cluster: KubernetesAdapter, server: HttpServer) -> None:
    server.answers[f"GET {MAPS}/x"] = [(200, STORED)]
    server.answers[f"PUT {MAPS}/x"] = [(200, {**STORED, "metadata": {**STORED["metadata"], "resourceVersion": "8"}})]
    cluster.config_map("x")
    assert cluster.replace_config_map("x", {"active": "green"}, "7").resource_version == "8"
    body = server.requests[-1].body
    assert body["data"] == {"active": "green"}
    assert body["metadata"]["resourceVersion"] == "7"
    assert (body["binaryData"], body["metadata"]["ownerReferences"]) == ({"logo": "AAE="}, [{"uid": "u"}])
    assert server.requests[-1].path == f"{MAPS}/x?fieldManager=streamops.bluegreen"
    assert (body["metadata"]["labels"], body["metadata"]["annotations"]) == ({"team": "a"}, {"note": "1"})
    cluster.replace_config_map("x", {"active": "blue"}, "8")
    assert [request.method for request in server.requests] == ["GET", "PUT", "PUT"], "known versions are not read again"


def test_a_replacement_of_another_version_names_the_one_it_was_thought_out_for(
    cluster: KubernetesAdapter, server: HttpServer
) -> None:
    server.answers[f"GET {MAPS}/x"] = [(200, STORED)]
    server.answers[f"PUT {MAPS}/x"] = [(409, {"message": "modified"})]
    with pytest.raises(ConflictError, match="Could not replace ConfigMap n/x"):
        cluster.replace_config_map("x", {}, "5")
    assert server.requests[-1].body["metadata"]["resourceVersion"] == "5"


def test_a_replacement_of_nothing(cluster: KubernetesAdapter) -> None:
    with pytest.raises(ClusterError, match="ConfigMap n/x: it does not exist"):
        cluster.replace_config_map("x", {}, "5")


def test_creation(cluster: KubernetesAdapter, server: HttpServer) -> None:
    server.answers[f"POST {MAPS}"] = [(201, STORED), (409, {"message": "already exists"})]
    cluster.create_config_map("x", {"a": "b"}, immutable=True)
    body = server.requests[0].body
    assert (body["metadata"]["name"], body["data"], body["immutable"]) == ("x", {"a": "b"}, True)
    with pytest.raises(ConflictError):
        cluster.create_config_map("x", {})
    del server.answers[f"POST {MAPS}"]
    with pytest.raises(ClusterError, match="namespace n does not exist"):
        cluster.create_config_map("x", {})


HPAS = "/apis/autoscaling/v2/namespaces/n/horizontalpodautoscalers"
SCALED = "/apis/keda.sh/v1alpha1/namespaces/n/scaledobjects"


def test_what_scales_a_workload_by_itself(cluster: KubernetesAdapter, server: HttpServer) -> None:
    def scaler(name: str, workload: str, **more: t.Any) -> dict[str, t.Any]:
        return {"metadata": {"name": name, **more}, "spec": {"scaleTargetRef": {"name": workload}}}

    hpa = scaler("h", "w")
    hpa["spec"]["minReplicas"] = 3
    of_keda = scaler("keda-hpa-k", "w", ownerReferences=[{"kind": "ScaledObject", "uid": "k"}])
    paused = scaler("p", "w", annotations={"autoscaling.keda.sh/paused": "true"})
    server.answers[f"GET {HPAS}"] = [(200, {"items": [hpa, of_keda, scaler("other", "x")]})]
    assert cluster.scalers(["w"]) == [Scaler("HorizontalPodAutoscaler", "h", "w", 3)], "KEDA is not installed: 404"
    server.answers[f"GET {SCALED}"] = [(200, {"items": [scaler("k", "w"), paused]})]
    assert cluster.scalers(["w"])[1:] == [
        Scaler("ScaledObject", "k", "w", 0),
        Scaler("ScaledObject", "p", "w", 0, paused=True),
    ]


def test_pods_that_ended_are_no_pods(cluster: KubernetesAdapter, server: HttpServer) -> None:
    """Kubernetes keeps them: evicted by a node, ended by a shutdown, completed."""
    evicted = owned("Pod", "gone", "u", status={"phase": "Failed", "reason": "Evicted"})
    done = owned("Pod", "done", "u", status={"phase": "Succeeded"})
    going = owned(
        "Pod",
        "going",
        "u",
        metadata={"deletionTimestamp": "now"},
        status={
            "phase": "Running",
            "containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 137, "reason": "Error"}}}],
        },
    )
    server.answers[f"GET {PODS}"] = [(200, {"items": [evicted, done, going]})]
    workload = Workload("StatefulSet", "w", "u", 1)
    (pod,) = cluster.pods(workload)
    assert (pod.name, pod.terminating, pod.ended) == ("going", True, "container c ended with exit code 137 (Error)")
    assert cluster.ended_pods(workload) == ["done (Succeeded)", "gone (Evicted)"]


@pytest.mark.parametrize(
    ("spec", "status", "says"),
    [
        ({}, {"updatedReplicas": 2, "observedGeneration": 4}, ""),
        ({}, {"updatedReplicas": 1, "observedGeneration": 4}, "1 of 2 pods run its template"),
        ({}, {"updatedReplicas": 2, "observedGeneration": 3}, "its controller has not seen its last change yet"),
        ({"paused": True}, {"observedGeneration": 4}, "0 of 2 pods run its template, its rollout is paused"),
        (
            {"updateStrategy": {"type": "OnDelete"}},
            {"updatedReplicas": 1, "observedGeneration": 4},
            "1 of 2 pods run its template, pods are only replaced when somebody deletes them (OnDelete)",
        ),
        (
            {"updateStrategy": {"rollingUpdate": {"partition": 1}}},
            {"updatedReplicas": 1, "observedGeneration": 4},
            "1 of 2 pods run its template, only pods from 1 on are updated (partition)",
        ),
    ],
)
def test_pods_of_an_older_template(spec: dict[str, t.Any], status: dict[str, t.Any], says: str) -> None:
    assert outdated({"generation": 4}, {"replicas": 2, **spec}, status) == says


def test_who_else_owns_the_replicas() -> None:
    def entry(manager: str, *fields: str) -> dict[str, t.Any]:
        return {"manager": manager, "fieldsV1": {"f:spec": {f"f:{field}": {} for field in fields}}}

    fields = [
        entry("argocd-controller", "replicas", "template"),
        entry("kube-controller-manager", "replicas"),
        entry("helm", "template"),
        entry("streamops.bluegreen", "replicas"),
    ]
    assert scaled_by({"managedFields": fields}) == ("argocd-controller", "kube-controller-manager (an autoscaler)")


def test_a_lease_is_created_renewed_and_taken_over(cluster: KubernetesAdapter, server: HttpServer) -> None:
    stored = {
        "metadata": {"name": "l", "resourceVersion": "3", "labels": {"team": "a"}},
        "spec": {
            "holderIdentity": "me",
            "leaseDurationSeconds": 15,
            "renewTime": "r",
            "acquireTime": "then",
            "leaseTransitions": 4,
        },
    }
    server.answers[f"POST {LEASES}"] = [(201, stored)]
    server.answers[f"PUT {LEASES}/l"] = [(200, stored)]
    made = cluster.put_lease("l", "me", 15, None)
    assert (made.holder, made.duration_seconds, made.renew_time, made.resource_version) == ("me", 15, "r", "3")
    cluster.put_lease("l", "me", 15, "3")
    cluster.put_lease("l", "other", 15, "3")
    first, renewed, taken = (request.body for request in server.requests)
    assert first["spec"]["leaseTransitions"] == 0
    assert (renewed["spec"]["acquireTime"], renewed["spec"]["leaseTransitions"]) == ("then", 4)
    assert (taken["spec"]["holderIdentity"], taken["spec"]["leaseTransitions"]) == ("other", 5)
    assert taken["metadata"]["labels"] == {"team": "a"}
    assert renewed["spec"]["renewTime"] != first["spec"]["renewTime"]


def test_a_workload_and_its_scale(cluster: KubernetesAdapter, server: HttpServer) -> None:
    server.answers[f"GET {APPS}/deployments/w"] = [
        (
            200,
            {
                "metadata": {"name": "w", "uid": "u", "labels": {"a": "b"}},
                "spec": {"replicas": 4, "selector": {"matchLabels": {"app": "w"}}},
                "status": {"readyReplicas": 3},
            },
        )
    ]
    server.answers[f"PATCH {APPS}/deployments/w/scale"] = [(200, {})]
    found = cluster.workload("Deployment", "w")
    assert found is not None
    assert (found.name, found.uid, found.replicas, found.selector, found.grace) == ("w", "u", 4, "app=w", 30)
    assert cluster.workload("StatefulSet", "w") is None
    cluster.scale("Deployment", "w", 0)
    assert server.requests[-1].body == {"spec": {"replicas": 0}}
    assert server.requests[-1].headers["Content-Type"] == "application/merge-patch+json"
    with pytest.raises(ClusterError, match="Could not scale StatefulSet n/w to 2: it does not exist"):
        cluster.scale("StatefulSet", "w", 2)


def test_pods_of_a_deployment_are_found_by_their_owners(cluster: KubernetesAdapter, server: HttpServer) -> None:
    sets = [owned("ReplicaSet", "old", "u"), owned("ReplicaSet", "new", "u"), owned("ReplicaSet", "alien", "v")]
    pods = [
        owned("Pod", "p2", "uid-new"),
        owned("Pod", "p1", "uid-old", metadata={"deletionTimestamp": "now"}),
        owned("Pod", "p3", "uid-alien"),
        {"kind": "Pod", "metadata": {"name": "p4", "uid": "uid-p4"}},
    ]
    server.answers[f"GET {APPS}/replicasets"] = [(200, {"items": sets})]
    server.answers["GET /api/v1/namespaces/n/pods"] = [(200, {"items": pods})]
    found = cluster.pods(Workload("Deployment", "w", "u", 2, selector="app=w"))
    assert [(pod.name, pod.terminating) for pod in found] == [("p1", True), ("p2", False)]
    assert {request.path.split("?")[1] for request in server.requests} == {"labelSelector=app%3Dw"}


def test_pods_of_a_stateful_set(cluster: KubernetesAdapter, server: HttpServer) -> None:
    pods = [owned("Pod", "w-0", "u"), owned("Pod", "p", "x")]
    server.answers["GET /api/v1/namespaces/n/pods"] = [(200, {"items": pods})]
    assert [pod.name for pod in cluster.pods(Workload("StatefulSet", "w", "u", 1))] == ["w-0"]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
        (
            {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}]},
            "ErrImagePull: no such image",
        ),
        (
            {"initContainerStatuses": [{"state": {"waiting": {"reason": "CreateContainerConfigError"}}}]},
            "CreateContainerConfigError",
        ),
        (
            {
                "containerStatuses": [
                    {
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
                    }
                ]
            },
            "CrashLoopBackOff: back-off 10s (last exit: code 1, Error)",
        ),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
                ]
            },
            "Unschedulable: 0/1 nodes",
        ),
    ],
)
def test_why_a_pod_cannot_run(
    cluster: KubernetesAdapter, server: HttpServer, status: dict[str, t.Any], problem: str
) -> None:
    pods = [owned("Pod", "p", "u", status={"phase": "Pending", "podIP": "10.0.0.1", **status})]
    server.answers["GET /api/v1/namespaces/n/pods"] = [(200, {"items": pods})]
    (pod,) = cluster.pods(Workload("StatefulSet", "w", "u", 1))
    assert (pod.problem, pod.phase, pod.ip, pod.ready) == (problem, "Pending", "10.0.0.1", False)


def test_rights_we_lack(cluster: KubernetesAdapter, server: HttpServer) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    server.answers[f"POST {path}"] = [(201, {"status": {"allowed": True}}), (201, {"status": {"allowed": False}})]
    denied = cluster.denied([Right("patch", "deployments/scale", "apps", "w"), Right("get", "pods/proxy")])
    asked = {tuple(request.body["spec"]["resourceAttributes"].values()) for request in server.requests}
    assert asked == {("n", "patch", "apps", "deployments", "scale", "w"), ("n", "get", "", "pods", "proxy", "")}
    assert len(denied) == 1
    server.answers[f"POST {path}"] = [(201, {"status": {"allowed": False}})]
    assert cluster.denied([Right("patch", "deployments/scale", "apps")]) == ["patch deployments/scale.apps"]


def test_a_secret(cluster: KubernetesAdapter, server: HttpServer) -> None:
    path = "GET /api/v1/namespaces/n/secrets"
    server.answers[f"{path}/control"] = [(200, {"data": {"token": "dDBrZW4K", "binary": "gIE="}})]
    assert cluster.secret("control", "token") == "t0ken"
    with pytest.raises(ClusterError, match="Secret n/control has no key nope; it has binary, token"):
        cluster.secret("control", "nope")
    with pytest.raises(ClusterError, match="Key binary of Secret n/control is not text"):
        cluster.secret("control", "binary")
    with pytest.raises(ClusterError, match="Could not read Secret n/other: it does not exist"):
        cluster.secret("other", "token")
    message = 'secrets "mine" is forbidden: User "u" cannot get resource "secrets"'
    server.answers[f"{path}/mine"] = [(403, {"kind": "Status", "message": message})]
    with pytest.raises(ClusterError, match=r"answered 403: secrets .*It takes the right get secrets on mine"):
        cluster.secret("mine", "token")


def test_an_event_is_best_effort(cluster: KubernetesAdapter, server: HttpServer) -> None:
    workload = Workload("Deployment", "w", "u", 1)
    server.answers["POST /api/v1/namespaces/n/events"] = [(201, {}), (403, {"message": "forbidden"})]
    cluster.event(workload, "Switched", "green is active")
    assert server.requests[0].body["involvedObject"]["uid"] == "u"
    assert server.requests[0].body["reason"] == "Switched"
    cluster.event(workload, "Switched", "green is active")


def test_label_selectors() -> None:
    wanted = {
        "matchLabels": {"app": "w"},
        "matchExpressions": [
            {"key": "a", "operator": "In", "values": ["x", "y"]},
            {"key": "b", "operator": "NotIn", "values": ["z"]},
            {"key": "c", "operator": "Exists"},
            {"key": "d", "operator": "DoesNotExist"},
        ],
    }
    assert selector(wanted) == "app=w,a in (x,y),b notin (z),c,!d"
    assert selector({}) == ""
