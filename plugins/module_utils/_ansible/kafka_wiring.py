# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""From options to the port for Kafka alone, so that modules of Kafka are packed and run without what speaks to Kubernetes."""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import KAFKA_SPEC, TIMEOUTS
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.lazy_port import Params, ports_of
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports


def build_ports(params: Params, answered: bool = False) -> Ports:
    """Ports for a module's parameters. params: options of the kafka group. answered: whether the brokers did so to an earlier process."""
    return ports_of(kafka=lambda: _kafka(params, answered))


def _kafka(params: Params, answered: bool) -> t.Any:
    from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import lazy_import

    lazy_import.postpone()
    from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter

    settings = {name: params[name] for name in KAFKA_SPEC if name not in TIMEOUTS and params.get(name) is not None}
    return KafkaAdapter(
        settings, params["default_api_timeout_ms"] / 1000, params["request_timeout_ms"] / 1000, answered
    )
