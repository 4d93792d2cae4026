# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a wait that is over says. That waits wait is for the simulation."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases import waits


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("", "green-1 (rebalancing)"),
        ("3/3 brokers are down", "green-1 (rebalancing; last error: 3/3 brokers are down)"),
    ],
)
def test_a_pod_that_does_not_join_is_named_with_its_last_error(
    monkeypatch: pytest.MonkeyPatch, error: str, told: str
) -> None:
    statuses = {
        "green-0": SimpleNamespace(pod="green-0", member_state="stable", last_error="old"),
        "green-1": SimpleNamespace(pod="green-1", member_state="rebalancing", last_error=error),
    }
    monkeypatch.setattr(waits, "ask", lambda ports, app, pods: (statuses, {}))
    ctx: t.Any = SimpleNamespace(ports=None, app=None, group=lambda colour: f"orders-{colour}")
    assert waits._not_joined(ctx, "green", [], []) == f"pods that have not joined group orders-green: {told}"
