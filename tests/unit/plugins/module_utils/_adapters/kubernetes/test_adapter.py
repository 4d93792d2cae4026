# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Kubernetes adapter: what it sends, and how it reads what it gets."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.adapter import KubernetesAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.api_server import ApiServer
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.objects import (
    selector,
    to_pod,
    to_workload,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Right, Workload
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ClusterError, ConflictError
from ansible_collections.streamops.bluegreen.tests.unit.fakes.http_server import HttpServer

MAPS = "/api/v1/namespaces/n/configmaps"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/n/leases"
APPS = "/apis/apps/v1/namespaces/n"
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
    spec = {"replicas": 4, "selector": {"matchLabels": {"app": "w"}}}
    server.answers[f"GET {APPS}/deployments/w"] = [(200, {"metadata": {"name": "w", "uid": "u"}, "spec": spec})]
    server.answers[f"PATCH {APPS}/deployments/w/scale"] = [(200, {})]
    found = cluster.workload("Deployment", "w")
    assert found == Workload("Deployment", "w", "u", 4, "app=w")
    assert cluster.workload("StatefulSet", "w") is None
    cluster.scale("Deployment", "w", 0)
    assert server.requests[-1].body == {"spec": {"replicas": 0}}
    assert server.requests[-1].path.endswith("/scale?fieldManager=streamops.bluegreen")
    assert server.requests[-1].headers["Content-Type"] == "application/merge-patch+json"
    with pytest.raises(ClusterError, match="Could not scale StatefulSet n/w to 2: it does not exist"):
        cluster.scale("StatefulSet", "w", 2)


def owner_of_replicas(manager: str, **more: t.Any) -> dict[str, t.Any]:
    return {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}, **more}


def test_who_else_scales_a_workload_and_how_its_pods_stop() -> None:
    others = {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {}}}}
    managers = [owner_of_replicas("kubectl", subresource="scale"), owner_of_replicas("streamops.bluegreen"), others]
    managers.append(owner_of_replicas("kube-controller-manager"))
    template = {"spec": {"terminationGracePeriodSeconds": 60}}
    item = {
        "metadata": {"name": "w", "uid": "u", "managedFields": managers},
        "spec": {"replicas": 2, "template": template},
    }
    found = to_workload("StatefulSet", item)
    assert found.scaled_by == ("kube-controller-manager (a HorizontalPodAutoscaler)", "kubectl")
    assert (found.grace, found.ordered) == (60, True)
    parallel = to_workload("StatefulSet", {**item, "spec": {"podManagementPolicy": "Parallel", "template": {}}})
    assert (parallel.grace, parallel.ordered) == (30, False)
    assert to_workload("Deployment", item).ordered is False


DEPLOYED = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2}
PARTITION = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}
REVISIONS = {"currentRevision": "a", "updateRevision": "b"}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "outdated"),
    [
        ("Deployment", {}, {}, ""),
        ("Deployment", {}, {"observedGeneration": 2}, "its controller has not seen its newest template yet"),
        ("Deployment", {}, {"replicas": 3, "updatedReplicas": 1}, "1 of 3 pods run its template"),
        (
            "Deployment",
            {"paused": True},
            {"updatedReplicas": 0},
            "0 of 2 pods run its template, the rollout is paused",
        ),
        ("Deployment", {"paused": True}, {}, ""),
        ("Deployment", {}, {"replicas": 0, "updatedReplicas": 0}, ""),
        (
            "Deployment",
            {"paused": True, "replicas": 0},
            {"replicas": 0, "updatedReplicas": 0},
            "the next pods may run an older template, the rollout is paused",
        ),
        (
            "StatefulSet",
            {"updateStrategy": {"type": "OnDelete"}},
            {"updatedReplicas": 1, **REVISIONS},
            "1 of 2 pods run its template, and its updateStrategy OnDelete replaces none by itself",
        ),
        ("StatefulSet", {"updateStrategy": {"type": "OnDelete"}}, {"replicas": 0, "updatedReplicas": 0}, ""),
        (
            "StatefulSet",
            PARTITION,
            {"updatedReplicas": 1, **REVISIONS},
            "1 of 2 pods run its template, the update leaves out pods below partition 1",
        ),
        (
            "StatefulSet",
            {**PARTITION, "replicas": 0},
            {"replicas": 0, "updatedReplicas": 0, **REVISIONS},
            "the next pods may run an older template, the update leaves out pods below partition 1",
        ),
        ("StatefulSet", {"replicas": 1}, {"replicas": 2, "updatedReplicas": 1}, ""),
    ],
)
def test_pods_of_an_older_template(kind: str, spec: t.Any, status: t.Any, outdated: str) -> None:
    metadata = {"name": "w", "uid": "u", "generation": 3}
    item = {"metadata": metadata, "spec": {"replicas": 2, **spec}, "status": {**DEPLOYED, **status}}
    assert to_workload(kind, item).outdated == outdated


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


def test_pods_that_ended_are_none(cluster: KubernetesAdapter, server: HttpServer) -> None:
    died = {"containerStatuses": [{"state": {"terminated": {"exitCode": 137, "reason": "Error"}}}]}
    pods = [
        owned("Pod", "w-1", "u", status={"phase": "Running"}),
        owned("Pod", "w-2", "u", status={"phase": "Failed", "reason": "Evicted"}),
        owned("Pod", "w-3", "u", status={"phase": "Succeeded"}),
        owned("Pod", "w-4", "u", status={"phase": "Failed", **died}, metadata={"deletionTimestamp": "now"}),
        owned("Pod", "x", "other", status={"phase": "Failed"}),
    ]
    server.answers["GET /api/v1/namespaces/n/pods"] = [(200, {"items": pods})]
    workload = Workload("StatefulSet", "w", "u", 1)
    assert [pod.name for pod in cluster.pods(workload)] == ["w-1"]
    assert cluster.ended_pods(workload) == ["w-2 (Evicted)", "w-3 (Succeeded)", "w-4 (exit code 137)"]


HPAS = "GET /apis/autoscaling/v2/namespaces/n/horizontalpodautoscalers"
SCALED_OBJECTS = "GET /apis/keda.sh/v1alpha1/namespaces/n/scaledobjects"


def scaler(name: str, spec: dict[str, t.Any], **metadata: t.Any) -> dict[str, t.Any]:
    return {"metadata": {"name": name, **metadata}, "spec": spec}


def target(name: str, kind: str = "Deployment") -> dict[str, t.Any]:
    return {"scaleTargetRef": {"kind": kind, "name": name}}


def test_what_scales_a_workload_by_itself(cluster: KubernetesAdapter, server: HttpServer) -> None:
    made_by_keda = [{"kind": "ScaledObject", "name": "s"}]
    hpas = [
        scaler("h", {**target("w"), "minReplicas": 3}),
        scaler("other", target("z")),
        scaler("alien", target("w", "Rollout")),
        scaler("keda-hpa-s", target("w"), ownerReferences=made_by_keda),
    ]
    server.answers[HPAS] = [(200, {"items": hpas})]
    assert [str(one) for one in cluster.scalers(["v", "w"])] == ["HorizontalPodAutoscaler h (of w, at least 3)"], (
        "no KEDA is no error"
    )
    prefix = "autoscaling.keda.sh"
    keda = [
        scaler("a", {"scaleTargetRef": {"name": "w"}}),
        scaler("b", {"scaleTargetRef": {"name": "v"}, "minReplicaCount": 2}, annotations={f"{prefix}/paused": "true"}),
        scaler("c", target("v"), annotations={f"{prefix}/paused-replicas": "4"}),
        scaler("d", target("v"), annotations={f"{prefix}/paused": "false"}),
        scaler("e", target("v", "Rollout")),
    ]
    server.answers[SCALED_OBJECTS] = [(200, {"items": keda})]
    found = {one.name: (one.workload, one.least, one.paused) for one in cluster.scalers({"v", "w"})}
    assert found == {
        "h": ("w", 3, False),
        "a": ("w", 0, False),
        "b": ("v", 2, True),
        "c": ("v", 4, True),
        "d": ("v", 0, False),
    }


def test_scalers_that_may_not_be_listed_are_unknown(cluster: KubernetesAdapter, server: HttpServer) -> None:
    server.answers[HPAS] = [(200, {"items": []})]
    server.answers[SCALED_OBJECTS] = [(403, {"message": "forbidden"})]
    with pytest.raises(
        ClusterError, match=r"answered 403: forbidden .*\. It needs the right list scaledobjects\.keda\.sh"
    ):
        cluster.scalers(["w"])


@pytest.mark.parametrize(
    ("terminated", "ended"),
    [
        ({"exitCode": 0, "reason": "Completed"}, ""),
        ({"exitCode": 137, "reason": "Error"}, "exit code 137"),
        ({"exitCode": 137, "reason": "OOMKilled"}, "exit code 137 (OOMKilled)"),
        ({"exitCode": 143, "reason": "Error"}, "exit code 143 (SIGTERM; a JVM says so after an orderly stop, too)"),
        ({"exitCode": 0, "signal": 9}, "signal 9"),
    ],
)
def test_how_a_container_ended(terminated: dict[str, t.Any], ended: str) -> None:
    status = {
        "phase": "Running",
        "containerStatuses": [{"state": {"running": {}}}, {"state": {"terminated": terminated}}],
    }
    stopping = owned("Pod", "p", "u", status=status, metadata={"deletionTimestamp": "now"})
    assert to_pod(stopping).ended == ended
    assert to_pod(owned("Pod", "p", "u", status=status)).ended == "", "it will be started again"


def test_a_pod_with_a_container_that_runs_is_not_excused() -> None:
    crashes = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    status = {"phase": "Running", "containerStatuses": [crashes, {"state": {"running": {}}}]}
    pod = to_pod(owned("Pod", "p", "u", status=status))
    assert (pod.problem, pod.trouble) == ("", "CrashLoopBackOff")
    alone = to_pod(owned("Pod", "p", "u", status={**status, "containerStatuses": [crashes]}))
    assert (alone.problem, alone.trouble) == ("CrashLoopBackOff", "CrashLoopBackOff")


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
    with pytest.raises(ClusterError, match=r"answered 403: secrets .*It needs the right get secrets on mine"):
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
