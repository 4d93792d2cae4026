# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that ansible-core can't read: told by name, without a traceback, and no secret is shown beside them."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.modules import (
    bg_info,
    bg_run,
    consumer_pause,
    kafka_group_offsets,
    kafka_lag_wait,
)
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import RunModule

PAUSE = {"name": "a", "namespace": "n", "state": "paused", "epoch": 1}


@pytest.mark.parametrize(
    ("module", "given", "named"),
    [
        (consumer_pause, {**PAUSE, "endpoint": 8080}, "endpoint"),
        (consumer_pause, {**PAUSE, "endpoint": True}, "endpoint"),
        (consumer_pause, {**PAUSE, "epoch": float("inf")}, "epoch"),
        (consumer_pause, {**PAUSE, "endpoint": "port 8080"}, "endpoint"),
        (bg_info, {"application": "order-consumer"}, "application"),
        (bg_info, {"application": 7}, "application"),
        (kafka_lag_wait, {"group_id": "g", "barrier": "null"}, "barrier"),
        (kafka_lag_wait, {"group_id": "g", "request_timeout_ms": "-inf"}, "request_timeout_ms"),
        (kafka_group_offsets, {"group_id": "g", "to": "shift", "shift": float("inf")}, "shift: "),
        (kafka_group_offsets, {"group_id": "g", "offsets": "{x}"}, "offsets: "),
        (kafka_group_offsets, {"group_id": "g", "to": "latest", "partitions": [float("inf")]}, "partitions: "),
        (kafka_group_offsets, {"group_id": "g", "to": "latest", "request_timeout_ms": "inf"}, "request_timeout_ms: "),
    ],
)
def test_it_names_the_option_and_hides_every_secret(
    run_module: RunModule, module: t.Any, given: dict[str, t.Any], named: str
) -> None:
    secret: dict[str, t.Any] = {"sasl_plain_password": "hush-1"}
    if module is consumer_pause:
        secret = {"api_key": "hush-1", "proxy_headers": {"basic_auth": "hush-2"}}
    done = run_module(module, **given, **secret)
    assert (done["failed"], done.get("exception")) == (True, None)
    # An infinite number is told by ansible-core itself from 2.22 on.
    assert named in done["msg"] or f"'{named.removesuffix(': ')}' is of type" in done["msg"]
    assert "hush" not in json.dumps(done)


UNREADABLE: tuple[dict[str, t.Any], ...] = ({"application": 7}, {"application": {}, "expected_epoch": float("inf")})
ENDPOINTS = ('{"token": "hush-1"}', "token=hush-1 port=8080", "token: hush-1", ["token: hush-1"])


@pytest.mark.parametrize("unreadable", UNREADABLE, ids=str)
@pytest.mark.parametrize(
    "secrets",
    [
        {"kubeconfig": {"users": [{"user": {"token": "hush-1"}}, {"user": {"password": 4711_4711}}]}},
        {"kubeconfig": '{"users": [{"user": {"token": "hush-1"}}]}'},
        {"proxy_headers": "basic_auth=hush-1:hush-2"},
        {"proxy_headers": "basic_auth: hush-1"},
    ],
    ids=str,
)
def test_a_secret_is_hidden_in_whatever_form_it_was_given(
    run_module: RunModule, unreadable: dict[str, t.Any], secrets: dict[str, t.Any]
) -> None:
    done = run_module(bg_run, **unreadable, **secrets)
    assert done["failed"] is True
    assert not [secret for secret in ("hush", "47114711") if secret in json.dumps(done)]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
def test_so_is_one_of_a_suboption(run_module: RunModule, endpoint: t.Any) -> None:
    given = {"name": "order-consumer", "endpoint": endpoint}
    for application in (given, json.dumps(given)):
        done = run_module(bg_run, application=application, expected_epoch=float("inf"))
        assert (done["failed"], "hush" in json.dumps(done)) == (True, False)


def test_what_ansible_says_of_an_option_by_name_stays(run_module: RunModule) -> None:
    done = run_module(consumer_pause, **{**PAUSE, "state": "asleep"})
    assert done["msg"].startswith("value of state must be one of: paused")
