# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Port ``Consumers``: the pods' control endpoint, through the API server's pod proxy or straight to the pod's address."""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.api_server import (
    ApiServer,
    reason,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    ClusterError,
    InvalidSettingsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.headers import UNSENDABLE, sendable
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.endpoint import (
    POD_HEADER,
    TOKEN_HEADER,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import HttpCall, Reply

try:
    import urllib3
except ImportError:
    pass  # api_server.py says so before anything here is used

AT_ONCE = 16
"""Requests under way at the same time, as long as they are answered quickly. More connections only cost handshakes."""
PATIENCE = 0.1
"""Seconds after which a request is sent all the same: pods that hang must not hold up the others."""
THREADS = 256
POOLS = 512
"""Pods to which connections are kept open."""


class Transport(t.Protocol):
    """How one request reaches one pod."""

    def send(
        self, pod: Pod, method: str, path: str, body: bytes | None, headers: t.Mapping[str, str], timeout: float
    ) -> Reply:
        """The pod's reply, or one that says why there is none. May raise urllib3's HTTPError."""


class ApiProxy:
    """Through ``/api/v1/namespaces/NS/pods/POD:PORT/proxy``: works wherever the API server can be reached.

    The API server removes the ``Authorization`` header, so the pods know us only by a header of our own; and with https it
    does not check the pod's certificate.
    """

    def __init__(self, api: ApiServer, namespace: str, port: int, scheme: str = "http") -> None:
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/pods/{'https:' if scheme == 'https' else ''}%s:{port}/proxy"

    def send(
        self, pod: Pod, method: str, path: str, body: bytes | None, headers: t.Mapping[str, str], timeout: float
    ) -> Reply:
        """See Transport."""
        status, answer = self._api.send(method, self._path % pod.name + path, body, headers, timeout)
        parsed = _parse(answer)
        if isinstance(parsed, dict) and parsed.get("kind") == "Status" and parsed.get("apiVersion") == "v1":
            return Reply(
                pod.name, None, None, f"the API server could not pass the request on: {status}, {reason(answer)}"
            )
        return _reply(pod, status, answer, parsed)


class PodAddress:
    """Straight to the pod's IP: one hop less, where pod addresses are routed to us.

    tls: for https, otherwise None. server_name: what the pods' certificate is for; empty for the pod's address.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, server_name: str = "") -> None:
        self._port = port
        self._scheme = "https" if tls else "http"
        options: dict[str, t.Any] = {"ssl_context": tls} if tls else {}
        if tls and server_name:
            options |= {"server_hostname": server_name, "assert_hostname": server_name}
        self._pool = urllib3.PoolManager(num_pools=POOLS, **options)

    def send(
        self, pod: Pod, method: str, path: str, body: bytes | None, headers: t.Mapping[str, str], timeout: float
    ) -> Reply:
        """See Transport."""
        if not pod.ip:
            return Reply(pod.name, None, None, f"the pod has no address yet (phase {pod.phase})")
        address = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
        response = self._pool.request(
            method,
            f"{self._scheme}://{address}:{self._port}{path}",
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(total=timeout),
            retries=False,
            redirect=False,
        )
        return _reply(pod, response.status, response.data, _parse(response.data))


def tls_context(validate_certs: bool = True, ca_file: str = "", ca_data: str = "") -> ssl.SSLContext:
    """How https straight to a pod is checked. ca_file or ca_data (PEM): whom to trust instead of the system's list.

    Raises ClusterError for a CA that can't be read.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None, cadata=ca_data or None)
    except (OSError, ValueError) as error:
        where = f"file {ca_file}" if ca_file else "Secret of endpoint.ca_secret"
        raise ClusterError(f"The {where} holds no CA certificates in PEM that can be read: {error}") from error
    if not validate_certs:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class PodsAdapter:
    """Port ``Consumers``. base_path: in front of every path; token: sent as ``token_header`` when not empty."""

    def __init__(
        self,
        transport: Transport,
        base_path: str = "/actuator/kafka",
        token: str = "",
        token_header: str = TOKEN_HEADER,
    ) -> None:
        if not sendable(token):
            raise InvalidSettingsError([f"endpoint.token {UNSENDABLE}"])
        self._transport = transport
        self._base_path = base_path.rstrip("/")
        self._headers = {"Accept": "application/json", **({token_header: token} if token else {})}
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="bg-pod")
        self._turn = threading.Semaphore(AT_ONCE)
        # More slow pods than kept connections is no news for the operator.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)

    def send(self, pods: t.Collection[Pod], request: HttpCall, timeout: float) -> dict[str, Reply]:
        """See Consumers."""
        body = None if request.body is None else json.dumps(request.body, separators=(",", ":")).encode()
        headers = {**self._headers, **request.headers, **({} if body is None else {"Content-Type": "application/json"})}
        deadline = time.monotonic() + timeout
        futures = {pod.name: self._threads.submit(self._ask, pod, request, body, headers, deadline) for pod in pods}
        replies = {}
        for name, future in futures.items():
            try:
                replies[name] = future.result(timeout=max(0.0, deadline - time.monotonic()) + 0.05)
            except FutureTimeoutError:
                replies[name] = Reply(name, None, None, f"no answer to {_title(request)} within {timeout:g} s")
        return replies

    def _ask(
        self, pod: Pod, request: HttpCall, body: bytes | None, headers: t.Mapping[str, str], deadline: float
    ) -> Reply:
        mine = self._turn.acquire(timeout=PATIENCE)
        try:
            left = deadline - time.monotonic()
            if left <= 0:
                return Reply(pod.name, None, None, f"no time left to send {_title(request)}")
            path, mine_only = self._base_path + request.path, {**headers, POD_HEADER: pod.name}
            return self._transport.send(pod, request.method, path, body, mine_only, left)
        except urllib3.exceptions.HTTPError as error:
            return Reply(pod.name, None, None, f"no answer to {_title(request)}: {error}")
        except BlueGreenError as error:
            return Reply(pod.name, None, None, error.message)
        finally:
            if mine:
                self._turn.release()


def _title(request: HttpCall) -> str:
    return request.path.strip("/") or request.method


def _parse(answer: bytes) -> t.Any:
    try:
        return json.loads(answer)
    except ValueError:
        return None


def _reply(pod: Pod, status: int, answer: bytes, parsed: t.Any) -> Reply:
    if isinstance(parsed, dict):
        return Reply(pod.name, status, parsed, answer=parsed)
    shown = answer[:200].decode(errors="replace").strip()
    return Reply(
        pod.name, status, None, f"answered {status} with something that is not a JSON object: {shown!r}", answer=parsed
    )
