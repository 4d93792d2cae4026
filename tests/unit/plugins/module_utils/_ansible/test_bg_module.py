# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the bg_ modules refuse before they contact anything, beside the faults of the description."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.bg_module import WORDS
from ansible_collections.streamops.bluegreen.plugins.modules import bg_info as module
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import RunModule

APPLICATION = {"name": "app", "namespace": "n", "blue": {"group": "b"}, "green": {"group": "g"}}


@pytest.mark.parametrize(
    "secrets",
    [
        {"sasl_plain_password": "green"},
        {"sasl_plain_password": "ree"},
        {"application": {**APPLICATION, "endpoint": {"token": "stable"}}},
        {"kubeconfig": {"users": [{"user": {"password": "blue"}}]}},
    ],
)
def test_a_secret_that_is_a_word_of_results_is_told_at_the_first_step(
    run_module: RunModule, secrets: dict[str, t.Any]
) -> None:
    """Ansible would hide the colours, and a later task would be told of one that nobody knows."""
    result = run_module(module, **{"application": APPLICATION, **secrets})
    assert result["failed"] is True
    assert len(result["faults"]) == 1
    assert (
        "Ansible hides it wherever it occurs, so that nobody could read them. Choose a longer secret" in result["msg"]
    )


def test_the_words_that_tasks_take_from_each_other() -> None:
    assert {"blue", "green", "start", "abort", "clean_up", "stable", "verifying", "GO", "NO-GO", "hot"} <= set(WORDS)


def test_a_lock_that_is_shorter_than_a_request(run_module: RunModule) -> None:
    result = run_module(module, application={**APPLICATION, "lock_ttl": 10}, api_server_timeout=10)
    assert "lock_ttl is 10 s and api_server_timeout 10 s; the lock must last longer than one request" in result["msg"]
