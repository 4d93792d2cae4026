"""The dashboard is what the script builds, and each of its expressions finds something in a world where all is exported."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import build_dashboard
from tests.monitoring import names
from tests.monitoring.promtool import ROOT, RULES, failures
from tests.monitoring.series import always, application, counting, lag, of_run, phase, pod, replicas, text

DASHBOARD = json.loads(build_dashboard.TARGET.read_text(encoding="utf-8"))
VARIABLES = {"$namespace": "orders", "$app": "order-consumer", "$__rate_interval": "1m", "$__interval": "1m"}
OLD, NEW = {"gateway": "a", "job": "bluegreen"}, {"gateway": "b", "job": "bluegreen"}


def expressions(node: Any) -> Iterator[str]:
    """Every query of panels and annotations, with its variables filled in."""
    if isinstance(node, list):
        for item in node:
            yield from expressions(item)
    elif isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            expression = node["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            yield expression
        for value in node.values():
            yield from expressions(value)


EXPRESSIONS = sorted(set(expressions(DASHBOARD)))


def run_of(source: dict[str, str], active: str, epoch: int, end: int) -> dict[str, str]:
    """All that a run leaves."""
    made = application(active, epoch=epoch, source=source) | phase("verifying", end, source=source)
    old = source is OLD  # whose figures are all greater
    for metric, value in {
        "bg_switch_in_progress": 1 if old else 0,
        "bg_rollback_window_end_timestamp_seconds": 9000 if old else 3603,
        "bg_snapshot_timestamp_seconds": 200 if old else end,
    }.items():
        made |= of_run(metric, always(value), source=source)
    for metric, more, value in (
        ("bg_switch_duration_seconds", {"step": "total"}, 99 if old else 13),
        ("bg_switch_duration_seconds", {"step": "handover"}, 9 if old else 1),
        ("bg_switch_last_timestamp_seconds", {"result": "aborted" if old else "success"}, end),
        ("bg_offsets_copied", {"topic": "order-events"}, 24 if old else 12),
        ("bg_gate", {"stage": "bake", "gate": "errors"}, 0),
        ("bg_gate", {"stage": "before", "gate": "lag"}, 0 if old else 1),
    ):
        made |= of_run(metric, always(value), source=source | more)
    return made


def world() -> dict[str, str]:
    made = run_of(OLD, "blue", 2, 20) | run_of(NEW, "green", 3, 60)
    # The epoch moves a moment before it is looked at.
    made[next(name for name in made if name.startswith("bg_epoch") and 'gateway="b"' in name)] = "2x18 3x200"
    for colour in ("blue", "green"):
        made |= lag(f"order-consumer-{colour}", {0: always(7), 1: always(-1)})
        made |= replicas(f"order-consumer-{colour}", always(0), always(3))
        made |= pod("bg_consumer_records_in_flight", always(4), colour)
        made |= pod("bg_consumer_records_processed_total", counting(20), colour)
        made |= pod("bg_consumer_records_failed_total", counting(1), colour)
        for end in ("sum", "count"):
            labels = {"app": "order-consumer", "colour": colour, "namespace": "orders", "result": "success"}
            made[f"spring_kafka_listener_seconds_{end}{text(labels)}"] = counting(10)
    return made


def ask(asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    series = [{"series": name, "values": values} for name, values in world().items()]
    return [{"interval": "15s", "input_series": series, "promql_expr_test": asked}]


def test_the_committed_file_is_what_the_script_builds():
    assert build_dashboard.build() == build_dashboard.TARGET.read_text(encoding="utf-8"), (
        "run scripts/build_dashboard.py"
    )


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_each_expression_finds_something(expression, tmp_path):
    found = {"expr": f"count({expression}) > bool 0", "eval_time": "5m", "exp_samples": [{"labels": "{}", "value": 1}]}
    assert failures(ask([found]), tmp_path) == ""


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Active colour", {"green": 1}),
        ("Pods of blue", {"ready": 0, "wanted": 3}),
        ("Phase", {"verifying": 60}),
        ("Run", {"run": 0}),
        ("Age of the phase", {"age": 240}),
        ("Lag of blue and green", {"blue": 7, "green": 7}),
        ("Rollback window", {"left": 3303}),
        ("Age of the snapshot", {"age": 240}),
        ("Last run", {"success": 60000}),
        ("No-Go, as last published", {"bake: errors": 0}),
        ("Steps of the last run", {"total": 13, "handover": 1}),
        ("Partitions of the last hand-over", {"order-events": 12}),
        ("Mean time of a record", {"blue": 1, "green": 1}),
    ],
)
def test_a_panel_shows_the_newest_run_alone(title, expected, tmp_path):
    """Two Pushgateways, of which one was not told of the last switch."""
    (panel,) = [one for one in DASHBOARD["panels"] if one["title"] == title]
    asked = []
    for target in panel["targets"]:
        (expression,) = expressions(target)
        labels = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
        by = f" by ({', '.join(labels)})"
        template = re.sub(r"\{\{(\w+)\}\}", r"(?P<\1>.+)", target["legendFormat"])
        samples = []
        for legend, value in expected.items():
            match = re.fullmatch(template, legend)
            if match and (labels or target["legendFormat"] == legend):
                samples.append({"labels": text(match.groupdict()), "value": value})
        assert samples, f"{title} shows nothing called {list(expected)}"
        # Two series of one name would be added.
        asked.append({"expr": f"sum{by}({expression})", "eval_time": "5m", "exp_samples": samples})
    assert failures(ask(asked), tmp_path) == ""


def test_what_it_uses_is_exported():
    queries = [variable["query"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"]
    asked = [re.sub(r"label_values\((.*), \w+\)", r"\1", query) for query in queries]
    assert {wrong for expression in EXPRESSIONS + asked for wrong in names.unknown(expression)} == set()


@pytest.mark.parametrize("file", ["rules.yml", "kminion.yml", "spring.yml"])
def test_what_the_rules_use_is_exported(file):
    content = yaml.safe_load((ROOT / "monitoring" / file).read_text(encoding="utf-8"))
    if file == "rules.yml":
        assert RULES.name == file
        asked = [rule["expr"] for group in content["groups"] for rule in group["rules"]]
    else:
        asked = [value for value in content.values() if isinstance(value, str)]
    assert {wrong for expression in asked for wrong in names.unknown(expression)} == set()


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ('sum by (group) (kafka_consumer_group_lag{group=~"a.*"}) > 500', ["kafka_consumer_group_lag"]),
        ('kafka_consumergroup_lag{group="a"}', ["kafka_consumergroup_lag{group}"]),
        ("bg:consumer:lag > 1", ["bg:consumer:lag"]),
        ('label_replace(up{job="x"}, "a", "$1", "b", "(.*)") and on (app) bg_epoch', []),
    ],
)
def test_a_name_that_nobody_exports_is_found(expression, wrong):
    assert names.unknown(expression) == wrong


def test_it_has_the_rows_and_marks_of_the_design():
    assert [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"] == [
        "Status",
        "Lag",
        "Performance",
        "Way back",
    ]
    assert [one["name"] for one in DASHBOARD["annotations"]["list"]] == ["Ends of runs", "Transitions", "Alerts"]
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    assert {panel["gridPos"]["x"] + panel["gridPos"]["w"] for panel in DASHBOARD["panels"]} <= set(range(25))
