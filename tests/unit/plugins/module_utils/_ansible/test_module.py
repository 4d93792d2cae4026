# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that ansible-core can't read: told by name, without a traceback, and no secret is shown beside them."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.modules import bg_info, consumer_pause, kafka_lag_wait
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
    assert named in done["msg"]
    assert "hush" not in json.dumps(done)


def test_what_ansible_says_of_an_option_by_name_stays(run_module: RunModule) -> None:
    done = run_module(consumer_pause, **{**PAUSE, "state": "asleep"})
    assert done["msg"].startswith("value of state must be one of: paused")
