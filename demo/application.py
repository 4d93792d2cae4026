# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts the example application on the cluster, and the identity that the playbooks run as."""

from __future__ import annotations

import base64
import contextlib
import time
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config, dynamic

from demo.environment import ROOT, DemoError, Environment, Names

MANIFESTS = ROOT / "examples/manifests"
APP = "order-consumer"
OPERATOR = "bluegreen-operator"
GONE_WITHIN = 60
"""Seconds to wait for a deleted namespace to be gone."""
FIELD_MANAGER = "bluegreen-demo"


class Application:
    """The example application in a namespace of its own. Acts as the administrator, unlike the playbooks."""

    def __init__(self, environment: Environment, names: Names) -> None:
        self._environment = environment
        self._names = names
        self.namespace = names.namespace
        self._api = config.new_client_from_config(environment.kubeconfig)
        self._dynamic = dynamic.DynamicClient(self._api)

    def deploy(self, replicas: int) -> None:
        """Create everything; blue gets ``replicas`` pods, green has none yet."""
        for manifest in self._manifests():
            if manifest["kind"] == "Deployment" and manifest["spec"]["replicas"]:
                manifest["spec"]["replicas"] = replicas
            kind = self._kind(manifest["apiVersion"], manifest["kind"])
            namespace = manifest["metadata"].get("namespace")
            kind.server_side_apply(
                body=manifest, namespace=namespace, field_manager=FIELD_MANAGER, force_conflicts=True
            )

    def exists(self) -> bool:
        """Whether the namespace is there, e.g. because a run before was killed."""
        with contextlib.suppress(dynamic.exceptions.NotFoundError):
            self._kind("v1", "Namespace").get(name=self._names.namespace)
            return True
        return False

    def remove(self) -> None:
        """Delete the namespace and with it everything that was created."""
        namespaces, deadline = self._kind("v1", "Namespace"), time.monotonic() + GONE_WITHIN
        with contextlib.suppress(dynamic.exceptions.NotFoundError):
            namespaces.delete(name=self._names.namespace)
            # Its pods are members of the groups and readers of the topics that are deleted next.
            while time.monotonic() < deadline:
                namespaces.get(name=self._names.namespace)
                time.sleep(0.5)

    def wait_ready(self, colour: str, seconds: float) -> None:
        """Until every replica of a colour is Ready; DemoError that shows the pods when that does not come."""
        deployments, deadline = self._kind("apps/v1", "Deployment"), time.monotonic() + seconds
        while True:
            found = deployments.get(name=f"{APP}-{colour}", namespace=self._names.namespace).to_dict()
            if found.get("status", {}).get("readyReplicas", 0) == found["spec"]["replicas"]:
                return
            if time.monotonic() > deadline:
                pods = self._kind("v1", "Pod").get(namespace=self._names.namespace).to_dict()["items"]
                listed = "; ".join(f"{pod['metadata']['name']}: {pod['status']}" for pod in pods)
                raise DemoError(f"{APP}-{colour} is not ready after {seconds:.0f} s: {listed}")
            time.sleep(0.2)

    def data(self, config_map: str) -> dict[str, str] | None:
        """Data of a ConfigMap of the application, or None when it does not exist."""
        try:
            found = self._kind("v1", "ConfigMap").get(name=config_map, namespace=self._names.namespace).to_dict()
        except dynamic.exceptions.NotFoundError:
            return None
        return dict(found.get("data") or {})

    def patch_data(self, config_map: str, data: dict[str, str]) -> None:
        """Change some of a ConfigMap's data, as somebody with an editor would."""
        self._kind("v1", "ConfigMap").patch(
            name=config_map,
            namespace=self._names.namespace,
            body={"data": data},
            content_type="application/merge-patch+json",
        )

    def listed(self, api_version: str, kind: str) -> list[dict[str, Any]]:
        """Every object of a kind in the namespace."""
        return list(self._kind(api_version, kind).get(namespace=self._names.namespace).to_dict()["items"])

    def pod_names(self, colour: str) -> list[str]:
        """Names of a colour's pods that are not being deleted."""
        pods = self.listed("v1", "Pod")
        mine = [pod["metadata"] for pod in pods if pod["metadata"]["name"].startswith(f"{APP}-{colour}-")]
        return sorted(item["name"] for item in mine if not item.get("deletionTimestamp"))

    def set_image(self, colour: str, image: str) -> str:
        """Give a colour another image; returns the one it had."""
        deployments = self._kind("apps/v1", "Deployment")
        name, namespace = f"{APP}-{colour}", self._names.namespace
        container = deployments.get(name=name, namespace=namespace).to_dict()["spec"]["template"]["spec"]["containers"][
            0
        ]
        body = {"spec": {"template": {"spec": {"containers": [{"name": container["name"], "image": image}]}}}}
        deployments.patch(
            name=name, namespace=namespace, body=body, content_type="application/strategic-merge-patch+json"
        )
        return str(container["image"])

    def set_variable(self, colour: str, name: str, value: str) -> None:
        """Give the pods of a colour an environment variable, as another version of it would have."""
        deployments = self._kind("apps/v1", "Deployment")
        found = deployments.get(name=f"{APP}-{colour}", namespace=self._names.namespace).to_dict()
        container = found["spec"]["template"]["spec"]["containers"][0]["name"]
        changed = {"name": container, "env": [{"name": name, "value": value}]}
        deployments.patch(
            name=f"{APP}-{colour}",
            namespace=self._names.namespace,
            body={"spec": {"template": {"spec": {"containers": [changed]}}}},
            content_type="application/strategic-merge-patch+json",
        )

    def replicas(self, colour: str) -> int:
        """Replicas a colour is wanted to have."""
        found = self._kind("apps/v1", "Deployment").get(name=f"{APP}-{colour}", namespace=self._names.namespace)
        return int(found.to_dict()["spec"]["replicas"])

    def scale(self, colour: str, replicas: int) -> None:
        """Scale a colour, as an operator would by hand."""
        self._kind("apps/v1", "Deployment").patch(
            name=f"{APP}-{colour}",
            namespace=self._names.namespace,
            body={"spec": {"replicas": replicas}},
            content_type="application/merge-patch+json",
        )

    def _kind(self, api_version: str, kind: str) -> Any:
        return self._dynamic.resources.get(api_version=api_version, kind=kind)

    def operator_kubeconfig(self, out: Path) -> Path:
        """A kubeconfig for the operator's service account: the playbooks have its rights and no more."""
        return self.service_account_kubeconfig(OPERATOR, out / "operator.kubeconfig")

    def service_account_kubeconfig(self, account: str, path: Path) -> Path:
        """A kubeconfig file with a token of one service account."""
        wanted = client.AuthenticationV1TokenRequest(
            spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=7200)
        )
        created: Any = client.CoreV1Api(self._api).create_namespaced_service_account_token(
            account, self._names.namespace, wanted
        )
        settings = self._api.configuration
        cluster: dict[str, Any] = {"server": settings.host}
        if settings.ssl_ca_cert:
            cluster["certificate-authority-data"] = base64.b64encode(Path(settings.ssl_ca_cert).read_bytes()).decode()
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "demo", "cluster": cluster}],
            "users": [{"name": account, "user": {"token": created.status.token}}],
            "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": account}}],
            "current-context": "demo",
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    def _manifests(self) -> list[dict[str, Any]]:
        """The example's manifests with names, image and addresses of this demonstration."""
        found: list[dict[str, Any]] = []
        for path in sorted(MANIFESTS.glob("*.y*ml")):
            found += [item for item in yaml.safe_load_all(path.read_text(encoding="utf-8")) if item]
        # The namespace has to be there before what lives in it.
        return sorted((self._adapt(item) for item in found), key=lambda item: item["kind"] != "Namespace")

    def _adapt(self, item: dict[str, Any]) -> dict[str, Any]:
        names = self._names
        if item["kind"] == "Namespace":
            item["metadata"]["name"] = names.namespace
        else:
            item["metadata"]["namespace"] = names.namespace
        for subject in item.get("subjects", []):
            subject["namespace"] = names.namespace
        if item["kind"] == "Deployment":
            self._adapt_pods(item["spec"]["template"]["spec"], item["metadata"]["name"].rsplit("-", 1)[1])
        return item

    def _adapt_pods(self, pod: dict[str, Any], colour: str) -> None:
        names = self._names
        values = {
            "KAFKA_BOOTSTRAP_SERVERS": self._environment.bootstrap,
            "KAFKA_TOPICS": names.topic,
            "KAFKA_LEDGER_TOPIC": names.ledger,
            "KAFKA_CONSUMER_GROUP": names.group(colour),
        }
        for container in pod["containers"]:
            container["image"] = self._environment.image
            container["imagePullPolicy"] = self._environment.pull_policy
            for variable in container["env"]:
                if variable["name"] in values:
                    variable["value"] = values.pop(variable["name"])
            container["env"] += [{"name": name, "value": value} for name, value in values.items()]
