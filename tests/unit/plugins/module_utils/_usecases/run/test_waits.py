# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a wait that is over says. That waits wait is for the simulation."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import Pod
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run import waits


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


def test_a_pod_that_had_to_be_killed_is_noted_when_it_leaves_the_list() -> None:
    """Kubernetes tells the exit code together with the end of the pod, which is no pod from then on."""
    looks = [[Pod("blue-0", "0", ip="10.0.0.1"), Pod("blue-1", "1")], [Pod("blue-1", "1")], []]
    ended = ["blue-0 (exit code 137)", "blue-1 (Succeeded)", "blue-9 (Evicted)"]
    cluster = SimpleNamespace(ended_pods=lambda workload: ended)
    clock = SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda seconds: None)
    ctx: t.Any = SimpleNamespace(
        ports=SimpleNamespace(cluster=cluster, clock=clock),
        lock=SimpleNamespace(hold=lambda: None),
        pods=lambda colour: looks.pop(0),
        known={"blue": None},
        ended={},
    )
    known: dict[str, str] = {}
    waits._wait_gone(ctx, "blue", 1.0, known)
    assert ctx.ended == {"blue-0": "pod blue-0 (exit code 137)"}
    assert known == {"blue-0": "10.0.0.1", "blue-1": ""}
