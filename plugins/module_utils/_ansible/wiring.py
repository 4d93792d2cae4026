# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""From options to all ports, for modules that need Kafka and Kubernetes."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible import cluster_wiring, kafka_wiring
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.lazy_port import LazyPort, Params
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Metrics, Ports

if t.TYPE_CHECKING:
    from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.endpoint import Endpoint
    from ansible_collections.streamops.bluegreen.plugins.module_utils._core.prometheus import Prometheus


def build_ports(
    params: Params,
    namespace: str = "",
    endpoint: Endpoint | None = None,
    hide: t.Callable[[str], None] = lambda _secret: None,
    answered: bool = False,
    prometheus: Prometheus | None = None,
) -> Ports:
    """Ports for a module's parameters. params: options of the groups kafka and kubernetes; for the others see cluster_wiring."""
    kafka = kafka_wiring.build_ports(params, answered).kafka
    metrics = t.cast(Metrics, LazyPort(lambda: _metrics(prometheus, hide))) if prometheus else None
    return replace(
        cluster_wiring.build_ports(params, namespace, endpoint, hide, answered), kafka=kafka, metrics=metrics
    )


def _metrics(prometheus: Prometheus, hide: t.Callable[[str], None]) -> Metrics:
    from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.prometheus import (
        PrometheusAdapter,
        authorization,
    )

    for header in authorization(prometheus).values():
        hide(header.partition(" ")[2])  # a server that is none may show us what we sent
    return PrometheusAdapter(prometheus)
