"""Kubernetes of the bed: one binary from source, its components' flags and configuration files."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from testbed import cache, certificates, containers, settings
from testbed.processes import NO_PROXY, CommandError, run
from testbed.progress import remaining
from testbed.settings import Settings

SOURCE = Path(__file__).parent / "kubernetes"
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
CONFIG = settings.STATE_DIR / "config"
KUBELET_ROOT = settings.STATE_DIR / "kubelet"
POD_LOGS = settings.STATE_DIR / "pod-logs"
VERSION_VARIABLES = {
    "k8s.io/component-base/version.gitVersion": f"v{settings.KUBERNETES_VERSION}",
    "k8s.io/component-base/version.gitMajor": settings.KUBERNETES_VERSION.split(".")[0],
    "k8s.io/component-base/version.gitMinor": settings.KUBERNETES_VERSION.split(".")[1],
    "k8s.io/client-go/pkg/version.gitVersion": f"v{settings.KUBERNETES_VERSION}",
}
BUILD_TIMEOUT = 3600.0


def binary_key() -> str:
    """Cache key of the binary."""
    return cache.key(*(SOURCE / name for name in ("main.go", "go.mod", "go.sum")), json.dumps(VERSION_VARIABLES))


def binaries() -> Path:
    """Directory with one link for each component."""
    return cache.entry_path("kubernetes", binary_key()) / "bin"


def kubectl_directory() -> Path:
    """Directory that holds nothing but ``kubectl``, fit for a user's PATH."""
    return cache.entry_path("kubernetes", binary_key()) / "kubectl"


def build(go: Path, report: Callable[[str], None]) -> Path:
    """Return the cache entry of the binary, building it from source first when it is not there.

    Args:
        go: the Go tool.
        report: called with a line of progress from time to time.
    """

    def make(directory: Path) -> None:
        (directory / "bin").mkdir()
        (directory / "kubectl").mkdir()
        _go_build(go, directory / "bin" / "kubernetes", report)
        for name in COMPONENTS:
            (directory / "bin" / name).symlink_to("kubernetes")
        (directory / "kubectl" / "kubectl").symlink_to("../bin/kubernetes")

    return cache.entry("kubernetes", binary_key(), make)


def _go_build(go: Path, output: Path, report: Callable[[str], None]) -> None:
    """Compile; ``go build -v`` names each package it compiles, which is the progress."""
    # Settings of the user such as GOPROXY and GOFLAGS stay in force; a newer tool chain must not be fetched.
    environment = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    report("fetching modules")
    run([go, "mod", "download"], directory=SOURCE, environment=environment, timeout=BUILD_TIMEOUT)
    packages = run([go, "list", "-deps", "."], directory=SOURCE, environment=environment, timeout=600)
    variables = " ".join(f"-X {name}={value}" for name, value in VERSION_VARIABLES.items())
    command = [str(go), "build", "-v", "-trimpath", "-ldflags", f"-s -w {variables}", "-o", str(output), "."]
    _watch(command, environment, total=len(packages.split()), report=report)


def _watch(command: list[str], environment: dict[str, str], *, total: int, report: Callable[[str], None]) -> None:
    full = {**os.environ, **environment}
    begin = reported = time.monotonic()
    done, tail = 0, [""]
    with subprocess.Popen(command, cwd=SOURCE, env=full, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            done += 1
            tail = [*tail[-20:], line]
            if time.monotonic() - reported > 15:
                reported = time.monotonic()
                report(f"{done} of {total} packages, {remaining(done, total, reported - begin)}")
    if process.returncode != 0:
        raise CommandError(f"go build of Kubernetes failed with exit code {process.returncode}\n{''.join(tail)}")


def etcd_command() -> list[str]:
    """The store of the API server; it listens inside the control plane's network namespace only."""
    flags = ["--name=testbed", f"--data-dir={settings.STATE_DIR / 'etcd'}"]
    # The bed's data need not outlive a power cut, and the disk is shared with everything else.
    return [str(binaries() / "etcd"), *flags, "--unsafe-no-fsync", "--log-level=warn"]


def apiserver_command(chosen: Settings) -> list[str]:
    """The API server. Its port is 443 because that is what pods are told by KUBERNETES_SERVICE_PORT."""
    cert, key = certificates.certificate, certificates.private_key
    return [
        str(binaries() / "kube-apiserver"),
        f"--advertise-address={chosen.control_address}",
        "--secure-port=443",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={settings.SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--client-ca-file={certificates.CA_FILE}",
        f"--tls-cert-file={cert('apiserver')}",
        f"--tls-private-key-file={key('apiserver')}",
        f"--kubelet-client-certificate={cert('apiserver-kubelet-client')}",
        f"--kubelet-client-key={key('apiserver-kubelet-client')}",
        f"--kubelet-certificate-authority={certificates.CA_FILE}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={cert('service-accounts')}",
        f"--service-account-signing-key-file={key('service-accounts')}",
    ]


def controller_manager_command(chosen: Settings) -> list[str]:
    """The controllers: Deployments, service accounts, namespaces and the rest."""
    kubeconfig = kubeconfig_file("controller-manager")
    return [
        str(binaries() / "kube-controller-manager"),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        *_serving_flags(chosen),
        "--leader-elect=false",
        "--use-service-account-credentials",
        f"--root-ca-file={certificates.CA_FILE}",
        f"--service-account-private-key-file={certificates.private_key('service-accounts')}",
    ]


def _serving_flags(chosen: Settings) -> list[str]:
    """Where controller manager and scheduler answer health checks."""
    return [
        f"--bind-address={chosen.control_address}",
        f"--tls-cert-file={certificates.certificate('control-plane')}",
        f"--tls-private-key-file={certificates.private_key('control-plane')}",
    ]


def scheduler_command(chosen: Settings) -> list[str]:
    """The scheduler."""
    kubeconfig = kubeconfig_file("scheduler")
    flags = [
        f"--{name}={kubeconfig}" for name in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    ]
    return [str(binaries() / "kube-scheduler"), *flags, *_serving_flags(chosen), "--leader-elect=false"]


def kubelet_command(chosen: Settings) -> list[str]:
    """The kubelet; it is the only part of the control plane that runs in the host's network namespace."""
    return [
        str(binaries() / "kubelet"),
        f"--config={CONFIG / 'kubelet.json'}",
        f"--kubeconfig={kubeconfig_file('kubelet-client')}",
        f"--root-dir={KUBELET_ROOT}",
        f"--cert-dir={KUBELET_ROOT / 'pki'}",
        f"--hostname-override={settings.NODE_NAME}",
        # Must not be loopback, or the API server refuses to proxy to pods and kubelet.
        f"--node-ip={chosen.bridge_address}",
    ]


def kubelet_config(chosen: Settings) -> str:
    """Text of the kubelet's configuration file."""
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": chosen.bridge_address,
        "healthzPort": 0,
        "readOnlyPort": 0,
        "containerRuntimeEndpoint": f"unix://{containers.SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{settings.CGROUP}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        # Its canary chains would be firewall rules left behind; nothing here needs them.
        "makeIPTablesUtilChains": False,
        "maxPods": settings.MAX_PODS,
        "podLogsDir": str(POD_LOGS),
        "volumePluginDir": str(KUBELET_ROOT / "volume-plugins"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(certificates.CA_FILE)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(certificates.certificate("kubelet")),
        "tlsPrivateKeyFile": str(certificates.private_key("kubelet")),
        # A full disk of the user is no reason to drop images that were imported and cannot be pulled again.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
    }
    return json.dumps(config, indent=2) + "\n"


def kubeconfig(client: str, chosen: Settings) -> str:
    """Text of a kubeconfig for one of ``certificates.CLIENTS``; it holds the certificates, so it can be copied."""

    def encoded(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    cluster = {
        "server": f"https://{chosen.control_address}:443",
        "certificate-authority-data": encoded(certificates.CA_FILE),
    }
    user = {
        "client-certificate-data": encoded(certificates.certificate(client)),
        "client-key-data": encoded(certificates.private_key(client)),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": cluster}],
        "users": [{"name": client, "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": client}}],
        "current-context": "testbed",
    }
    return json.dumps(config, indent=2) + "\n"


def kubeconfig_file(client: str) -> Path:
    """Where the kubeconfig of ``client`` is written."""
    return CONFIG / f"{client}.kubeconfig"


def write_config(chosen: Settings) -> None:
    """Write the kubelet's configuration and all kubeconfig files."""
    (CONFIG / "kubelet.json").write_text(kubelet_config(chosen))
    for client in ("admin", "controller-manager", "scheduler", "kubelet-client"):
        kubeconfig_file(client).touch(mode=0o600)
        kubeconfig_file(client).write_text(kubeconfig(client, chosen))


def kubectl(*arguments: str, text_input: str | None = None, timeout: float = 30, check: bool = True) -> str:
    """Call kubectl as cluster administrator."""
    program = kubectl_directory() / "kubectl"
    credentials = f"--kubeconfig={kubeconfig_file('admin')}"
    return run(
        [program, credentials, *arguments], environment=NO_PROXY, text_input=text_input, timeout=timeout, check=check
    )


def remove_traces() -> None:
    """Remove what the kubelet makes in fixed places outside of its own directory: links to pod logs, a socket."""
    directory = Path("/var/log/containers")
    for link in directory.glob("*.log") if directory.is_dir() else []:
        if link.is_symlink() and str(link.readlink()).startswith(str(POD_LOGS)):
            link.unlink()
    if settings.KUBELET_SOCKET.is_socket() and not other_kubelet():
        settings.KUBELET_SOCKET.unlink()


def other_kubelet() -> bool:
    """Whether a kubelet answers at the socket whose place is the same for every kubelet of a machine."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2)
        try:
            client.connect(str(settings.KUBELET_SOCKET))
        except OSError:
            return False
    return True
