# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Kubernetes and pods adapters against a real API server; kubectl is the witness."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.adapter import KubernetesAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.api_server import ApiServer
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.pods import (
    ApiProxy,
    PodAddress,
    PodsAdapter,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod, Right, Workload
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ClusterError, ConflictError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.bg_v1 import STATUS, pause
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import HttpCall
from tests.bed.conftest import Kubectl
from tests.unit.waiting import HANG, ended, until

pytestmark = pytest.mark.bed

ECHO = """
import http.server, json, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.rfile.read(int(self.headers.get('content-length') or 0)).decode()
        if self.path.endswith('/hang'):
            time.sleep(600)
        answer = json.dumps({'path': self.path, 'headers': dict(self.headers), 'body': body}).encode()
        self.send_response(200)
        self.send_header('content-length', str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    do_POST = do_GET
http.server.ThreadingHTTPServer(('', 8080), Handler).serve_forever()
"""


def workload(kind: str, name: str, replicas: int, **container: t.Any) -> dict[str, t.Any]:
    """A Deployment or StatefulSet whose pods echo requests."""
    labels = {"app": name}
    spec: dict[str, t.Any] = {
        "dnsPolicy": "Default",
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "c",
                "image": "testbed.invalid/base:1",
                "imagePullPolicy": "Never",
                "command": ["python3", "-c", ECHO],
                "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
                **container,
            }
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
            **({"serviceName": name} if kind == "StatefulSet" else {}),
        },
    }


def started(cluster: KubernetesAdapter, kind: str, name: str, replicas: int) -> tuple[Workload, list[Pod]]:
    """The workload when all of its pods are Ready."""

    def look() -> tuple[Workload | None, list[Pod]]:
        found = cluster.workload(kind, name)
        return found, cluster.pods(found) if found else []

    def ready(seen: tuple[Workload | None, list[Pod]]) -> bool:
        done = [pod for pod in seen[1] if pod.ready and not pod.terminating]
        return seen[0] is not None and len(done) == len(seen[1]) == replicas

    return t.cast("tuple[Workload, list[Pod]]", until(f"{replicas} pods of {kind} {name} are Ready", look, ready))


def test_compare_and_swap(cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    created = cluster.create_config_map("record", {"active": "blue"})
    with pytest.raises(ConflictError, match="answered 409"):
        cluster.create_config_map("record", {})
    kubectl("label", "configmap", "record", "team=a")
    with pytest.raises(ConflictError, match=r"Could not replace ConfigMap .*/record: .* answered 409"):
        cluster.replace_config_map("record", {"active": "green"}, created.resource_version)
    read = cluster.config_map("record")
    assert read is not None
    replaced = cluster.replace_config_map("record", {"active": "green", "epoch": "2"}, read.resource_version)
    seen = kubectl.json("get", "configmap", "record")
    assert seen["data"] == {"active": "green", "epoch": "2"}
    assert seen["metadata"]["labels"]["team"] == "a"
    assert seen["metadata"]["resourceVersion"] == replaced.resource_version
    assert cluster.config_map("other") is None


def test_an_immutable_config_map(cluster: KubernetesAdapter) -> None:
    made = cluster.create_config_map("snapshot", {"a": "b"}, immutable=True)
    with pytest.raises(ClusterError, match="immutable"):
        cluster.replace_config_map("snapshot", {"a": "c"}, made.resource_version)


def test_a_lease(cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    assert cluster.lease("lock") is None
    first = cluster.put_lease("lock", "run-1", 15, None)
    with pytest.raises(ConflictError):
        cluster.put_lease("lock", "run-2", 15, None)
    second = cluster.put_lease("lock", "run-1", 15, first.resource_version)
    assert second.renew_time != first.renew_time
    with pytest.raises(ConflictError):
        cluster.put_lease("lock", "run-2", 15, first.resource_version)
    cluster.put_lease("lock", "run-2", 15, second.resource_version)
    spec = kubectl.json("get", "lease", "lock")["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("run-2", 1)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_pods_are_found_by_owner_and_reached_both_ways(
    bed: dict[str, str], cluster: KubernetesAdapter, kubectl: Kubectl, kind: str
) -> None:
    alien = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "alien", "labels": {"team": "b"}},
        "spec": workload(kind, "echo", 1)["spec"]["template"]["spec"],
    }
    kubectl("apply", "--filename=-", manifest=[workload(kind, "echo", 2), alien])
    found, pods = started(cluster, kind, "echo", 2)
    until("it has an address", lambda: kubectl.json("get", "pod", "alien")["status"], lambda seen: seen.get("podIP"))
    named = kubectl("get", "pods", "--selector=app=echo", "--output=name").split()
    assert sorted(f"pod/{pod.name}" for pod in pods) == sorted(named)

    api = ApiServer({"kubeconfig": bed["KUBECONFIG"]})
    for transport in (ApiProxy(api, kubectl.namespace, 8080), PodAddress(8080)):
        replies = PodsAdapter(transport, token="s3cret").send(pods, pause(3, 0), HANG)
        for reply in replies.values():
            assert (reply.status, reply.error) == (200, "")
            assert reply.body is not None
            assert reply.body["path"] == "/actuator/kafka/pause"
            assert json.loads(reply.body["body"]) == {"epoch": 3, "mode": "drain", "waitMs": 0, "leaveGroup": False}
            headers = {key.lower(): value for key, value in reply.body["headers"].items()}
            assert (headers["x-bg-epoch"], headers["x-bg-token"]) == ("3", "s3cret")

    cluster.scale(kind, "echo", 1)
    cluster.event(found, "Tested", "scaled to 1")
    assert kubectl.json("get", kind.lower(), "echo")["spec"]["replicas"] == 1
    started(cluster, kind, "echo", 1)
    events = kubectl.json("get", "events", "--field-selector=reason=Tested")["items"]
    assert events[0]["involvedObject"]["uid"] == found.uid


def test_pods_that_do_not_answer(bed: dict[str, str], cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    kubectl("apply", "--filename=-", manifest=[workload("Deployment", "echo", 1)])
    found, pods = started(cluster, "Deployment", "echo", 1)
    api = ApiServer({"kubeconfig": bed["KUBECONFIG"]})
    proxy, closed = ApiProxy(api, kubectl.namespace, 8080), ApiProxy(api, kubectl.namespace, 9)
    gone = PodsAdapter(proxy).send([Pod("gone", "u")], STATUS, HANG)["gone"]
    assert (gone.status, 'pods "gone" not found' in gone.error) == (None, True)
    refused = PodsAdapter(closed).send(pods, STATUS, HANG)[pods[0].name]
    assert (refused.status, "connection refused" in refused.error) == (None, True)
    hung = ended("a call", lambda: PodsAdapter(proxy).send(pods, HttpCall("GET", "/hang"), 1.0))[pods[0].name]
    assert (hung.status, "no answer to hang" in hung.error) == (None, True)
    assert cluster.pods(found) == pods


def test_why_pods_cannot_run(cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    broken = [
        workload("Deployment", "no-image", 1, image="testbed.invalid/nope:1"),
        workload("Deployment", "crashes", 1, command=["python3", "-c", "raise SystemExit(7)"]),
        workload("Deployment", "too-big", 1, resources={"requests": {"cpu": "1000"}}),
    ]
    kubectl("apply", "--filename=-", manifest=broken)

    def problem(name: str, word: str) -> str:
        def look() -> list[Pod]:
            found = cluster.workload("Deployment", name)
            return cluster.pods(found) if found else []

        pods = until(f"{name} has {word}", look, lambda seen: seen and word in seen[0].problem, every=0.2)
        return pods[0].problem

    problem("no-image", "ErrImageNeverPull")
    assert "code 7" in problem("crashes", "CrashLoopBackOff")
    assert "Insufficient cpu" in problem("too-big", "Unschedulable")


def test_an_evicted_pod_is_none(cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    """One that failed and stayed: made from a scheduler that does not exist, then given to the ReplicaSet."""
    kubectl("apply", "--filename=-", manifest=[workload("Deployment", "echo", 1)])
    found, (pod,) = started(cluster, "Deployment", "echo", 1)
    owner = kubectl.json("get", "pod", pod.name)["metadata"]
    template = workload("Deployment", "echo", 1)["spec"]["template"]
    spec = {**template["spec"], "schedulerName": "nobody"}
    evicted = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "evicted"}, "spec": spec}
    kubectl("apply", "--filename=-", manifest=[evicted])
    status = json.dumps({"status": {"phase": "Failed", "reason": "Evicted"}})
    kubectl("patch", "pod", "evicted", "--subresource=status", "--type=merge", f"--patch={status}")
    metadata = json.dumps({"metadata": {"labels": owner["labels"], "ownerReferences": owner["ownerReferences"]}})
    kubectl("patch", "pod", "evicted", "--type=merge", f"--patch={metadata}")
    listed = kubectl("get", "pods", "--selector=app=echo", "--output=name").split()
    assert "pod/evicted" in listed, "Kubernetes keeps it, and deletes nobody for it"
    assert cluster.pods(found) == [pod]
    assert cluster.ended_pods(found) == ["evicted (Evicted)"]


def test_a_container_that_had_to_be_killed_is_told(cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    plain = {"command": ["python3", "-c", stubborn], "readinessProbe": None}
    kubectl("apply", "--filename=-", manifest=[workload("Deployment", "stubborn", 1, **plain)])
    found, (pod,) = started(cluster, "Deployment", "stubborn", 1)
    assert found.grace == 1
    cluster.scale("Deployment", "stubborn", 0)
    assert until("it ended", lambda: cluster.ended_pods(found)) == [f"{pod.name} (exit code 137)"]
    left = lambda: [*cluster.ended_pods(found), *cluster.pods(found)]  # noqa: E731
    until("then its object goes, too", left, lambda seen: not seen)


def test_who_scales_a_workload(cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    kubectl(
        "apply", "--server-side", "--field-manager=argocd", "--filename=-", manifest=[workload("Deployment", "w", 0)]
    )
    hpa = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"},
            "minReplicas": 2,
            "maxReplicas": 3,
        },
    }
    kubectl("apply", "--filename=-", manifest=[hpa])
    assert [str(one) for one in cluster.scalers(["w"])] == ["HorizontalPodAutoscaler h (of w, at least 2)"]
    assert cluster.scalers(["other"]) == []

    def owners() -> tuple[str, ...]:
        found = cluster.workload("Deployment", "w")
        assert found is not None
        return found.scaled_by

    assert owners() == ("argocd",)
    cluster.scale("Deployment", "w", 1)
    theirs = ("kube-controller-manager (a HorizontalPodAutoscaler)",)
    until("it scales, as 1 is less than it wants", owners, lambda seen: seen == theirs)
    kubectl("delete", "hpa", "h")
    cluster.scale("Deployment", "w", 0)
    assert owners() == ()
    kubectl("scale", "deployment", "w", "--replicas=1")
    assert owners() == (), "kubectl scale names nobody, and nobody repeats it"
    kubectl("patch", "deployment", "w", "--field-manager=flux", "--type=merge", '--patch={"spec":{"replicas":2}}')
    assert owners() == ("flux",)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_pods_of_an_older_template(cluster: KubernetesAdapter, kubectl: Kubectl, kind: str) -> None:
    manifest = workload(kind, "echo", 1)
    if kind == "StatefulSet":
        manifest["spec"]["updateStrategy"] = {"type": "OnDelete"}
    kubectl("apply", "--filename=-", manifest=[manifest])
    found, _pods = started(cluster, kind, "echo", 1)
    assert (found.outdated, found.ordered) == ("", kind == "StatefulSet")
    if kind == "Deployment":
        kubectl("rollout", "pause", "deployment", "echo")
    kubectl("set", "env", f"{kind.lower()}/echo", "RELEASE=2")
    why = "the rollout is paused" if kind == "Deployment" else "OnDelete"

    def outdated() -> str | None:
        return getattr(cluster.workload(kind, "echo"), "outdated", None)

    new = "0 of 1 pods run its template"
    until("its pod is outdated", outdated, lambda said: said and said.startswith(new) and why in said)
    if kind == "Deployment":
        kubectl("rollout", "resume", "deployment", "echo")
    else:
        kubectl("delete", "pod", "echo-0")
    until("its pod is new", outdated, lambda said: said == "")


def test_rights(bed: dict[str, str], cluster: KubernetesAdapter, kubectl: Kubectl) -> None:
    asked = [Right("get", "configmaps"), Right("patch", "deployments/scale", "apps"), Right("get", "pods/proxy")]
    assert cluster.denied(asked) == []
    kubectl("create", "serviceaccount", "viewer")
    kubectl("create", "role", "viewer", "--verb=get", "--resource=configmaps")
    kubectl("create", "rolebinding", "viewer", "--role=viewer", f"--serviceaccount={kubectl.namespace}:viewer")
    token = kubectl("create", "token", "viewer").strip()
    limited = KubernetesAdapter(ApiServer({"kubeconfig": with_token(bed, token)}), kubectl.namespace)
    assert limited.denied(asked) == ["patch deployments/scale.apps", "get pods/proxy"]
    assert limited.identity() == (f"system:serviceaccount:{kubectl.namespace}:viewer (the dictionary in kubeconfig)")
    assert [str(cluster.place()), limited.place().exists] == [f"namespace {kubectl.namespace}", None]
    with pytest.raises(ClusterError, match=r'answered 403: configmaps is forbidden: User ".*:viewer" cannot create'):
        limited.create_config_map("x", {})
    wrong = KubernetesAdapter(ApiServer({"kubeconfig": with_token(bed, "wrong")}), kubectl.namespace)
    with pytest.raises(ClusterError, match="answered 401"):
        wrong.config_map("x")


def with_token(bed: t.Mapping[str, str], token: str) -> dict[str, t.Any]:
    """The administrator's kubeconfig with another user."""
    config = yaml.safe_load(Path(bed["KUBECONFIG"]).read_text(encoding="utf-8"))
    for user in config["users"]:
        user["user"] = {"token": token}
    return t.cast("dict[str, t.Any]", config)


def test_an_unreachable_api_server_is_named_in_time() -> None:
    cluster = KubernetesAdapter(ApiServer({"host": "https://10.199.0.250:443", "api_key": "x"}, timeout=2.0), "n")
    with pytest.raises(ClusterError, match=r"Kubernetes API server https://10\.199\.0\.250:443 within 2 s"):
        ended("a read", lambda: cluster.config_map("x"))
