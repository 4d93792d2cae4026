# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to the API server: what is tried again, what is not, and what the user is told."""

from __future__ import annotations

import inspect
import socket
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernetes.core.plugins.module_utils.k8s import client as kubernetes_core

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.api_server import (
    ApiServer,
    reason,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ClusterError, ConflictError
from ansible_collections.streamops.bluegreen.tests.unit.fakes.http_server import HttpServer
from ansible_collections.streamops.bluegreen.tests.unit.waiting import ended

PATH = "/api/v1/namespaces/n/configmaps/x"
FORBIDDEN = {"kind": "Status", "message": 'configmaps "x" is forbidden: User "u" cannot get', "code": 403}


def test_a_read_carries_the_token(api: ApiServer, server: HttpServer) -> None:
    server.answers[f"GET {PATH}"] = [(200, {"kind": "ConfigMap"})]
    assert api.read("ConfigMap n/x", PATH, {"labelSelector": "a=b"}) == {"kind": "ConfigMap"}
    (request,) = server.requests
    assert request.headers["Authorization"] == "Bearer secret"
    assert request.path == f"{PATH}?labelSelector=a%3Db"


def test_what_is_not_there_is_none(api: ApiServer) -> None:
    assert api.read("ConfigMap n/x", PATH) is None
    assert api.write("replace", "ConfigMap n/x", "PUT", PATH, {}) is None


@pytest.mark.parametrize("status", [429, 500, 503, 504])
def test_a_read_is_tried_again(api: ApiServer, server: HttpServer, status: int) -> None:
    server.answers[f"GET {PATH}"] = [(status, {"message": "not now"}), (200, {"kind": "ConfigMap"})]
    assert api.read("ConfigMap n/x", PATH) == {"kind": "ConfigMap"}


def test_a_read_that_keeps_failing_ends_in_time(server: HttpServer) -> None:
    api = ApiServer({"host": f"http://127.0.0.1:{server.port}", "api_key": "secret"}, timeout=1.0)
    server.answers[f"GET {PATH}"] = [(503, {"message": "etcdserver: no leader"})]
    with pytest.raises(ClusterError, match="answered 503: etcdserver: no leader"):
        ended("a read", lambda: api.read("ConfigMap n/x", PATH))


def test_a_refusal_is_final_and_in_the_servers_words(api: ApiServer, server: HttpServer) -> None:
    server.answers[f"GET {PATH}"] = [(403, FORBIDDEN)]
    with pytest.raises(
        ClusterError, match=r"Could not read ConfigMap n/x: .* answered 403: configmaps .x. is forbidden"
    ):
        api.read("ConfigMap n/x", PATH)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [500, 503, 504])
def test_a_write_is_sent_once(api: ApiServer, server: HttpServer, status: int) -> None:
    server.answers[f"PUT {PATH}"] = [(status, {"message": "lost"}), (200, {})]
    with pytest.raises(ClusterError, match="Could not replace ConfigMap n/x"):
        api.write("replace", "ConfigMap n/x", "PUT", PATH, {"a": 1})
    assert len(server.requests) == 1


def test_a_write_the_server_did_not_take_is_sent_again(api: ApiServer, server: HttpServer) -> None:
    server.answers[f"PUT {PATH}"] = [(429, {"message": "too many"}), (200, {"kind": "ConfigMap"})]
    assert api.write("replace", "ConfigMap n/x", "PUT", PATH, {"a": 1}) == {"kind": "ConfigMap"}
    assert [request.body for request in server.requests] == [{"a": 1}] * 2


def test_a_conflict_is_a_conflict(api: ApiServer, server: HttpServer) -> None:
    server.answers[f"PUT {PATH}"] = [(409, {"message": "the object has been modified"})]
    with pytest.raises(ConflictError, match="answered 409: the object has been modified"):
        api.write("replace", "ConfigMap n/x", "PUT", PATH, {})


def test_an_unreachable_server_is_named(server: HttpServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        host = f"http://127.0.0.1:{closed.getsockname()[1]}"
    api = ApiServer({"host": host, "api_key": "x"}, timeout=0.6)
    for act in (lambda: api.read("ConfigMap n/x", PATH), lambda: api.write("create", "it", "POST", PATH, {})):
        with pytest.raises(ClusterError, match=f"no answer from the Kubernetes API server {host} within 0.6 s"):
            act()


def test_a_silent_server_is_given_up(server: HttpServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as peer:
        api = ApiServer({"host": f"http://127.0.0.1:{peer.getsockname()[1]}", "api_key": "x"}, timeout=0.5)
        with pytest.raises(ClusterError, match=r"within 0\.5 s"):
            ended("a read", lambda: api.read("ConfigMap n/x", PATH))


def test_a_missing_kubeconfig_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "not-there"
    with pytest.raises(ClusterError, match=rf"No Kubernetes .*\(kubeconfig is {path}, which does not exist\)"):
        ApiServer({"kubeconfig": str(path)}).read("it", PATH)


def test_a_relative_kubeconfig_is_told_with_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", "kube/config")
    with pytest.raises(ClusterError) as caught:
        ApiServer({}).read("it", PATH)
    assert f"(K8S_AUTH_KUBECONFIG is a path that does not exist in {tmp_path})" in caught.value.message


def test_each_impersonated_group_has_a_header_of_its_own(server: HttpServer) -> None:
    server.answers[f"GET {PATH}"] = [(200, {})]
    who = {"impersonate_user": "jane", "impersonate_groups": ["developers", "operators"]}
    ApiServer({"host": f"http://127.0.0.1:{server.port}", "api_key": "k", **who}).read("it", PATH)
    headers = server.requests[0].headers
    assert headers.get_all("Impersonate-Group") == ["developers", "operators"]
    assert (headers["Impersonate-User"], headers["Authorization"]) == ("jane", "Bearer k")


def test_options_of_kubernetes_core_mean_the_same_here(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers[f"GET {PATH}"] = [(200, {})]
    monkeypatch.setenv("K8S_AUTH_HOST", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("K8S_AUTH_API_KEY", "from-env")
    ApiServer({"impersonate_user": "jane", "impersonate_groups": None}).read("it", PATH)
    headers = server.requests[0].headers
    assert (headers["Authorization"], headers["Impersonate-User"]) == ("Bearer from-env", "jane")


def test_basic_authentication(server: HttpServer) -> None:
    server.answers[f"GET {PATH}"] = [(200, {})]
    options = {"host": f"http://127.0.0.1:{server.port}", "username": "u", "password": "p"}
    ApiServer(options).read("it", PATH)
    assert server.requests[0].headers["Authorization"] == "Basic dTpw"


@pytest.mark.parametrize("name", ["_create_auth_spec", "_create_configuration", "_create_headers"])
def test_the_parts_of_kubernetes_core_we_use_are_there(name: str) -> None:
    assert callable(getattr(kubernetes_core, name))
    first = next(iter(inspect.signature(getattr(kubernetes_core, name)).parameters))
    assert first == ("auth" if name == "_create_configuration" else "module")


@pytest.mark.parametrize(
    ("body", "said"),
    [(b'{"message": "m"}', "m"), (b"plain text", "plain text"), (b"", "no reason given"), (b"[1]", "[1]")],
)
def test_the_reason_in_an_error_body(body: bytes, said: t.Any) -> None:
    assert reason(body) == said
