# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses and headers that no client can use are told before anything is connected."""

from __future__ import annotations

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import security
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.api_server import ApiServer
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.pods import PodAddress, PodsAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError, KafkaError
from ansible_collections.streamops.bluegreen.tests.unit.fakes.broker import WireBroker

KNOWN = ("bootstrap_servers",)


@pytest.mark.parametrize(
    "servers",
    [
        *(["a"], ["a.b-c_d:9092", "b"], ["::1"], ["[::1]"], ["[fe80::1]:9092"], ["10.0.0.1:9092"], [" a:1 "]),
        *(["SASL_SSL://b-1:9096"], ["SSL://[::1]:9092"], ["[fe80::1%eth0]:9092"], ["fe80::1%eth0"]),
    ],
)
def test_addresses_of_brokers(servers: list[str]) -> None:
    assert security.prepare({"bootstrap_servers": servers}, KNOWN)["bootstrap_servers"] == servers


@pytest.mark.parametrize("servers", ["a:1,b:65535", "a:1,b:65535,", ["a:1", "", "b:65535", " "]])
def test_entries_without_a_name_are_left_out(servers: str | list[str]) -> None:
    assert security.prepare({"bootstrap_servers": servers}, KNOWN)["bootstrap_servers"] == ["a:1", "b:65535"]


@pytest.mark.parametrize(
    "server", ["a:b", "a:b:c", "a:", "a:0", "a:65536", "SSL://", "SSL://a:b", "a b", "[::1", "{'a': 1}", "a@b:1", "::g"]
)
def test_what_is_no_address_of_a_broker(server: str) -> None:
    with pytest.raises(InvalidSettingsError, match=r"bootstrap_servers names .*it must be HOST or HOST:PORT"):
        security.prepare({"bootstrap_servers": ["good:9092", server]}, KNOWN)


@pytest.mark.parametrize("servers", [[], [""], "", " , "])
def test_no_broker_at_all(servers: str | list[str]) -> None:
    with pytest.raises(InvalidSettingsError, match="bootstrap_servers is empty"):
        security.prepare({"bootstrap_servers": servers}, KNOWN)


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        ({"host": "10.0.0.1:6443"}, "host is '10.0.0.1:6443'; it must be a URL"),
        ({"impersonate_user": "名"}, "impersonate_user '名' can't be sent"),
        ({"impersonate_groups": ["a", "b\n"]}, "impersonate_groups 'b\\\\n' can't be sent"),
        ({"api_key": "a\nb"}, "api_key can't be sent"),
    ],
)
def test_what_cannot_be_sent_to_the_api_server(auth: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidSettingsError) as raised:
        ApiServer({"host": "https://127.0.0.1:1", "api_key": "x", **auth}).read("it", "/x")
    assert said.replace("\\\\", "\\") in raised.value.message


@pytest.mark.parametrize("token", ["a\nb", "名"])
def test_a_token_that_cannot_be_sent_to_pods(token: str) -> None:
    with pytest.raises(InvalidSettingsError, match=r"endpoint.token can't be sent"):
        PodsAdapter(PodAddress(8080), token=token)


@pytest.mark.parametrize(
    ("settings", "who"),
    [
        ({}, "User:ANONYMOUS"),
        ({"security_protocol": "SSL"}, "User:ANONYMOUS"),
        ({"security_protocol": "SSL", "ssl_certfile": "/c.pem"}, "the one of the certificate /c.pem"),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_plain_username": "jane"},
            "User:jane",
        ),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "sasl_oauthbearer_token_file": "/t"},
            "the one of the token of /t",
        ),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "GSSAPI"}, "the one of the GSSAPI credentials"),
    ],
)
def test_who_the_brokers_take_us_for(settings: dict[str, str], who: str) -> None:
    assert security.principal(settings) == who


def test_a_missing_acl_names_who_lacks_it() -> None:
    with WireBroker() as broker:
        broker.errors["MetadataRequest"].append(29)
        adapter = KafkaAdapter({"bootstrap_servers": [broker.address]}, 5.0)
        with pytest.raises(KafkaError, match=r"needs an ACL that allows DESCRIBE on the topic, and is User:ANONYMOUS$"):
            adapter.topics(["t"])
        adapter.close()
