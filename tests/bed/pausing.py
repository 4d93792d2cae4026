# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of consumer_pause share: the use case on the real adapters, and pods that borrow Java from the node."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.pause_options import parse_settings
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.wiring import build_ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.pods.pause_consumers import pause_consumers
from tests.unit.waiting import HANG, finished


def pause(
    bed: t.Mapping[str, str], namespace: str, name: str, check: bool = False, **options: t.Any
) -> dict[str, t.Any]:
    """The module's result without the seconds that Ansible takes to start."""
    params = {
        "kind": "Deployment",
        "state": "paused",
        "dialect": "bg/v1",
        "targets": [],
        "custom_dialect": None,
        "epoch": 5,
        "standby": "hot",
        "timeout": float(HANG),
        "request_timeout": 10.0,
        "endpoint": {},
        "namespace": namespace,
        "name": name,
        "kubeconfig": bed["KUBECONFIG"],
        "api_server_timeout": 10.0,
        **options,
    }
    request, endpoint = parse_settings(params)
    return pause_consumers(build_ports(params, endpoint=endpoint), request, check)


def maven(*arguments: str, directory: Path) -> None:
    """Run Maven, which the test bed needs as well."""
    finished(["mvn", "--batch-mode", "--quiet", *arguments], cwd=directory, check=True)


def java_deployment(
    name: str,
    replicas: int,
    script: str,
    folders: t.Mapping[str, str],
    env: t.Mapping[str, str],
    probe: dict[str, t.Any],
) -> dict[str, t.Any]:
    """A workload whose pods run a shell script with the node's Java. folders: path in the pod to path on the node."""
    mounts = {"/usr/lib/jvm": "/usr/lib/jvm", "/etc/java-17-openjdk": "/etc/java-17-openjdk", **folders}
    container = {
        "name": "java",
        "image": "testbed.invalid/base:1",
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", script],
        "env": [
            *({"name": key, "value": value} for key, value in env.items()),
            {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
        "readinessProbe": {"httpGet": probe, "periodSeconds": 1, "timeoutSeconds": 5},
        "volumeMounts": [{"name": f"v{n}", "mountPath": path, "readOnly": True} for n, path in enumerate(mounts)],
    }
    spec = {
        "dnsPolicy": "Default",
        "terminationGracePeriodSeconds": 5,
        "containers": [container],
        "volumes": [{"name": f"v{n}", "hostPath": {"path": path}} for n, path in enumerate(mounts.values())],
    }
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }
