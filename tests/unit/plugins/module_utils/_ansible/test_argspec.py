# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that modules share."""

from __future__ import annotations

from kafka import KafkaAdminClient

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.net import KNOWN_SETTINGS
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.security import TOKEN_SETTINGS
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import (
    AUTH_OPTIONS,
    application_option,
    kafka_argument_spec,
    kubernetes_argument_spec,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.endpoint import Endpoint
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import (
    Timeouts,
    parse_application,
)


def test_every_kafka_option_is_one_of_kafka_python() -> None:
    ours = {"request_timeout_ms", "default_api_timeout_ms", *TOKEN_SETTINGS}
    assert set(kafka_argument_spec()) - ours <= set(KafkaAdminClient.DEFAULT_CONFIG)
    assert (
        set(kafka_argument_spec()) - {"request_timeout_ms", "default_api_timeout_ms"} - TOKEN_SETTINGS <= KNOWN_SETTINGS
    )


def test_every_kafka_option_has_its_environment_variable() -> None:
    for name, option in kafka_argument_spec().items():
        assert option["fallback"][1] == [f"KAFKA_{name.upper()}"]


def test_secrets_are_not_logged() -> None:
    spec = {**kafka_argument_spec(), **kubernetes_argument_spec()}
    for name in ("ssl_password", "sasl_plain_password", "sasl_oauthbearer_client_secret", "api_key", "password"):
        assert spec[name]["no_log"] is True
    assert application_option()["options"]["endpoint"]["options"]["token"]["no_log"] is True


def test_own_options_are_added_and_the_shared_ones_not_changed() -> None:
    own = {"type": "str", "required": True}
    assert kafka_argument_spec(group_id=own)["group_id"] is own
    assert "group_id" not in kafka_argument_spec()
    assert set(AUTH_OPTIONS) < set(kubernetes_argument_spec())


def test_the_application_option_has_the_applications_keys_and_defaults() -> None:
    options = application_option()["options"]
    given = {name: option.get("default") for name, option in options.items()}
    given.update(name="app", namespace="n", blue={"group": "b"}, green={"group": "g"})
    given["endpoint"] = {name: option.get("default") for name, option in options["endpoint"]["options"].items()}
    given["timeouts"] = {name: option.get("default") for name, option in options["timeouts"]["options"].items()}
    parsed = parse_application(given)
    plain = parse_application({"name": "app", "namespace": "n", "blue": {"group": "b"}, "green": {"group": "g"}})
    assert parsed == plain
    assert (parsed.endpoint, parsed.timeouts) == (Endpoint(), Timeouts())
