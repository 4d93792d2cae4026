"""What a bed is made of: its programs with their arguments, its probe, and one hash over all of it."""

from __future__ import annotations

import json

from testbed import cache, containers, control_plane, images, kafka, network, secured, settings
from testbed.settings import Settings
from testbed.supervision import Program


def config_hash(chosen: Settings) -> str:
    """Hash of everything the bed is made from; beds with the same hash are the same, whichever checkout made them."""
    commands = json.dumps([[program.name, list(program.command)] for program in programs(chosen)])
    properties = [kafka.log_config(), *secured.format_options()] + [
        kafka.server_properties(number, chosen) for number in range(1, settings.BROKER_COUNT + 1)
    ]
    container_texts = [
        containers.containerd_config(images.PAUSE_NAME, restrict_oom=False),
        containers.cni_config(chosen),
    ]
    kubernetes_texts = [control_plane.kubelet_config(chosen), control_plane.binary_key(), probe_manifest()]
    return cache.key(commands, *properties, *container_texts, *kubernetes_texts, kafka.jars_key(), images.root_key())


def programs(chosen: Settings) -> list[Program]:
    """All parts in the order they are started."""
    members = network.members(chosen)
    control = members[-1]
    brokers = [
        Program(f"kafka-{number}", network.inside(members[number - 1], kafka.broker_command(number, chosen)))
        for number in range(1, settings.BROKER_COUNT + 1)
    ]
    return [
        Program("etcd", network.inside(control, control_plane.etcd_command())),
        Program("kube-apiserver", network.inside(control, control_plane.apiserver_command(chosen))),
        Program("containerd", containers.command()),
        *brokers,
        Program(
            "kube-controller-manager", network.inside(control, control_plane.controller_manager_command(chosen)), False
        ),
        Program("kube-scheduler", network.inside(control, control_plane.scheduler_command(chosen)), False),
        Program("kubelet", control_plane.kubelet_command(chosen), False),
    ]


def probe_manifest() -> str:
    """A pod that answers HTTP: the proof that containers, pod network and pod proxy work."""
    container = {
        "name": "probe",
        "image": images.BASE_NAME,
        "imagePullPolicy": "Never",
        "command": ["python3", "-m", "http.server", str(settings.PROBE_PORT), "--directory", "/srv"],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": settings.PROBE_POD, "namespace": settings.SYSTEM_NAMESPACE},
        # A probe that does not end on SIGTERM must not hold up the end of its namespace.
        "spec": {"containers": [container], "dnsPolicy": "Default", "terminationGracePeriodSeconds": 1},
    }
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": settings.SYSTEM_NAMESPACE}}
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [namespace, pod]}, indent=2)
