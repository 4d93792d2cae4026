# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Option groups shared by the modules. The doc fragments of the same names describe them."""

from __future__ import annotations

import copy
import typing as t

from ansible.module_utils.common.parameters import env_fallback
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

Spec = dict[str, dict[str, t.Any]]

AUTH_OPTIONS = tuple(AUTH_ARG_SPEC)
"""Names of kubernetes.core's connection options."""
KAFKA_SPEC: Spec = {
    "bootstrap_servers": {"type": "list", "elements": "str", "default": ["localhost:9092"]},
    "client_id": {"type": "str", "default": "streamops-bluegreen"},
    "security_protocol": {
        "type": "str",
        "choices": ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        "default": "PLAINTEXT",
    },
    "ssl_cafile": {"type": "path"},
    "ssl_certfile": {"type": "path"},
    "ssl_keyfile": {"type": "path"},
    "ssl_password": {"type": "str", "no_log": True},
    "ssl_crlfile": {"type": "path"},
    "ssl_check_hostname": {"type": "bool", "default": True},
    "sasl_mechanism": {
        "type": "str",
        "choices": ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI", "AWS_MSK_IAM"],
    },
    "sasl_plain_username": {"type": "str"},
    "sasl_plain_password": {"type": "str", "no_log": True},
    "sasl_oauthbearer_token_file": {"type": "path", "no_log": False},
    "sasl_oauthbearer_token_endpoint_url": {"type": "str", "no_log": False},
    "sasl_oauthbearer_client_id": {"type": "str"},
    "sasl_oauthbearer_client_secret": {"type": "str", "no_log": True},
    "sasl_oauthbearer_scope": {"type": "str"},
    "sasl_oauthbearer_cafile": {"type": "path"},
    "sasl_kerberos_service_name": {"type": "str", "default": "kafka"},
    "sasl_kerberos_domain_name": {"type": "str"},
    "request_timeout_ms": {"type": "int", "default": 5000},
    "default_api_timeout_ms": {"type": "int", "default": 15000},
}
TIMEOUTS = ("request_timeout_ms", "default_api_timeout_ms")
"""Options of ours that are not handed to kafka-python as they are."""

_SECRET_KEY: Spec = {"name": {"type": "str"}, "key": {"type": "str", "no_log": False}}
_ENDPOINT_SPEC: Spec = {
    "port": {"type": "int", "default": 8080},
    "base_path": {"type": "str", "default": "/actuator/kafka"},
    "transport": {"type": "str", "choices": ["api_proxy", "pod_ip"], "default": "api_proxy"},
    "token": {"type": "str", "no_log": True},
    "scheme": {"type": "str", "choices": ["http", "https"], "default": "http"},
    "token_secret": {"type": "dict", "no_log": False, "options": _SECRET_KEY},
    "token_header": {"type": "str", "no_log": False, "default": "X-BG-Token"},
    "validate_certs": {"type": "bool", "default": True},
    "ca_file": {"type": "path"},
    "ca_secret": {"type": "dict", "no_log": False, "options": _SECRET_KEY},
    "server_name": {"type": "str"},
}


def kafka_argument_spec(**own: dict[str, t.Any]) -> Spec:
    """Options of a module that connects to Kafka, with its own ones. Each falls back to ``KAFKA_<OPTION>``."""
    spec = copy.deepcopy(KAFKA_SPEC)
    for name, option in spec.items():
        option["fallback"] = (env_fallback, [f"KAFKA_{name.upper()}"])
    return {**spec, **own}


def kubernetes_argument_spec(**own: dict[str, t.Any]) -> Spec:
    """Options of a module that connects to the Kubernetes API server, with its own ones."""
    spec: dict[str, t.Any] = copy.deepcopy(AUTH_ARG_SPEC)
    spec["api_server_timeout"] = {"type": "float", "default": 10.0}
    return {**spec, **own}


def endpoint_argument_spec(any_dialect: bool = False) -> Spec:
    """Suboptions of how pods are reached. any_dialect: port and base path have the dialect's defaults, not those of bg/v1."""
    spec = copy.deepcopy(_ENDPOINT_SPEC)
    for name in ("port", "base_path") if any_dialect else ():
        del spec[name]["default"]
    return spec


def prometheus_options() -> Spec:
    """Options of the gates from Prometheus. Each of the server's falls back to ``PROMETHEUS_<OPTION>``, if the option is there.

    Numbers are ``raw``: parse_prometheus lists every fault at once.
    """
    server: Spec = {
        "url": {"type": "str"},
        "ca_cert": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
        "token": {"type": "str", "no_log": True},
        "user": {"type": "str"},
        "password": {"type": "str", "no_log": True},
    }
    for name in ("url", "ca_cert", "token", "user", "password"):
        server[name]["fallback"] = (env_fallback, [f"PROMETHEUS_{name.upper()}"])
    server |= {"timeout": {"type": "raw", "default": 10}, "max_age": {"type": "raw", "default": 150}}
    server |= {"matchers": {"type": "raw"}, "on_no_answer": {"type": "str", "default": "no-go"}}
    return {
        "prometheus": {"type": "dict", "options": server},
        "metric_gates": {"type": "list", "elements": "raw"},
    }


def application_option() -> dict[str, t.Any]:
    """The option ``application``.

    Its values are ``raw``: Ansible would stop at the first wrong type, parse_application lists every fault at once.
    """
    colour: Spec = {"group": {"type": "str"}, "workload": {"type": "str"}}
    timeouts = {"start": 120, "pause": 20, "activate": 30, "lock": 60, "request": 5}
    endpoint = endpoint_argument_spec()
    endpoint["port"]["type"] = "raw"
    for name in ("transport", "scheme"):
        endpoint[name].pop("choices")
    options: Spec = {
        "name": {"type": "str"},
        "namespace": {"type": "str"},
        "topics": {"type": "raw"},
        "blue": {"type": "dict", "options": colour},
        "green": {"type": "dict", "options": copy.deepcopy(colour)},
        "workload_kind": {"type": "str", "default": "Deployment"},
        "replicas": {"type": "raw"},
        "max_lag": {"type": "raw", "default": 1000},
        "max_transaction_age": {"type": "raw", "default": 900},
        "out_of_range": {"type": "str", "default": "fail"},
        "lock_ttl": {"type": "raw", "default": 15},
        "endpoint": {"type": "dict", "options": endpoint},
        "timeouts": {
            "type": "dict",
            "options": {name: {"type": "raw", "default": seconds} for name, seconds in timeouts.items()},
        },
    }
    return {"type": "dict", "required": True, "options": options}
