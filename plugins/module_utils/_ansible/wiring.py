# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""From options to ports. Nothing connects, and no library is imported, before a port is first used."""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.system import SystemClock, ThreadParallel
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import (
    AUTH_OPTIONS,
    KAFKA_SPEC,
    TIMEOUTS,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Cluster, Consumers, Kafka, Ports

if t.TYPE_CHECKING:
    from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.endpoint import Endpoint

Params = t.Mapping[str, t.Any]


class LazyPort:
    """Stands for an object that is made when one of its attributes is first asked for."""

    def __init__(self, make: t.Callable[[], t.Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: t.Any = None

    def __getattr__(self, name: str) -> t.Any:
        with self._lock:
            if self._made is None:
                self._made = self._make()
        return getattr(self._made, name)


def build_ports(
    params: Params,
    namespace: str = "",
    endpoint: Endpoint | None = None,
    hide: t.Callable[[str], None] = lambda _secret: None,
) -> Ports:
    """Ports for a module's parameters.

    params: options of the kafka or kubernetes group, or of both. namespace: default is the option of that name.
    endpoint: how pods are reached; only the port ``consumers`` needs it. hide: told of a token that was read, which
    results must not show.
    """
    where = namespace or params.get("namespace") or ""
    api = LazyPort(lambda: _api_server(params))
    cluster = LazyPort(lambda: _cluster(api, where))
    return Ports(
        kafka=t.cast(Kafka, LazyPort(lambda: _kafka(params))),
        cluster=t.cast(Cluster, cluster),
        consumers=t.cast(Consumers, LazyPort(lambda: _consumers(api, cluster, where, endpoint, hide))),
        clock=SystemClock(),
        parallel=ThreadParallel(),
    )


def _kafka(params: Params) -> t.Any:
    from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import lazy_import

    lazy_import.postpone()
    from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter

    settings = {name: params[name] for name in KAFKA_SPEC if name not in TIMEOUTS and params.get(name) is not None}
    return KafkaAdapter(settings, params["default_api_timeout_ms"] / 1000, params["request_timeout_ms"] / 1000)


def _api_server(params: Params) -> t.Any:
    from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.api_server import ApiServer

    return ApiServer({name: params.get(name) for name in AUTH_OPTIONS}, params["api_server_timeout"])


def _cluster(api: t.Any, namespace: str) -> t.Any:
    from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.adapter import (
        KubernetesAdapter,
    )

    return KubernetesAdapter(api, namespace)


def _consumers(
    api: t.Any, cluster: t.Any, namespace: str, endpoint: Endpoint | None, hide: t.Callable[[str], None]
) -> t.Any:
    from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import pods
    from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.endpoint import Endpoint

    endpoint = endpoint or Endpoint()
    transport: t.Any
    if endpoint.transport == "api_proxy":
        transport = pods.ApiProxy(api, namespace, endpoint.port, endpoint.scheme)
    else:
        transport = pods.PodAddress(endpoint.port, _tls(cluster, endpoint), endpoint.server_name)
    token, secret = endpoint.token, endpoint.token_secret
    if secret:
        token = cluster.secret(secret.name, secret.key)
        hide(token)
    return pods.PodsAdapter(transport, endpoint.base_path, token, endpoint.token_header)


def _tls(cluster: t.Any, endpoint: Endpoint) -> t.Any:
    from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import pods

    if endpoint.scheme != "https":
        return None
    ca = endpoint.ca_secret
    trusted = cluster.secret(ca.name, ca.key) if ca else ""
    return pods.tls_context(endpoint.validate_certs, endpoint.ca_file, trusted)
