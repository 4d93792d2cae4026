# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From options to ports: what is imported and when, and how pods are reached."""

from __future__ import annotations

import os
import sys

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible import cluster_wiring
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.lazy_port import LazyPort
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.wiring import build_ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ClusterError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.bg_v1 import STATUS
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.endpoint import Endpoint, SecretKey

KAFKA = {"bootstrap_servers": ["127.0.0.1:1"], "default_api_timeout_ms": 200, "request_timeout_ms": 100}


@pytest.mark.parametrize(
    ("use", "loaded", "not_loaded"),
    [
        ("ports.clock.now()", "json", "kafka kubernetes"),
        ("ports.kafka.topics([])", "kafka", "kubernetes"),
        ("ports.cluster.config_map", "kubernetes", "kafka"),
        ("ports.consumers.send([], STATUS, 1.0)", "urllib3", "kafka"),
    ],
)
def test_only_what_is_used_is_imported(use: str, loaded: str, not_loaded: str) -> None:
    params = {**KAFKA, "api_server_timeout": 1.0}
    script = (
        "import sys\n"
        "from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.wiring import build_ports\n"
        "from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.bg_v1 import STATUS\n"
        f"ports = build_ports({params!r}, 'n')\n"
        "if 'kafka' in sys.modules or 'kubernetes' in sys.modules: sys.exit('imported too early')\n"
        f"{use}\n"
        f"if {loaded!r} not in sys.modules: sys.exit('{loaded} was not imported')\n"
        f"if any(name in sys.modules for name in {not_loaded.split()!r}): sys.exit('too much was imported')\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = finished([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


from ansible_collections.streamops.bluegreen.tests.unit.waiting import finished


def test_a_lazy_port_is_made_once() -> None:
    made = []
    lazy = LazyPort(lambda: made.append(1) or "text")
    assert made == []
    assert (lazy.upper(), lazy.title()) == ("TEXT", "Text")
    assert made == [1]


def test_the_endpoint_chooses_how_pods_are_reached() -> None:
    direct = build_ports({}, "n", Endpoint(transport="pod_ip", port=9, base_path="/bg", token="t"))
    assert direct.consumers.send([], STATUS, 1.0) == {}
    adapter = direct.consumers._made  # type: ignore[attr-defined]
    assert type(adapter._transport).__name__ == "PodAddress"
    proxied = build_ports({"api_server_timeout": 1.0, "namespace": "n"})
    assert proxied.consumers.send([], STATUS, 1.0) == {}
    adapter = proxied.consumers._made  # type: ignore[attr-defined]
    assert type(adapter._transport).__name__ == "ApiProxy"
    assert adapter._transport._path == "/api/v1/namespaces/n/pods/%s:8080/proxy"


def test_the_token_comes_from_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Cluster:
        def secret(self, name: str, key: str) -> str:
            asked.append((name, key))
            return "t0ken"

    monkeypatch.setattr(cluster_wiring, "_cluster", lambda api, namespace: Cluster())
    endpoint = Endpoint(transport="pod_ip", token_secret=SecretKey("control", "token"), token_header="X-Control")
    hidden: set[str] = set()
    made = build_ports({}, "n", endpoint, hidden.add)
    assert asked == [], "nothing is read before pods are asked"
    made.consumers.send([], STATUS, 1.0)
    assert (asked, hidden) == ([("control", "token")], {"t0ken"})
    assert made.consumers._made._headers["X-Control"] == "t0ken"  # type: ignore[attr-defined]


def test_a_token_that_was_changed_under_way_is_no_fault_of_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is undone takes such a fault for a lost record, and gives up. This one may pass: the Secret is read again."""
    tokens = iter(["hush\nhush", "hush"])

    class Cluster:
        def secret(self, name: str, key: str) -> str:
            return next(tokens)

    monkeypatch.setattr(cluster_wiring, "_cluster", lambda api, namespace: Cluster())
    endpoint = Endpoint(transport="pod_ip", token_secret=SecretKey("control", "token"))
    made = build_ports({}, "n", endpoint)
    with pytest.raises(
        ClusterError, match=r"Key token of Secret control \(endpoint.token_secret\) can't be sent"
    ) as raised:
        made.consumers.send([], STATUS, 1.0)
    assert "hush" not in raised.value.message
    assert made.consumers.send([], STATUS, 1.0) == {}
