# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A switch whose version a real Prometheus finds good is closed, and one that it does not goes back; no record is lost by it."""

from __future__ import annotations

import json
import os
import typing as t

import pytest

from demo.application import APP
from demo.sandbox import Sandbox

pytestmark = [pytest.mark.bed, pytest.mark.monitoring]


def settings(ratio: float) -> tuple[str, str]:
    """A gate of each stage. The one of the bake sees this number, of whatever is scraped."""
    bake = {
        "name": "mine",
        "query": f'count(up{{job!="$group"}}) * 0 + {ratio}',
        "comparison": "<",
        "threshold": 0.01,
        "stage": "bake",
        "rests_on": "up",
    }
    before = {**bake, "name": "scraped", "query": "count(up)", "comparison": ">", "threshold": 0, "stage": "before"}
    given: dict[str, t.Any] = {
        "bg_prometheus": {"url": os.environ["PROMETHEUS_URL"]},
        "bg_metric_gates": [before, bake],
        "bg_bake": 14,
        "bg_confirm": APP,
    }
    return "-e", json.dumps(given)


def row(report: dict[str, t.Any]) -> tuple[str, str]:
    [found] = [gate for gate in report["bake"]["gates"] if gate["name"] == "Prometheus: mine"]
    return found["value"], found["verdict"]


def test_a_version_that_is_no_good_by_prometheus_goes_back(sandbox: Sandbox) -> None:
    bad = sandbox.operator.attempt("switch", *settings(0.05), "-e", "bg_target=green", name="bad")
    assert (bad.code, bool(bad.report["bake"])) == (2, True), bad.output[-6000:]
    assert row(bad.report) == ("0.05", "NO-GO")
    assert bad.report["bake"]["rolled_back"] is True
    assert bad.report["record"]["active"] == "blue"
    assert "Prometheus: mine: 0.05, wanted < 0.01" in " ".join(bad.report["failure"].split())
    good = sandbox.operator.attempt("switch", *settings(0.001), "-e", "bg_target=green", name="good")
    assert (good.code, bool(good.report["bake"])) == (0, True), good.output[-6000:]
    assert row(good.report) == ("0.001", "GO")
    assert (good.report["record"]["active"], good.report["record"]["phase"]) == ("green", "stable")
