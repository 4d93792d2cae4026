# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What real runs publish: that they begin, how they ended, and what is left of one that was killed."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from demo.application import APP
from demo.sandbox import Sandbox
from tests.bed.playbooks.watching import JOURNAL, RATE, RECORD, PlaybookRun
from tests.unit.fakes.pushgateway import FakePushgateway
from tests.unit.waiting import finished

pytestmark = pytest.mark.bed


def read(path: Path) -> dict[str, float]:
    """Name and values of the further labels, and the value."""
    return {
        " ".join(
            [sample.name, *(value for name, value in sample.labels.items() if name not in ("app", "namespace"))]
        ): sample.value
        for family in text_string_to_metric_families(path.read_text(encoding="utf-8"))
        for sample in family.samples
    }


def phase(series: dict[str, float]) -> tuple[str, float, float]:
    """The phase, its begin, and whether a run is under way."""
    [(name, since)] = [one for one in series.items() if one[0].startswith("bg_phase_since")]
    return name.split()[1], since, series["bg_switch_in_progress"]


def moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def test_there_and_killed_and_back(sandbox: Sandbox) -> None:
    file = sandbox.out / "metrics.prom"
    producer = sandbox.produce(RATE)
    try:
        with FakePushgateway() as gateway:
            to = ("-e", json.dumps({"bg_metrics": {"textfile": str(file), "pushgateway": {"url": gateway.url}}}))
            pushed: list[tuple[float, bool]] = []
            gateway.on_push = lambda: pushed.append(
                (gateway.series(APP)["bg_switch_in_progress"], JOURNAL in names(sandbox))
            )
            sandbox.operator.real("switch", *to, name="metrics-switch")
        assert pushed == [(1, False), (0, True)], "that it begins before anything is written, and its end"
        series, record = read(file), sandbox.app.data(RECORD) or {}
        run = json.loads((sandbox.app.data(JOURNAL) or {})["run"])
        assert phase(series) == ("stable", moment(run["finished"]), 0)
        assert (series["bg_active_version green"], series["bg_epoch"]) == (1, int(record["epoch"]))
        assert series["bg_switch_last_timestamp_seconds success"] == moment(run["finished"])
        assert series["bg_rollback_window_end_timestamp_seconds"] == moment(record["switch-timestamp"]) + 3600
        assert series[f"bg_offsets_copied {sandbox.names.topic}"] == 12
        order = [moment(run["started"]), series["bg_snapshot_timestamp_seconds"], moment(run["finished"])]
        assert order == sorted(order)
        steps = {
            name.removeprefix("bg_switch_duration_seconds "): value
            for name, value in series.items()
            if "duration" in name
        }
        assert {"arm", "flip", "snapshot", "handover", "total"} <= set(steps)
        assert 0 < steps["flip"] < steps["handover"] < steps["total"]
        stages = {name.split()[-1] for name in series if name.startswith("bg_gate ")}
        assert stages == {"before", "verify"}
        assert {value for name, value in series.items() if name.startswith("bg_gate ")} == {1}

        # The gateway is gone by now: that is told, and the run goes on.
        back = json.loads(to[1])
        before = sandbox.app.data(JOURNAL)
        with PlaybookRun(sandbox, "rollback", "-e", json.dumps(back)) as killed:
            killed.wait_for("the journal of the run", lambda: sandbox.app.data(JOURNAL) != before)
        told, since, under_way = phase(read(file))
        run = json.loads((sandbox.app.data(JOURNAL) or {})["run"])
        assert (told, under_way) == ("rolling-back", 1), "all that is left of it"
        assert since <= moment(run["started"])

        done = sandbox.operator.real("rollback", "-e", json.dumps(back), name="metrics-rollback")
        series = read(file)
        assert (phase(series)[0], phase(series)[2], series["bg_active_version blue"]) == ("stable", 0, 1)
        assert "bg_switch_last_timestamp_seconds rolled_back" in series
        assert "bg_rollback_window_end_timestamp_seconds" not in series
        assert "metrics    WARNING: not published. Reading http://127.0.0.1" in done.output
    finally:
        produced = producer.stop()
    report = sandbox.audits.audit("metrics", None, None, wait=90)
    assert report["processed"] == produced["records"] > 0
    assert (report["lost"]["count"], report["duplicated"]["count"]) == (0, 0)


def test_status_publishes_what_it_finds(sandbox: Sandbox) -> None:
    file = sandbox.out / "status.prom"
    to = json.dumps({"bg_metrics": {"textfile": str(file)}})
    sandbox.operator.play("status", "-e", to, name="metrics-status")
    assert (phase(read(file))[0], read(file)["bg_switch_in_progress"]) == ("stable", 0)
    assert "changed=0" in sandbox.operator.play("status", "-e", to, name="metrics-status-again").output


def names(sandbox: Sandbox) -> set[str]:
    return {item["metadata"]["name"] for item in sandbox.app.listed("v1", "ConfigMap")}


def test_pods_are_scraped(sandbox: Sandbox) -> None:
    """Through the API server, without the token of the commands."""
    pod = sandbox.app.pod_names("green")[0]
    path = f"/api/v1/namespaces/{sandbox.names.namespace}/pods/{pod}:8080/proxy/metrics"
    text = finished(
        ["kubectl", "get", "--raw", path], env={**sandbox.operator.env}, capture_output=True, text=True
    ).stdout
    series = {sample.name: sample for family in text_string_to_metric_families(text) for sample in family.samples}
    processed = series["bg_consumer_records_processed_total"]
    assert processed.labels == {"app": APP, "colour": "green", "consumergroup": sandbox.names.group("green")}
    assert processed.value > 0
    assert series["bg_consumer_epoch"].value == int((sandbox.app.data(RECORD) or {})["epoch"])
