# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""From options to the ports for Kubernetes and the pods, without what speaks to Kafka."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import AUTH_OPTIONS
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.lazy_port import LazyPort, Params, ports_of
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ClusterError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.headers import UNSENDABLE, sendable
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports

if t.TYPE_CHECKING:
    from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.endpoint import Endpoint


def build_ports(
    params: Params,
    namespace: str = "",
    endpoint: Endpoint | None = None,
    hide: t.Callable[[str], None] = lambda _secret: None,
    answered: bool = False,
) -> Ports:
    """Ports for a module's parameters.

    params: options of the kubernetes group. namespace: default is the option of that name. endpoint: how pods are reached;
    only the port ``consumers`` needs it. hide: told of a token that was read, which results must not show. answered: whether the
    API server did so to an earlier process.
    """
    where = namespace or params.get("namespace") or ""
    api = LazyPort(lambda: _api_server(params, answered))
    cluster = LazyPort(lambda: _cluster(api, where))
    return ports_of(cluster=lambda: cluster, consumers=lambda: _consumers(api, cluster, where, endpoint, hide))


def _api_server(params: Params, answered: bool) -> t.Any:
    from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.api_server import ApiServer

    return ApiServer({name: params.get(name) for name in AUTH_OPTIONS}, params["api_server_timeout"], answered)


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
        # Not a fault of what was given: the Secret may be changed under way, when a run has something to undo.
        if not sendable(token):
            raise ClusterError(f"Key {secret.key} of Secret {secret.name} (endpoint.token_secret) {UNSENDABLE}")
    return pods.PodsAdapter(transport, endpoint.base_path, token, endpoint.token_header)


def _tls(cluster: t.Any, endpoint: Endpoint) -> t.Any:
    from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import pods

    if endpoint.scheme != "https":
        return None
    ca = endpoint.ca_secret
    trusted = cluster.secret(ca.name, ca.key) if ca else ""
    return pods.tls_context(endpoint.validate_certs, endpoint.ca_file, trusted)
