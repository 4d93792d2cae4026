# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How pods are reached: the option endpoint and what contradicts itself in it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.endpoint import (
    Endpoint,
    SecretKey,
    parse_endpoint,
)


def test_defaults() -> None:
    assert parse_endpoint({}) == (Endpoint(), [])
    assert parse_endpoint(dict.fromkeys(("port", "base_path", "token", "ca_file")), 8083, "/") == (
        Endpoint(port=8083, base_path=""),
        [],
    )


def test_everything() -> None:
    endpoint, faults = parse_endpoint(
        {
            "port": "8443",
            "base_path": "/admin/",
            "transport": "pod_ip",
            "scheme": "https",
            "token_secret": {"name": "control"},
            "token_header": "Authorization",
            "ca_secret": {"name": "ca", "key": "root.pem"},
            "server_name": "orders",
        }
    )
    assert faults == []
    assert endpoint == Endpoint(
        8443,
        "/admin",
        "pod_ip",
        scheme="https",
        token_secret=SecretKey("control", "token"),
        token_header="Authorization",
        ca_secret=SecretKey("ca", "root.pem"),
        server_name="orders",
    )


def test_a_token_is_not_shown() -> None:
    assert "s3cret" not in repr(Endpoint(token="s3cret"))


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        ({"port": 0}, "port is 0"),
        ({"port": "x"}, "port is 'x'"),
        ({"base_path": "admin"}, "base_path is 'admin'"),
        ({"scheme": "ftp"}, "scheme is 'ftp'; it must be one of http, https"),
        ({"token_header": "X BG"}, "token_header is 'X BG'"),
        ({"token_header": "Authorization"}, "token_header is Authorization, which the API server's proxy removes"),
        ({"token_header": "authorization"}, "token_header is Authorization, which the API server's proxy removes"),
        ({"token": "t", "token_secret": {"name": "s"}}, "token and endpoint.token_secret exclude"),
        ({"token_secret": "s"}, "token_secret is 's'"),
        ({"token_secret": {"key": "k"}}, "token_secret.name is ''"),
        ({"token_secret": {"name": "s", "key": "a/b"}}, "token_secret.key is 'a/b'"),
        ({"token_secret": {"name": "s", "namespace": "n"}}, "token_secret.namespace is unknown"),
        ({"ca_file": "/ca"}, "ca_file has no effect with scheme http"),
        ({"ca_file": "/ca", "scheme": "https"}, "ca_file has no effect with transport api_proxy"),
        (
            {"ca_file": "/ca", "ca_secret": {"name": "s"}, "scheme": "https", "transport": "pod_ip"},
            "ca_file and endpoint.ca_secret exclude",
        ),
        (
            {"server_name": "x", "scheme": "https", "transport": "pod_ip", "validate_certs": False},
            "server_name has no effect with validate_certs false",
        ),
        ({"tls": True}, "tls is unknown"),
    ],
)
def test_faults(raw: dict[str, t.Any], fault: str) -> None:
    found = parse_endpoint(raw)[1]
    assert len(found) == 1
    assert found[0].startswith(f"endpoint.{fault}")
