# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Port ``Consumers``: the pods' control endpoint, through the API server's pod proxy or straight to the pod's address."""

from __future__ import annotations

import json
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.api_server import ApiServer, reason
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import BlueGreenError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import Pod, Reply

try:
    import urllib3
except ImportError:
    pass  # api_server says so before anything here is used

AT_ONCE = 64
"""Pods asked at the same time."""


class Transport(t.Protocol):
    """How one request reaches one pod."""

    def send(
        self, pod: Pod, method: str, path: str, body: bytes | None, headers: t.Mapping[str, str], timeout: float
    ) -> Reply:
        """The pod's reply, or one that says why there is none. May raise urllib3's HTTPError."""


class ApiProxy:
    """Through ``/api/v1/namespaces/NS/pods/POD:PORT/proxy``: works wherever the API server can be reached.

    The API server removes the ``Authorization`` header, so the pods know us only by a header of our own.
    """

    def __init__(self, api: ApiServer, namespace: str, port: int) -> None:
        self._api = api
        self._namespace = namespace
        self._port = port

    def send(
        self, pod: Pod, method: str, path: str, body: bytes | None, headers: t.Mapping[str, str], timeout: float
    ) -> Reply:
        """See Transport."""
        url = f"/api/v1/namespaces/{self._namespace}/pods/{pod.name}:{self._port}/proxy{path}"
        status, answer = self._api.send(method, url, body, headers, timeout)
        parsed = _parse(answer)
        if parsed is not None and parsed.get("kind") == "Status" and parsed.get("apiVersion") == "v1":
            return Reply(
                pod.name, None, None, f"the API server could not pass the request on: {status}, {reason(answer)}"
            )
        return _reply(pod, status, answer, parsed)


class PodAddress:
    """Straight to the pod's IP: one hop less, where pod addresses are routed to us."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._pool = urllib3.PoolManager(num_pools=AT_ONCE)

    def send(
        self, pod: Pod, method: str, path: str, body: bytes | None, headers: t.Mapping[str, str], timeout: float
    ) -> Reply:
        """See Transport."""
        if not pod.ip:
            return Reply(pod.name, None, None, f"the pod has no address yet (phase {pod.phase})")
        address = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
        response = self._pool.request(
            method,
            f"http://{address}:{self._port}{path}",
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(total=timeout),
            retries=False,
            redirect=False,
        )
        return _reply(pod, response.status, response.data, _parse(response.data))


class PodsAdapter:
    """Port ``Consumers``. base_path: in front of every command; token: sent as ``X-BG-Token`` when not empty."""

    def __init__(self, transport: Transport, base_path: str = "/actuator/kafka", token: str = "") -> None:
        self._transport = transport
        self._base_path = base_path.rstrip("/")
        self._token = token
        self._threads = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="bg-pod")

    def call(
        self, pods: t.Collection[Pod], command: str, body: t.Mapping[str, t.Any] | None, timeout: float
    ) -> dict[str, Reply]:
        """Send one command (body None is a read) to all pods in parallel; one reply per pod name.

        Never raises for a pod. ``timeout`` in seconds is for the whole fan-out.
        """
        encoded = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"Accept": "application/json"}
        if self._token:
            headers["X-BG-Token"] = self._token
        if body is not None:
            headers["Content-Type"] = "application/json"
            headers["X-BG-Epoch"] = str(body.get("epoch", ""))
        deadline = time.monotonic() + timeout
        futures = {pod.name: self._threads.submit(self._ask, pod, command, encoded, headers, deadline) for pod in pods}
        replies = {}
        for name, future in futures.items():
            try:
                replies[name] = future.result(timeout=max(0.0, deadline - time.monotonic()) + 0.05)
            except FutureTimeoutError:
                replies[name] = Reply(name, None, None, f"no answer to {command} within {timeout:g} s")
        return replies

    def _ask(self, pod: Pod, command: str, body: bytes | None, headers: t.Mapping[str, str], deadline: float) -> Reply:
        left = deadline - time.monotonic()
        if left <= 0:
            return Reply(pod.name, None, None, f"no time left to send {command}")
        try:
            return self._transport.send(
                pod, "GET" if body is None else "POST", f"{self._base_path}/{command}", body, headers, left
            )
        except urllib3.exceptions.HTTPError as error:
            return Reply(pod.name, None, None, f"no answer to {command}: {error}")
        except BlueGreenError as error:
            return Reply(pod.name, None, None, error.message)


def _parse(answer: bytes) -> dict[str, t.Any] | None:
    try:
        parsed = json.loads(answer)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _reply(pod: Pod, status: int, answer: bytes, parsed: dict[str, t.Any] | None) -> Reply:
    if parsed is None:
        shown = answer[:200].decode(errors="replace").strip()
        return Reply(pod.name, status, None, f"answered {status} with something that is not a JSON object: {shown!r}")
    return Reply(pod.name, status, parsed)
