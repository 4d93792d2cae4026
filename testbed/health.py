"""Ask every part of the bed something real, and say who answered."""

from __future__ import annotations

import json
import ssl
import time
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from testbed import certificates, containers, control_plane, metadata, settings, supervision
from testbed.processes import CommandError
from testbed.settings import Settings

API_PATH = "/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/"


class UnhealthyError(Exception):
    """A part does not answer as it should; the message says what was seen."""


@dataclass(frozen=True)
class Part:
    """A part of the bed.

    Attributes:
        name: name in the supervisor, or of the probe.
        address: where it listens, for people.
        check: returns when the part answered a real request and raises UnhealthyError when not.
        supervised: it is a process of the supervisor, not a pod.
    """

    name: str
    address: str
    check: Callable[[], None]
    supervised: bool = True


@dataclass(frozen=True)
class Result:
    """Outcome of one check; ``problem`` is empty when the part is healthy."""

    part: Part
    pid: int
    problem: str


def parts(chosen: Settings) -> list[Part]:
    """All parts in the order of the table."""
    brokers = [
        Part(f"kafka-{number}", f"{chosen.broker_address(number)}:9092", _broker_check(number, chosen))
        for number in range(1, settings.BROKER_COUNT + 1)
    ]
    control = chosen.control_address
    return [
        *brokers,
        Part("etcd", f"127.0.0.1:2379 in {settings.CONTROL_NAMESPACE}", _ready_check("etcd")),
        Part("kube-apiserver", f"{control}:443", _ready_check("")),
        Part(
            "kube-controller-manager", f"{control}:10257", lambda: check_health_page(f"https://{control}:10257/healthz")
        ),
        Part("kube-scheduler", f"{control}:10259", lambda: check_health_page(f"https://{control}:10259/healthz")),
        Part("containerd", str(containers.SOCKET), check_containerd),
        Part("kubelet", f"{chosen.bridge_address}:10250", check_node),
        Part("probe", f"pod {settings.SYSTEM_NAMESPACE}/{settings.PROBE_POD}", check_pod_proxy, supervised=False),
    ]


def check_all(asked: Sequence[Part]) -> list[Result]:
    """Check parts at once; takes as long as the slowest."""
    processes = supervision.running()

    def one(part: Part) -> Result:
        process = processes.get(part.name, supervision.Running("no process", 0))
        if part.supervised and process.state != "RUNNING":
            return Result(part, process.pid, f"supervisor says {process.state}")
        return Result(part, process.pid, problem_of(part.check))

    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(one, asked))


def problem_of(check: Callable[[], None]) -> str:
    """Run a check; return what is wrong in one line, or nothing."""
    try:
        check()
    except (UnhealthyError, CommandError) as error:
        return " ".join(str(error).split())[-300:]
    return ""


def wait(name: str, checks: Sequence[Callable[[], None]], timeout: float) -> None:
    """Repeat checks until each one passed.

    Raises:
        UnhealthyError: one still fails after ``timeout`` seconds; the message holds what it saw last.
    """
    deadline = time.monotonic() + timeout
    for check in checks:
        while problem := problem_of(check):
            if time.monotonic() > deadline:
                raise UnhealthyError(f"{name} is not ready after {timeout:.0f} s: {problem}")
            time.sleep(0.25)


def check_broker(number: int, chosen: Settings) -> None:
    """Ask one broker for the metadata of the cluster; it must name all three brokers."""
    address = chosen.broker_address(number)
    try:
        known = metadata.brokers_known_to(address, 9092)
    except metadata.MetadataError as error:
        raise UnhealthyError(str(error)) from error
    if known != list(range(1, settings.BROKER_COUNT + 1)):
        raise UnhealthyError(f"broker {address}:9092 knows the brokers {known} only")


def check_api() -> None:
    """The API server must say that it is ready to serve."""
    _ready_check("")()


def check_health_page(url: str) -> None:
    """A component must say ``ok`` at its health page, with a certificate of the bed's authority."""
    try:
        context = ssl.create_default_context(cafile=str(certificates.CA_FILE))
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        with urllib.request.build_opener(*handlers).open(url, timeout=10) as answer:
            text = answer.read().decode()
    except OSError as error:
        raise UnhealthyError(f"{url}: {error}") from error
    if text.strip() != "ok":
        raise UnhealthyError(f"{url} says {text.strip()}")


def check_controllers() -> None:
    """The controller manager must have made the service account every pod needs."""
    control_plane.kubectl("get", "serviceaccount", "default", "--namespace=default", "--output=name", timeout=10)


def check_containerd() -> None:
    """The container runtime must answer and hold the bed's images."""
    containers.ctr("version", timeout=10)


def check_node() -> None:
    """The node must be Ready, as the API server sees it."""
    node = json.loads(control_plane.kubectl("get", "node", settings.NODE_NAME, "--output=json", timeout=10))
    conditions = {row["type"]: row for row in node["status"]["conditions"]}
    ready = conditions.get("Ready", {"status": "Unknown", "message": "the kubelet said nothing yet"})
    if ready["status"] != "True":
        raise UnhealthyError(f"node {settings.NODE_NAME} is not Ready: {ready['message']}")


def check_pod_proxy() -> None:
    """A pod must answer through the API server's pod proxy."""
    path = API_PATH.format(namespace=settings.SYSTEM_NAMESPACE, pod=settings.PROBE_POD, port=settings.PROBE_PORT)
    control_plane.kubectl("get", "--raw", path, timeout=10)


def _broker_check(number: int, chosen: Settings) -> Callable[[], None]:
    return lambda: check_broker(number, chosen)


def _ready_check(name: str) -> Callable[[], None]:
    def check() -> None:
        answer = control_plane.kubectl("get", "--raw", f"/readyz/{name}".rstrip("/"), timeout=10)
        if answer.strip() != "ok":
            raise UnhealthyError(f"the API server is not ready: {answer.strip()}")

    return check
