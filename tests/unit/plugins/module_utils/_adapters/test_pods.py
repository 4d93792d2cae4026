# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands to pods: every way a pod can answer, or not."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
import urllib3

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.api_server import ApiServer
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.pods import (
    ApiProxy,
    PodAddress,
    PodsAdapter,
    tls_context,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.system import ThreadParallel
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ClusterError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.bg_v1 import STATUS, pause
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import HttpCall
from ansible_collections.streamops.bluegreen.tests.unit.fakes.http_server import HttpServer
from ansible_collections.streamops.bluegreen.tests.unit.waiting import HANG, NEVER, ended

P1, P2 = Pod("p1", "u1", ip="127.0.0.1"), Pod("p2", "u2", ip="127.0.0.1")


def route(pod: Pod) -> str:
    return f"/api/v1/namespaces/n/pods/{pod.name}:8080/proxy/actuator/kafka"


@pytest.fixture
def proxy(api: ApiServer) -> PodsAdapter:
    """Through the API server."""
    return PodsAdapter(ApiProxy(api, "n", 8080), token="t0ken")


def test_a_command_reaches_every_pod(proxy: PodsAdapter, server: HttpServer) -> None:
    for pod in (P1, P2):
        server.answers[f"POST {route(pod)}/pause"] = [(200, {"pod": pod.name})]
    replies = proxy.send([P1, P2], pause(7, 0), HANG)
    assert {name: (reply.status, reply.body, reply.error) for name, reply in replies.items()} == {
        "p1": (200, {"pod": "p1"}, ""),
        "p2": (200, {"pod": "p2"}, ""),
    }
    headers = server.requests[0].headers
    assert (headers["X-BG-Epoch"], headers["X-BG-Token"]) == ("7", "t0ken")
    assert server.requests[0].body == {"epoch": 7, "mode": "drain", "waitMs": 0, "leaveGroup": False}


def test_a_status_is_a_get(proxy: PodsAdapter, server: HttpServer) -> None:
    server.answers[f"GET {route(P1)}/status"] = [(200, {"state": "ACTIVE"})]
    assert proxy.send([P1], STATUS, HANG)["p1"].body == {"state": "ACTIVE"}
    assert "X-BG-Epoch" not in server.requests[0].headers


def test_no_pods_is_no_request(proxy: PodsAdapter, server: HttpServer) -> None:
    assert proxy.send([], STATUS, HANG) == {}
    assert server.requests == []


def test_a_refusal_of_the_pod_is_passed_on(proxy: PodsAdapter, server: HttpServer) -> None:
    server.answers[f"POST {route(P1)}/pause"] = [(409, {"error": "stale_epoch", "epoch": 9})]
    reply = proxy.send([P1], pause(7, 0), HANG)["p1"]
    assert (reply.status, reply.body) == (409, {"error": "stale_epoch", "epoch": 9})


@pytest.mark.parametrize(
    ("status", "message"),
    [(404, 'pods "p1" not found'), (503, "error trying to reach service: connection refused"), (403, "forbidden")],
)
def test_what_the_api_server_says_is_not_the_pods_answer(
    proxy: PodsAdapter, server: HttpServer, status: int, message: str
) -> None:
    body = {"kind": "Status", "apiVersion": "v1", "message": message, "code": status}
    server.answers[f"POST {route(P1)}/pause"] = [(status, body)]
    reply = proxy.send([P1], pause(7, 0), HANG)["p1"]
    assert (reply.status, reply.body) == (None, None)
    assert reply.error == f"the API server could not pass the request on: {status}, {message}"


def test_a_pods_own_503_is_its_answer(proxy: PodsAdapter, server: HttpServer) -> None:
    server.answers[f"POST {route(P1)}/pause"] = [(503, {"error": "starting"})]
    assert proxy.send([P1], pause(7, 0), HANG)["p1"].status == 503


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b""])
def test_something_else_than_json(proxy: PodsAdapter, server: HttpServer, body: bytes) -> None:
    server.answers[f"GET {route(P1)}/status"] = [(200, body)]
    reply = proxy.send([P1], STATUS, HANG)["p1"]
    assert reply.body is None
    assert "not a JSON object" in reply.error


def test_one_slow_pod_does_not_hold_up_the_others(proxy: PodsAdapter, server: HttpServer) -> None:
    server.together = threading.Barrier(2)  # neither is answered before both were asked
    for pod in (P1, P2):
        server.answers[f"GET {route(pod)}/status"] = [(200, {})]
    replies = proxy.send([P1, P2], STATUS, HANG)
    assert [(reply.status, reply.error) for reply in replies.values()] == [(200, "")] * 2, "both were asked at once"


def test_the_timeout_is_for_all(proxy: PodsAdapter, server: HttpServer) -> None:
    server.delay = NEVER
    reply = ended("a call", lambda: proxy.send([P1], STATUS, 0.3))["p1"]
    assert reply.status is None
    assert "no answer to status" in reply.error


def test_the_timeout_is_for_a_request_that_hangs_in_spite_of_its_own() -> None:
    over = threading.Event()

    class Hanging:
        def send(self, *_arguments: object) -> object:
            over.wait(NEVER)
            raise urllib3.exceptions.HTTPError("too late")

    adapter = PodsAdapter(Hanging())  # type: ignore[arg-type]
    reply = ended("a call", lambda: adapter.send([P1], STATUS, 0.3))["p1"]
    over.set()
    assert (reply.status, reply.error) == (None, "no answer to status within 0.3 s")


def test_any_request_with_any_json_as_answer(api: ApiServer, server: HttpServer) -> None:
    server.answers["PUT /api/v1/namespaces/n/pods/p1:8080/proxy/bindings/in-0"] = [(200, [{"state": "paused"}])]
    other = PodsAdapter(ApiProxy(api, "n", 8080), "/bindings", "t0ken", "X-Control")
    reply = other.send([P1], HttpCall("PUT", "/in-0", {"state": "PAUSED"}), HANG)["p1"]
    assert (reply.status, reply.body, reply.answer) == (200, None, [{"state": "paused"}])
    headers = server.requests[0].headers
    assert (headers["X-Control"], headers["Content-Type"]) == ("t0ken", "application/json")
    assert "X-BG-Epoch" not in headers


def test_https_through_the_proxy_is_in_the_path(api: ApiServer, server: HttpServer) -> None:
    server.answers["GET /api/v1/namespaces/n/pods/https:p1:8443/proxy/status"] = [(200, {"state": "ACTIVE"})]
    reply = PodsAdapter(ApiProxy(api, "n", 8443, "https"), "").send([P1], STATUS, HANG)["p1"]
    assert reply.body == {"state": "ACTIVE"}


def test_a_hundred_hung_pods_do_not_hold_up_the_last_one(api: ApiServer, server: HttpServer) -> None:
    """They hang until it was answered, so it is not if it has to wait for any of them."""
    answered = threading.Event()

    class Hanging:
        def send(self, pod: Pod, *arguments: object) -> object:
            if pod.name != "p1":
                raise urllib3.exceptions.HTTPError("p1 was first" if answered.wait(HANG) else "p1 had to wait")
            reply = ApiProxy(api, "n", 8080).send(pod, *arguments)  # type: ignore[arg-type]
            answered.set()
            return reply

    server.answers[f"GET {route(P1)}/status"] = [(200, {"state": "ACTIVE"})]
    pods = [*(Pod(f"hung-{n}", f"u{n}") for n in range(100)), P1]
    replies = PodsAdapter(Hanging()).send(pods, STATUS, NEVER)  # type: ignore[arg-type]
    assert [name for name, reply in replies.items() if reply.status] == ["p1"]
    assert {reply.error for name, reply in replies.items() if name != "p1"} == {"no answer to status: p1 was first"}


def test_whom_https_trusts(tmp_path: Path) -> None:
    checked, unchecked = tls_context(), tls_context(validate_certs=False)
    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (unchecked.verify_mode, unchecked.check_hostname) == (ssl.CERT_NONE, False)
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing", encoding="utf-8")
    with pytest.raises(ClusterError, match=rf"The file {empty} holds no CA certificates"):
        tls_context(ca_file=str(empty))
    with pytest.raises(ClusterError, match=r"The Secret of endpoint\.ca_secret holds no CA certificates"):
        tls_context(ca_data="nothing")


def test_straight_to_the_pod(server: HttpServer) -> None:
    server.answers["POST /bg/pause"] = [(202, {"state": "PAUSING"})]
    direct = PodsAdapter(PodAddress(server.port), base_path="/bg/")
    assert direct.send([P1], pause(1, 0), HANG)["p1"].status == 202
    assert "X-BG-Token" not in server.requests[0].headers


def test_a_pod_without_address() -> None:
    reply = PodsAdapter(PodAddress(1)).send([Pod("p", "u", phase="Pending")], STATUS, HANG)["p"]
    assert (reply.status, reply.error) == (None, "the pod has no address yet (phase Pending)")


def test_a_closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    reply = PodsAdapter(PodAddress(port)).send([P1], STATUS, HANG)["p1"]
    assert reply.status is None
    assert "refused" in reply.error


def test_parallel_calls_all_end_before_the_first_error_is_raised() -> None:
    done = []
    failed = threading.Event()
    together = threading.Barrier(2)

    def meet() -> int:
        together.wait(HANG)
        return 1

    def slow() -> int:
        failed.wait(HANG)
        time.sleep(0.2)  # whoever raises the first error at once does it meanwhile
        done.append("slow")
        return 1

    def broken() -> int:
        failed.set()
        raise ValueError("broken")

    parallel = ThreadParallel()
    assert parallel.run({}) == {}
    assert parallel.run({"a": meet, "b": meet}) == {"a": 1, "b": 1}, "one waits for the other"
    with pytest.raises(ValueError, match="broken"):
        parallel.run({"a": broken, "b": slow})
    assert done == ["slow"]
    assert parallel.run({"outer": lambda: parallel.run({"inner": lambda: 2})}) == {"outer": {"inner": 2}}


def test_a_request_names_its_pod(proxy: PodsAdapter, server: HttpServer) -> None:
    """An address is used again: the pod that has it now must be able to tell that it is not meant."""
    server.answers[f"POST {route(P1)}/pause"] = server.answers[f"GET {route(P2)}/status"] = [(200, {})]
    proxy.send([P1], pause(1, 0), 5.0)
    proxy.send([P2], STATUS, 5.0)
    assert [request.headers["X-BG-Pod"] for request in server.requests] == ["p1", "p2"]
