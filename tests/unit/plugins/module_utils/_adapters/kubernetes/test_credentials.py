# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What wins of kubeconfig, environment and service account, who we are by it, and a kubeconfig that cannot be used."""

from __future__ import annotations

import base64
import json
import typing as t
from pathlib import Path

import pytest
import yaml
from kubernetes.client import Configuration
from kubernetes.config import incluster_config, kube_config

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes import credentials
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.adapter import KubernetesAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.api_server import ApiServer
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Place
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ClusterError, InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.modules import bg_configmap_switch
from ansible_collections.streamops.bluegreen.tests.unit.fakes.http_server import HttpServer
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import RunModule, as_shown

WHO = "POST /apis/authentication.k8s.io/v1/selfsubjectreviews"
CONFIG_MAP = "GET /api/v1/namespaces/n/configmaps/x"
JANE = (201, {"status": {"userInfo": {"username": "jane"}}})


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Iterator[None]:
    """No cluster anywhere, and no pod around us; and what a kubeconfig said is forgotten."""
    for name in ("KUBECONFIG", "K8S_AUTH_KUBECONFIG", "K8S_AUTH_CONTEXT", "K8S_AUTH_HOST", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield
    Configuration.set_default(None)


def config(server: HttpServer) -> dict[str, t.Any]:
    """A kubeconfig for the server with two contexts."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.port}"}}],
        "users": [{"name": "u", "user": {"token": "from-kubeconfig"}}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("one", "two")],
    }


@pytest.fixture
def kubeconfig(server: HttpServer, tmp_path: Path) -> str:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config(server)), encoding="utf-8")
    return str(path)


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: HttpServer) -> None:
    """We are in a pod with a service account."""
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("from-pod", encoding="utf-8")
    authority.write_text("not read", encoding="utf-8")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))


def identity(**auth: t.Any) -> str:
    return KubernetesAdapter(ApiServer(auth, timeout=2.0), "n").identity()


def test_each_refusal_says_who_was_refused(
    server: HttpServer, kubeconfig: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers[WHO] = [JANE]
    server.answers[CONFIG_MAP] = [(403, {"message": 'configmaps "x" is forbidden'})]
    host = {"host": f"http://127.0.0.1:{server.port}", "api_key": "k"}
    cases = [
        ({"kubeconfig": kubeconfig}, f"kubeconfig {kubeconfig}"),
        ({"kubeconfig": kubeconfig, "context": "two"}, f"kubeconfig {kubeconfig}, context two"),
        ({"kubeconfig": config(server)}, "the dictionary in kubeconfig"),
        (host, "api_key"),
        ({**host, "impersonate_user": "bob"}, "api_key, impersonating bob"),
        ({"host": host["host"], "username": "u", "password": "p"}, "username and password"),
    ]
    for auth, source in cases:
        assert identity(**auth) == f"jane ({source})"
        with pytest.raises(ClusterError) as raised:
            ApiServer(auth).read("ConfigMap n/x", CONFIG_MAP.split()[1])
        assert raised.value.message.endswith(f'configmaps "x" is forbidden (identity: {source})')
    monkeypatch.setenv("KUBECONFIG", kubeconfig)
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", kubeconfig)  # read when it is imported
    assert identity() == f"jane (KUBECONFIG {kubeconfig})"
    assert identity(context="two") == f"jane (KUBECONFIG {kubeconfig}, context two)"
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", kubeconfig)
    assert identity() == f"jane (kubeconfig {kubeconfig})"


def test_a_server_that_does_not_tell_who_we_are(server: HttpServer, kubeconfig: str) -> None:
    for answer in ((404, {}), (403, {}), (201, {}), (201, [])):
        server.answers[WHO] = [answer]
        assert identity(kubeconfig=kubeconfig) == f"the user (kubeconfig {kubeconfig})"


def test_in_a_pod_its_service_account_comes_before_kubeconfig_of_the_environment(
    server: HttpServer, kubeconfig: str, pod: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert credentials.told({}) == "the service account of this pod"
    monkeypatch.setenv("KUBECONFIG", kubeconfig)
    said = credentials.told({})
    assert said == "the service account of this pod; KUBECONFIG does not count in a pod, set K8S_AUTH_KUBECONFIG"
    server.answers[WHO] = [JANE]
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", kubeconfig)
    assert identity() == f"jane (kubeconfig {kubeconfig})"
    assert server.requests[-1].headers["Authorization"] == "Bearer from-kubeconfig"


def test_the_namespace(server: HttpServer, kubeconfig: str) -> None:
    cluster = KubernetesAdapter(ApiServer({"kubeconfig": kubeconfig}, timeout=1.0), "n")
    assert cluster.place() == Place("n", False)
    server.answers["GET /api/v1/namespaces/n"] = [(200, {}), (403, {}), (500, {})]
    assert [cluster.place().exists for _answer in range(3)] == [True, None, None]


@pytest.mark.parametrize("source", ["kubeconfig", "K8S_AUTH_KUBECONFIG", "KUBECONFIG"])
def test_a_vaulted_kubeconfig_is_told_with_the_way_out(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret.yml"
    path.write_text("$ANSIBLE_VAULT;1.1;AES256\n35313433\n", encoding="utf-8")
    auth = {"kubeconfig": str(path)} if source == "kubeconfig" else {}
    if not auth:
        monkeypatch.setenv(source, str(path))
        monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    with pytest.raises(ClusterError) as raised:
        ApiServer(auth).read("it", "/x")
    message = raised.value.message
    assert f"{path}, named by {source}, is encrypted with Ansible Vault" in message
    assert f"\"{{{{ lookup('ansible.builtin.unvault', '{path}') | from_yaml }}}}\"" in message


@pytest.mark.parametrize(
    "content",
    ["", "just text", "- a\n- b\n", "a: [", "clusters: 1\n", "current-context: gone\n", "\x00", "users: {}\n"],
)
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, content: str, run_module: RunModule) -> None:
    path = tmp_path / "config"
    path.write_text(content, encoding="utf-8")
    done = run_module(bg_configmap_switch, kubeconfig=str(path), name="a", namespace="n", active="blue")
    assert (done["failed"], done["changed"]) == (True, False)
    assert f"(kubeconfig is {as_shown(str(path))})" in done["msg"], "up to 2.21 a path is no secret"
    assert "exception" not in done, "nobody has a use for its traceback"


@pytest.mark.parametrize("value", [["a"], 3, True])
def test_something_else_than_a_path_or_a_dictionary(value: t.Any) -> None:
    with pytest.raises(InvalidSettingsError, match=r"kubeconfig is a \w+; it must be the path of a file"):
        ApiServer({"kubeconfig": value}).read("it", "/x")


def test_content_that_was_given_for_a_path_stays_hidden(server: HttpServer, run_module: RunModule) -> None:
    for content in (json.dumps(config(server)), yaml.safe_dump(config(server))):
        done = run_module(bg_configmap_switch, kubeconfig=content, name="a", namespace="n", active="blue")
        assert "kubeconfig is a text that is no path" in done["msg"]
        assert "from-kubeconfig" not in json.dumps(done)


@pytest.mark.parametrize("source", ["kubeconfig", "K8S_AUTH_KUBECONFIG", "KUBECONFIG"])
@pytest.mark.parametrize("form", ["encoded", "token", "json", "yaml"])
def test_a_secret_that_was_given_for_a_path_is_not_shown(
    source: str, form: str, server: HttpServer, run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line it looks like the path of a file that is not there."""
    content = json.dumps(config(server))
    encoded = base64.b64encode(content.encode()).decode()
    value = {"encoded": encoded, "token": "from-kubeconfig", "json": content, "yaml": yaml.safe_dump(config(server))}[
        form
    ]
    given = {"kubeconfig": value} if source == "kubeconfig" else {}
    if not given:
        monkeypatch.setenv(source, value)
        monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", value)
    done = run_module(bg_configmap_switch, name="a", namespace="n", active="blue", **given)
    kind = "a path that does not exist" if form in ("encoded", "token") else "a text that is no path"
    assert f"{source} is {kind}" in done["msg"]
    shown = json.dumps(done)
    assert not [part for part in ("from-kubeconfig", encoded[:40], "current-context") if part in shown]


@pytest.mark.parametrize("named", ["~nobody-of-this-name/.kube/config", "~/.kube/config"])
def test_a_home_that_nobody_knows(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as without HOME for a user id that has no name
    with pytest.raises(
        ClusterError, match=r"No Kubernetes cluster is configured: .*kubeconfig is a path that does not"
    ):
        ApiServer({"kubeconfig": named}).read("it", "/x")
