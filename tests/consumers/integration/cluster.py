"""The example manifests on a real cluster, in a namespace of their own. kubectl is the only client."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.unit.waiting import finished

MANIFESTS = Path(__file__).parents[3] / "examples" / "manifests"


def documents() -> list[dict[str, Any]]:
    """Every object of the manifests, in the order of the files."""
    files = sorted(MANIFESTS.glob("*.yaml"))
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


def render(namespace: str, image: str, environment: dict[str, str]) -> list[dict[str, Any]]:
    """The manifests for another namespace, with another image and other values of the consumer's environment."""
    text = json.dumps(documents()).replace('"namespace": "orders"', f'"namespace": "{namespace}"')
    objects: list[dict[str, Any]] = json.loads(text)
    for thing in objects:
        if thing["kind"] == "Namespace":
            thing["metadata"]["name"] = namespace
        if thing["kind"] == "Deployment":
            container = thing["spec"]["template"]["spec"]["containers"][0]
            container.update(image=image, imagePullPolicy="Never")
            colour = thing["metadata"]["name"].rpartition("-")[2]
            for entry in container["env"]:
                if entry["name"] in environment:
                    entry["value"] = environment[entry["name"]].format(colour=colour)
    return objects


class Cluster:
    """kubectl in one namespace, as the administrator or as the operator of the manifests."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def run(
        self, *arguments: str, stdin: str | None = None, operator: bool = False
    ) -> subprocess.CompletedProcess[str]:
        account = f"system:serviceaccount:{self.namespace}:bluegreen-operator"
        identity = ["--as", account] if operator else []
        command = ["kubectl", "--namespace", self.namespace, *identity, *arguments]
        return finished(command, input=stdin, capture_output=True, text=True)

    def must(self, *arguments: str, stdin: str | None = None, operator: bool = False) -> str:
        result = self.run(*arguments, stdin=stdin, operator=operator)
        assert result.returncode == 0, f"kubectl {' '.join(arguments)}: {result.stdout}{result.stderr}"
        return result.stdout

    def apply(self, objects: list[dict[str, Any]]) -> None:
        self.must("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def set_record(self, active: str, epoch: int, phase: str, **more: str) -> None:
        data = {"data": {"active": active, "epoch": str(epoch), "phase": phase, **more}}
        name = "order-consumer-active-version"
        self.must("patch", "configmap", name, "--type=merge", "-p", json.dumps(data))

    def create_config_map(self, name: str, data: dict[str, str]) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        self.must("create", "-f", "-", stdin=json.dumps(body), operator=True)

    def pods(self, colour: str) -> list[str]:
        selector = f"app.kubernetes.io/instance=order-consumer-{colour}"
        return self.must("get", "pods", "-l", selector, "-o", "name", operator=True).replace("pod/", "").split()

    def _url(self, pod: str, path: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{pod}:8080/proxy/actuator/kafka/{path}"

    def status(self, pod: str) -> dict[str, Any]:
        """Status of the pod; without an address (scheduled, starting, gone) it has no state."""
        answer = self.run("get", "--raw", self._url(pod, "status"), operator=True)
        return json.loads(answer.stdout) if answer.returncode == 0 else {"state": None, "partitions": []}

    def post(self, pod: str, command: str, **body: Any) -> dict[str, Any]:
        url = self._url(pod, command)
        return json.loads(self.must("create", "--raw", url, "-f", "-", stdin=json.dumps(body), operator=True))
