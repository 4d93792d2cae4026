# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""consumer_pause on real pods that speak each dialect and fail in each way.

The pods are stand-ins (tests/unit/fakes/endpoints.py): they imitate the documented requests and answers and consume
nothing. The witness is what a pod itself says it was told, asked at its address. The real consumer is in test_modules.py.
"""

from __future__ import annotations

import json
import threading
import typing as t
import urllib.request
import uuid
from base64 import b64encode
from pathlib import Path

import pytest
import trustme
import yaml

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    ClusterError,
    ConflictError,
    NotReadyError,
)
from tests.bed.conftest import ROOT, Ansible, Kubectl
from tests.bed.pausing import pause
from tests.unit.waiting import HANG, NEVER, ended, joined, until

pytestmark = pytest.mark.bed

PROGRAM = ROOT / "tests/unit/fakes/endpoints.py"
CUSTOM = {
    "status": {"path": "/consumer"},
    "evidence": "consumer",
    "states": {
        "paused": {
            "when": "consumer.hold",
            "requests": [{"method": "PUT", "path": "/consumer", "body": {"hold": True}}],
        },
        "running": {
            "when": "consumer.hold == `false`",
            "requests": [{"method": "PUT", "path": "/consumer", "body": {"hold": False}}],
        },
    },
}
DIALECTS: dict[str, dict[str, t.Any]] = {
    "bg/v1": {},
    "pause_resume": {"endpoint": {"base_path": "/seed"}},
    "spring_cloud_stream": {"targets": ["orders-in-0"]},
    "shawarma": {"endpoint": {"port": 8080}},
    "custom": {"custom_dialect": CUSTOM, "endpoint": {"base_path": "/"}},
}


class Pods:
    """Stand-ins in a namespace of their own."""

    def __init__(self, bed: dict[str, str], namespace: str) -> None:
        self.bed = bed
        self.kubectl = Kubectl(bed, namespace)
        self.namespace = namespace

    def deploy(self, name: str, replicas: int = 2, kind: str = "Deployment", **more: t.Any) -> str:
        """A workload whose pods all answer. more: ``env``, ``volumes`` (path in the container to volume), ``grace``."""
        volumes: dict[str, t.Any] = more.get("volumes", {})
        container = {
            "name": "endpoint",
            "image": "testbed.invalid/base:1",
            "imagePullPolicy": "Never",
            "command": ["python3", "-I", "-c", PROGRAM.read_text(encoding="utf-8")],
            "env": [{"name": key, "value": value} for key, value in more.get("env", {}).items()],
            "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
            "volumeMounts": [{"name": f"v{n}", "mountPath": path} for n, path in enumerate(volumes)],
        }
        spec = {
            "dnsPolicy": "Default",
            "terminationGracePeriodSeconds": more.get("grace", 0),
            "containers": [container],
            "volumes": [{"name": f"v{n}", **volume} for n, volume in enumerate(volumes.values())],
        }
        labels = {"app": name}
        body: dict[str, t.Any] = {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        }
        if kind == "StatefulSet":
            body["spec"] |= {"serviceName": name, "podManagementPolicy": "Parallel"}
        self.kubectl("apply", "--filename=-", manifest=[body])
        self.kubectl("rollout", "status", f"{kind.lower()}/{name}", f"--timeout={HANG}s")
        return name

    def addresses(self, name: str) -> dict[str, str]:
        """Pod name to address."""
        items = self.kubectl.json("get", "pods", f"--selector=app={name}")["items"]
        return {item["metadata"]["name"]: item["status"]["podIP"] for item in items if item["status"].get("podIP")}

    def witness(self, name: str) -> dict[str, dict[str, t.Any]]:
        """What each pod says of itself, asked at its address."""
        return {pod: _http(f"http://{address}:8080/test/state") for pod, address in self.addresses(name).items()}

    def states(self, name: str) -> set[str]:
        """The states the pods are in."""
        return {str(seen["state"]) for seen in self.witness(name).values()}

    def told(self, name: str) -> int:
        """Commands that reached the pods."""
        return sum(len(seen["commands"]) for seen in self.witness(name).values())

    def set(self, name: str, number: int, **values: t.Any) -> str:
        """Change one pod behind everybody's back; its name."""
        pod, address = sorted(self.addresses(name).items())[number]
        _http(f"http://{address}:8080/test/set", values)
        return pod

    def pause(self, name: str, **options: t.Any) -> dict[str, t.Any]:
        """The use case in this process, on the real adapters."""
        return pause(self.bed, self.namespace, name, **options)


def _http(url: str, body: t.Any = None) -> dict[str, t.Any]:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=HANG) as answer:
        return t.cast("dict[str, t.Any]", json.load(answer))


@pytest.fixture(scope="module")
def pods(bed: dict[str, str]) -> t.Iterator[Pods]:
    """See Pods."""
    made = Pods(bed, f"bed-pause-{uuid.uuid4().hex[:8]}")
    made.kubectl("create", "namespace", made.namespace)
    yield made
    made.kubectl("delete", "namespace", made.namespace, "--wait=false")


@pytest.fixture(scope="module")
def steady(pods: Pods) -> str:
    """Two pods that do as they are told."""
    return pods.deploy("steady")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_check_real_repeat_check(ansible: Ansible, pods: Pods, steady: str, dialect: str) -> None:
    given = {"namespace": pods.namespace, "name": steady, "dialect": dialect, **DIALECTS[dialect]}
    if dialect == "bg/v1":
        given["epoch"] = 2
    for number in range(2):
        pods.set(steady, number, state="running", flagged=False, joined=True, commands=[])
    predicted = ansible("consumer_pause", check=True, state="paused", **given)
    assert (predicted["failed"], predicted["changed"]) == (False, True)
    assert (pods.states(steady), pods.told(steady)) == ({"running"}, 0), "check mode told nobody"

    done = ansible("consumer_pause", state="paused", **given)
    assert (done["failed"], done["changed"], done["diff_text"]) == (False, True, predicted["diff_text"])
    assert done["proof"] == {"bg/v1": "drained", "shawarma": "accepted"}.get(dialect, "reported")
    assert [pod["in_state"] for pod in done["pods"]] == [True, True]
    if dialect == "spring_cloud_stream":  # the stand-in has Spring's memory beside the state
        assert pods.told(steady) == 2
    else:
        assert (pods.states(steady), pods.told(steady)) == ({"paused"}, 2)

    readable = dialect != "shawarma"
    for check in (False, True):
        again = ansible("consumer_pause", check=check, state="paused", **given)
        assert again["changed"] is not readable
    assert pods.told(steady) == (2 if readable else 4)


def test_stopped_and_running_again(pods: Pods, steady: str) -> None:
    for options in ({"epoch": 20}, {"dialect": "spring_cloud_stream", "targets": ["orders-in-0"]}):
        for number in range(2):
            pods.set(steady, number, state="running", flagged=False, joined=True)
        for state in ("paused", "stopped"):
            assert pods.pause(steady, state=state, **options)["changed"] is True
        seen = list(pods.witness(steady).values())
        assert all(pod["state"] == "stopped" or not pod["joined"] for pod in seen)
        assert pods.pause(steady, state="stopped", **options)["changed"] is False
        # The next epoch, because bg/v1 refuses two different commands in one.
        assert pods.pause(steady, **{**options, "state": "running", "epoch": 21})["changed"] is True
        assert pods.states(steady) == {"running"}


def test_kafka_connect_workers(ansible: Ansible, pods: Pods, tmp_path: Path) -> None:
    """Two workers that know the same, as Connect's do through its status topic: here through a file of the node."""
    name = pods.deploy(
        "connect",
        kind="StatefulSet",
        env={"SHARED": "/shared/connector"},
        volumes={"/shared": {"hostPath": {"path": str(tmp_path), "type": "Directory"}}},
    )
    given = {
        "namespace": pods.namespace,
        "name": name,
        "kind": "StatefulSet",
        "dialect": "kafka_connect",
        "targets": ["orders-sink"],
        "endpoint": {"port": 8080},
    }
    for state, command in (("paused", "pause"), ("stopped", "stop"), ("running", "resume")):
        done = ansible("consumer_pause", state=state, **given)
        assert (done["failed"], done["changed"]) == (False, True)
        assert [pod["state"] for pod in done["pods"]] == [state, state]
        told = [line for seen in pods.witness(name).values() for line in seen["commands"]]
        assert told.count(f"PUT /connectors/orders-sink/{command}") == 1, "one worker passes it on"
        assert ansible("consumer_pause", state=state, check=True, **given)["changed"] is False
    pods.set(name, 0, fault="rebalance")
    pods.set(name, 1, fault="rebalance")
    assert ansible("consumer_pause", state="stopped", **given)["changed"] is True


@pytest.fixture(scope="module")
def shaky(pods: Pods) -> str:
    """Three pods that fail on demand."""
    return pods.deploy("shaky", replicas=3)


@pytest.fixture
def fresh(pods: Pods, shaky: str) -> str:
    """They are well again, and run."""
    for number in range(3):
        pods.set(shaky, number, fault="", seconds=0, busy_until=0, state="running", joined=True, epoch=1, commands=[])
    return shaky


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("500", "answered 500: it broke"),
        ("broken", "not a JSON object"),
        ("hang", "did not answer: no answer to status"),
    ],
)
def test_a_pod_that_fails_is_named_and_the_others_are_paused(pods: Pods, fresh: str, fault: str, message: str) -> None:
    bad = pods.set(fresh, 1, fault=fault, seconds=NEVER)
    with pytest.raises(NotReadyError, match=message) as raised:
        ended("the pause", lambda: pods.pause(fresh, timeout=6.0, request_timeout=2.0))
    assert raised.value.result["elapsed"] > 5.9
    assert bad in raised.value.message
    assert {pod["name"]: pod["in_state"] for pod in raised.value.result["pods"]} == {
        name: name != bad for name in pods.addresses(fresh)
    }
    assert [pod["state"] for name, pod in pods.witness(fresh).items() if name != bad] == ["paused", "paused"]


def test_a_pod_that_refuses_ends_it_at_once(pods: Pods, fresh: str) -> None:
    bad = pods.set(fresh, 2, fault="refuse")
    with pytest.raises(ConflictError, match=f"pod {bad} answered 423: this pod is fenced"):
        pods.pause(fresh)


def test_a_slow_pod_is_waited_for(pods: Pods, fresh: str) -> None:
    pods.set(fresh, 0, fault="slow", seconds=2.5)
    done = pods.pause(fresh)
    assert (done["elapsed"] > 2.0, done["proof"]) == (True, "drained")
    assert pods.states(fresh) == {"paused"}


def test_a_pod_that_dies_of_the_command_is_paused_when_it_is_back(pods: Pods, fresh: str) -> None:
    victim = pods.set(fresh, 0, fault="die")
    done = pods.pause(fresh)
    assert [pod["in_state"] for pod in done["pods"]] == [True] * 3
    assert pods.states(fresh) == {"paused"}
    # The kubelet tells of it later than the new process answers.
    until(
        f"{victim} was restarted",
        lambda: pods.kubectl.json("get", "pod", victim)["status"]["containerStatuses"][0],
        lambda status: status["restartCount"],
        every=0.5,
    )


def test_pods_that_come_and_go_during_the_call(pods: Pods, fresh: str) -> None:
    """One is slow until all have come and gone, and the call waits for it."""
    slow = pods.set(fresh, 0, fault="slow", seconds=NEVER)
    addresses = pods.addresses(fresh)
    gone = sorted(addresses)[1]
    results: list[dict[str, t.Any]] = []
    running = threading.Thread(target=lambda: results.append(pods.pause(fresh)))
    running.start()
    until("the call is under way", lambda: pods.told(fresh))
    pods.kubectl("delete", "pod", gone, "--wait=false")
    pods.kubectl("scale", f"deployment/{fresh}", "--replicas=5")
    pods.kubectl("rollout", "status", f"deployment/{fresh}", f"--timeout={HANG}s")
    until(f"{gone} is gone", lambda: list(pods.addresses(fresh)), lambda names: gone not in names)
    _http(f"http://{addresses[slow]}:8080/test/set", {"busy_until": 0})
    joined(running)
    assert results, "the call failed"
    witness = pods.witness(fresh)
    asked = {pod["name"] for pod in results[0]["pods"]}
    assert len(asked) == 5
    assert asked == set(witness)
    assert gone not in asked
    assert pods.states(fresh) == {"paused"}


def test_a_terminating_pod_is_paused_too(pods: Pods) -> None:
    name = pods.deploy("lingering", replicas=1, grace=30)  # Python as a container's first process ignores SIGTERM
    old, address = next(iter(pods.addresses(name).items()))
    pods.kubectl("delete", "pod", old, "--wait=false")
    done = pods.pause(name)
    seen = {pod["name"]: (pod["terminating"], pod["in_state"]) for pod in done["pods"]}
    assert seen[old] == (True, True)
    assert len(seen) == 2
    assert _http(f"http://{address}:8080/test/state")["state"] == "paused"
    pods.kubectl("delete", "pod", old, "--force", "--grace-period=0")


def secret(name: str, **values: bytes) -> dict[str, t.Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "data": {key.replace("_", "."): b64encode(value).decode() for key, value in values.items()},
    }


@pytest.fixture(scope="module")
def secured(pods: Pods) -> str:
    """Two pods that serve TLS and want a token."""
    authority = trustme.CA()
    issued = authority.issue_cert("orders.example")
    objects = [
        secret("control", token=b"t0ken\n"),
        secret("ca", ca_crt=authority.cert_pem.bytes()),
        secret("tls", tls_crt=issued.cert_chain_pems[0].bytes(), tls_key=issued.private_key_pem.bytes()),
        secret("stranger", ca_crt=trustme.CA().cert_pem.bytes()),
    ]
    pods.kubectl("apply", "--filename=-", manifest=objects)
    return pods.deploy(
        "secured",
        env={"TOKEN": "t0ken", "TLS_DIRECTORY": "/tls"},
        volumes={"/tls": {"secret": {"secretName": "tls"}}},
    )


def test_https_and_a_token_from_a_secret(pods: Pods, secured: str) -> None:
    token = {"scheme": "https", "token_secret": {"name": "control"}}
    straight = {**token, "transport": "pod_ip", "server_name": "orders.example", "ca_secret": {"name": "ca"}}
    assert pods.pause(secured, endpoint=token)["changed"] is True
    assert pods.pause(secured, endpoint=straight)["changed"] is False
    assert pods.pause(secured, endpoint=straight, state="running", epoch=6)["changed"] is True

    refused: list[tuple[dict[str, t.Any], type[BlueGreenError], str]] = [
        ({"scheme": "https", "token": "wrong"}, ConflictError, "answered 401: token is missing or wrong"),
        ({**straight, "ca_secret": {"name": "stranger"}}, NotReadyError, "CERTIFICATE_VERIFY_FAILED"),
        ({**straight, "server_name": "payments.example"}, NotReadyError, r"payments\.example"),
        ({**token, "token_secret": {"name": "nope"}}, ClusterError, "Secret .*/nope: it does not exist"),
        ({**token, "token_secret": {"name": "control", "key": "x"}}, ClusterError, "has no key x; it has token"),
        ({**token, "scheme": "http"}, NotReadyError, "did not answer|answered 400"),
    ]
    for endpoint, kind, message in refused:
        with pytest.raises(kind, match=message) as raised:
            pods.pause(secured, endpoint=endpoint, epoch=7, timeout=5.0)
        assert "t0ken" not in str(raised.value.result)


def test_the_missing_right_is_named(pods: Pods, secured: str) -> None:
    kubectl = pods.kubectl
    kubectl("create", "serviceaccount", "operator")
    kubectl("create", "role", "operator", "--verb=get,list", "--resource=deployments.apps,replicasets.apps,pods")
    kubectl("create", "rolebinding", "operator", "--role=operator", f"--serviceaccount={pods.namespace}:operator")
    config = yaml.safe_load(Path(pods.bed["KUBECONFIG"]).read_text(encoding="utf-8"))
    config["users"][0]["user"] = {"token": kubectl("create", "token", "operator").strip()}
    endpoint = {"scheme": "https", "token_secret": {"name": "control"}}
    with pytest.raises(ClusterError, match="It needs the right get secrets on control"):
        pods.pause(secured, endpoint=endpoint, kubeconfig=config)
    kubectl("create", "role", "secret", "--verb=get", "--resource=secrets", "--resource-name=control")
    kubectl("create", "rolebinding", "secret", "--role=secret", f"--serviceaccount={pods.namespace}:operator")
    with pytest.raises(NotReadyError, match='cannot get resource "pods/proxy"'):
        pods.pause(secured, endpoint=endpoint, kubeconfig=config, timeout=5.0)


def test_service_down(ansible: Ansible, pods: Pods, steady: str) -> None:
    told = pods.told(steady)
    lost = ansible(
        "consumer_pause",
        namespace=pods.namespace,
        name=steady,
        state="paused",
        epoch=99,
        host="https://10.199.0.250:443",
        api_key="x",
        api_server_timeout=2,
    )
    assert (lost["failed"], "https://10.199.0.250:443 within 2 s" in lost["msg"]) == (True, True)
    assert pods.told(steady) == told
