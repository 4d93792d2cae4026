"""What the presets of gates from Prometheus say of series that are known, by Prometheus' own tool for tests of rules."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application, Colour
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metric_gate import (
    PRESETS,
    queries_of,
    values_for,
)
from tests.unit.waiting import finished

ROOT = Path(__file__).parents[2]
APP = Application(
    "orders", "shop", {"blue": Colour("cc_blue", "orders-blue"), "green": Colour("cc_green", "orders-green")}
)
TOPICS = ["order.events", "returns"]
WINDOW = 30.0
AT = "2m"
EVERY = 5
"""Seconds between two samples."""
Series = dict[str, str]
"""Values in promtool's notation, by series."""


@pytest.fixture(scope="module")
def promtool() -> str:
    done = finished([ROOT / "scripts/promtool.sh"], capture_output=True, text=True, check=True)
    return str(done.stdout.strip())


def rising(per_second: float, start: float = 1000, samples: int = 40) -> str:
    return f"{start}+{per_second * EVERY:g}x{samples}"


def always(value: float, samples: int = 40) -> str:
    return f"{value:g}x{samples}"


def consumer(
    group: str, processed: float, failed: float, app: str = "orders", pod: str = "p", namespace: str = "shop"
) -> Series:
    labels = f'{{namespace="{namespace}",app="{app}",consumergroup="{group}",pod="{pod}"}}'
    return {
        f"bg_consumer_records_processed_total{labels}": rising(processed),
        f"bg_consumer_records_failed_total{labels}": rising(failed),
    }


def calls(pod: str, result: str, per_second: float, namespace: str = "shop") -> Series:
    labels = f'namespace="{namespace}",pod="{pod}",name="l",result="{result}",exception="x"'
    return {f"spring_kafka_listener_seconds_count{{{labels}}}": rising(per_second)}


def exported(group: str, offsets: str, ends: str, topic: str = "order.events", partition: int = 0) -> Series:
    place = f'topic="{topic}",partition="{partition}"'
    return {
        f'kafka_consumergroup_current_offset{{consumergroup="{group}",{place}}}': offsets,
        f"kafka_topic_partition_current_offset{{{place}}}": ends,
    }


def lag(group: str, value: float, topic: str = "order.events", partition: int = 0) -> Series:
    labels = f'{{consumergroup="{group}",topic="{topic}",partition="{partition}"}}'
    return {f"kafka_consumergroup_lag{labels}": always(value)}


def minion(group: str, offsets: str, ends: str, topic: str = "order.events") -> Series:
    return {
        f'kminion_kafka_consumer_group_topic_offset_sum{{group_id="{group}",topic_name="{topic}"}}': offsets,
        f'kminion_kafka_topic_high_water_mark_sum{{topic_name="{topic}"}}': ends,
    }


def behind(topic: str, value: int) -> Series:
    return {f'kafka_topic_partition_under_replicated_partition{{topic="{topic}",partition="0"}}': always(value)}


def replicas(kind: str, name: str, ready: int, wanted: int) -> Series:
    spec = "kube_deployment_spec_replicas" if kind == "deployment" else "kube_statefulset_replicas"
    labels = f'{{namespace="shop",{kind}="{name}"}}'
    return {f"kube_{kind}_status_replicas_ready{labels}": always(ready), f"{spec}{labels}": always(wanted)}


def replica(series: Series, pod: str) -> Series:
    """The same from one of several pods of an exporter."""
    return {name.replace("{", f'{{pod="{pod}",', 1): values for name, values in series.items()}


KMINION_LAG = 'kminion_kafka_consumer_group_topic_lag{group_id="cc_green",topic_name="returns"}'
GREEN_POD, OTHER_POD = "orders-green-7c9fd5b6d-x2x9z", "orders-green-v2-7c9fd5b6d-x2x9z"
CASES: dict[str, tuple[str, Series, dict[str, float | None]]] = {
    "all records are fine": (
        "consumer_error_ratio",
        consumer("cc_green", 10, 0),
        {"value": 0.0, "samples": 300.0, "age": 0.0, "scrapes": 7.0},
    ),
    "one in twenty fails, of all pods, and of no other group or application": (
        "consumer_error_ratio",
        consumer("cc_green", 9, 1)
        | consumer("cc_green", 10, 0, pod="q")
        | consumer("cc_blue", 0, 99)
        | consumer("cc_green", 0, 99, app="other", pod="r")
        | consumer("cc_green", 0, 99, pod="s", namespace="staging"),
        {"value": 0.05, "samples": 600.0},
    ),
    "an idle version has no share": (
        "consumer_error_ratio",
        consumer("cc_green", 0, 0),
        {"value": float("nan"), "samples": 0.0},
    ),
    "no record has failed yet, so that there is no such series": (
        "consumer_error_ratio",
        {name: values for name, values in consumer("cc_green", 10, 0).items() if "failed" not in name},
        {"value": 0.0, "samples": 300.0},
    ),
    "nobody counts": ("consumer_error_ratio", consumer("cc_blue", 9, 1), {"value": None, "samples": None, "age": None}),
    "no call of Spring's has failed yet, so that there is no such series": (
        "spring_error_ratio",
        calls(GREEN_POD, "success", 10),
        {"value": 0.0, "samples": 300.0, "age": 0.0},
    ),
    "one in ten of Spring's fails, and of no other workload": (
        "spring_error_ratio",
        calls(GREEN_POD, "success", 9)
        | calls(GREEN_POD, "failure", 1)
        | calls(OTHER_POD, "failure", 99)
        | calls(GREEN_POD, "failure", 99, namespace="other"),
        {"value": 0.1, "samples": 300.0},
    ),
    "Spring's label of success is another one": (
        "spring_error_ratio",
        calls(GREEN_POD, "SUCCESS", 9) | calls(GREEN_POD, "failure", 1),
        {"value": None, "samples": 300.0, "age": 0.0},
    ),
    "nothing of Spring's is scraped": ("spring_error_ratio", calls(OTHER_POD, "failure", 99), {"value": None}),
    "it keeps up, over all partitions and topics, and no others": (
        "kafka_exporter_throughput",
        exported("cc_green", rising(6), rising(6))
        | exported("cc_green", rising(3), rising(4), topic="returns", partition=1)
        | exported("cc_green", rising(0), rising(99), topic="orderXevents"),
        {"value": 0.9, "samples": 300.0, "age": 0.0, "scrapes": 7.0, "steps": 6.0},
    ),
    "two replicas of an exporter count once": (
        "kafka_exporter_throughput",
        replica(exported("cc_green", rising(9), rising(10)), "a")
        | replica(exported("cc_green", rising(9), rising(10)), "b")
        | exported("cc_green", rising(0), rising(10), partition=1),
        {"value": 0.45, "samples": 600.0},
    ),
    "it commits every 20 seconds": (
        "kafka_exporter_throughput",
        exported("cc_green", "1000 1000x2 1200x4 1400x4 1600x4 1800x4 2000x4 2200x4", rising(10)),
        {"steps": 2.0},
    ),
    "two replicas of kminion count once": (
        "kminion_lag",
        replica({KMINION_LAG: always(7)}, "a") | replica({KMINION_LAG: always(7)}, "b"),
        {"value": 7.0},
    ),
    "two replicas of an exporter know one lag and one broker": (
        "kafka_exporter_lag",
        replica(lag("cc_green", 40), "a") | replica(lag("cc_green", 41), "b"),
        {"value": 41.0},
    ),
    "two replicas see one replica out of sync": (
        "kafka_exporter_brokers",
        replica(behind("order.events", 1), "a") | replica(behind("order.events", 1), "b"),
        {"value": 1.0},
    ),
    "it is half as fast": ("kafka_exporter_throughput", exported("cc_green", rising(5), rising(10)), {"value": 0.5}),
    "after a rewind it is no throughput at all": (
        "kafka_exporter_throughput",
        exported("cc_green", "1000+50x21 100+50x20", rising(10)),
        {"value": -7.571},
    ),
    "kminion: it is half as fast": (
        "kminion_throughput",
        minion("cc_green", rising(5), rising(10)) | minion("cc_green", rising(0), rising(99), topic="other"),
        {"value": 0.5, "samples": 300.0, "age": 0.0},
    ),
    "lag over all partitions; -1 is no commit, and no lag": (
        "kafka_exporter_lag",
        lag("cc_green", 40) | lag("cc_green", 2, "returns") | lag("cc_green", -1, partition=1) | lag("cc_blue", 9),
        {"value": 42.0, "age": 0.0},
    ),
    "no partition has a commit": ("kafka_exporter_lag", lag("cc_green", -1), {"value": None}),
    "kminion: lag": (
        "kminion_lag",
        {KMINION_LAG: always(7)},
        {"value": 7.0},
    ),
    "replicas out of sync, of our topics": (
        "kafka_exporter_brokers",
        behind("order.events", 1) | behind("returns", 0) | behind("other", 1),
        {"value": 1.0},
    ),
    "a Deployment lacks a pod": (
        "kube_state_pods",
        replicas("deployment", "orders-green", 3, 4) | replicas("deployment", "orders-blue", 4, 4),
        {"value": 0.75, "age": 0.0},
    ),
    "a StatefulSet is whole": ("kube_state_pods", replicas("statefulset", "orders-green", 4, 4), {"value": 1.0}),
    "wanted are none": ("kube_state_pods", replicas("deployment", "orders-green", 0, 0), {"value": float("nan")}),
    "the exporter was last seen a while ago": (
        "kafka_exporter_lag",
        {name: always(40, samples=13) for name in lag("cc_green", 0)},
        {"value": 40.0, "age": 55.0},
    ),
}


def is_nan(value: float | None) -> bool:
    """Of a number that equals nothing promtool can only be asked whether it does."""
    return value is not None and math.isnan(value)


def tried(promtool: str, folder: Path, series: Series, expected: dict[str, float | None]) -> tuple[int, str]:
    """Whether each expression gives this, by promtool; None for no series at all."""
    tests = {
        "evaluation_interval": f"{EVERY}s",
        "tests": [
            {
                "interval": f"{EVERY}s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": f"({query}) != bool ({query})" if is_nan(value) else f"round({query}, 0.001)",
                        "eval_time": AT,
                        "exp_samples": []
                        if value is None
                        else [{"labels": "{}", "value": 1.0 if is_nan(value) else value}],
                    }
                    for query, value in expected.items()
                ],
            }
        ],
    }
    path = folder / "presets_test.yml"
    path.write_text(yaml.safe_dump(tests), encoding="utf-8")
    done = finished([promtool, "test", "rules", path], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def asked(
    preset: str, source_rate: float | None = None, matchers: str = "", kind: str = "Deployment"
) -> dict[str, str]:
    app = replace(APP, workload_kind=kind)
    return queries_of(PRESETS[preset], values_for(app, "green", "green", TOPICS, WINDOW, source_rate, matchers))


@pytest.mark.parametrize("case", CASES)
def test_a_preset(promtool: str, tmp_path: Path, case: str) -> None:
    preset, series, expected = CASES[case]
    queries = asked(preset, kind="StatefulSet" if "StatefulSet" in case else "Deployment")
    code, said = tried(promtool, tmp_path, series, {queries[part]: value for part, value in expected.items()})
    assert code == 0, said


@pytest.mark.parametrize("case", CASES)
def test_no_preset_looks_into_another_cluster(promtool: str, tmp_path: Path, case: str) -> None:
    """What differs in the label of the matchers is not there."""
    preset, series, expected = CASES[case]
    kind = "StatefulSet" if "StatefulSet" in case else "Deployment"
    queries = asked(preset, matchers='cluster="prod"', kind=kind)
    code, said = tried(promtool, tmp_path, series, dict.fromkeys(queries[part] for part in expected))
    assert code == 0, said


def test_every_preset_has_a_case() -> None:
    assert {preset for preset, _series, _expected in CASES.values()} == set(PRESETS)


@pytest.mark.parametrize(("source_rate", "share"), [(50.0, 1.0), (None, 0.25), (400.0, 0.25)])
def test_who_is_as_fast_as_the_source_was_is_fast_enough(
    promtool: str, tmp_path: Path, source_rate: float | None, share: float
) -> None:
    """More is produced than either version can do."""
    series = exported("cc_green", rising(50), rising(200))
    query = asked("kafka_exporter_throughput", source_rate)["value"]
    code, said = tried(promtool, tmp_path, series, {query: share})
    assert code == 0, said


def test_a_wrong_expectation_is_found(promtool: str, tmp_path: Path) -> None:
    queries = asked("consumer_error_ratio")
    code, said = tried(promtool, tmp_path, consumer("cc_green", 9, 1), {queries["value"]: 0.2})
    assert code == 1, said


def test_why_a_slope_and_no_rate(promtool: str, tmp_path: Path) -> None:
    """A commit that is set back looks like a counter that began anew: the rate is that of a hundred times more records."""
    queries = asked("kafka_exporter_throughput")
    rated = queries["value"].replace("deriv(kafka_consumergroup", "rate(kafka_consumergroup")
    assert rated != queries["value"]
    series = exported("cc_green", "100000+50x21 90000+50x20", rising(10))
    code, said = tried(promtool, tmp_path, series, {f"{rated} > bool 100": 1.0, f"{queries['value']} < bool 0": 1.0})
    assert code == 0, said
