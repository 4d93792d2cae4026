"""The playbook writes the committed files, takes other names and refuses wrong values; nothing else renders the rules."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.monitoring.cases import APP, CRITICAL, FAILED, GREEN
from tests.monitoring.promtool import ROOT, Case, check, failures
from tests.monitoring.series import always, application, counting, lag, pod, replicas
from tests.unit.waiting import HANG

PLAYBOOK = "streamops.bluegreen.alert_rules"
FILES = ("rules.yml", "prometheusrule.yaml")

# The PrometheusRule of monitoring.coreos.com/v1 as its definition has it; the definition itself is in no package of ours.
NAMED = {"type": "object", "additionalProperties": {"type": "string"}}
DURATION = {"type": "string", "pattern": "^(0|(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$"}
RULE = {
    "type": "object",
    "required": ["expr"],
    "additionalProperties": False,
    "oneOf": [{"required": ["alert"]}, {"required": ["record"]}],
    "properties": {
        "alert": {"type": "string"},
        "record": {"type": "string"},
        "expr": {"type": ["string", "integer"]},
        "for": DURATION,
        "keep_firing_for": DURATION,
        "labels": NAMED,
        "annotations": NAMED,
    },
}
GROUP = {
    "type": "object",
    "required": ["name", "rules"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "interval": DURATION,
        "rules": {"type": "array", "items": RULE},
    },
}
PROMETHEUSRULE = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": "monitoring.coreos.com/v1"},
        "kind": {"const": "PrometheusRule"},
        "metadata": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"},
                "namespace": {"type": "string"},
                "labels": NAMED,
            },
        },
        "spec": {
            "type": "object",
            "required": ["groups"],
            "additionalProperties": False,
            "properties": {"groups": {"type": "array", "items": GROUP}},
        },
    },
}


def play(directory: Path | None, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    if directory is not None:
        variables["monitoring_directory"] = str(directory)
    command = ["ansible-playbook", "--inventory", "localhost,", PLAYBOOK, *arguments, "-e", json.dumps(variables)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=HANG)


def rendered(directory: Path, *arguments: str, **variables: Any) -> Path:
    done = play(directory, *arguments, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return directory / "rules.yml"


def groups(directory: Path) -> list[dict[str, Any]]:
    return yaml.safe_load((directory / "rules.yml").read_text(encoding="utf-8"))["groups"]


def test_the_committed_files_are_what_it_writes(tmp_path):
    rendered(tmp_path)
    for name in FILES:
        written = (tmp_path / name).read_text(encoding="utf-8")
        assert written == (ROOT / "monitoring" / name).read_text(encoding="utf-8"), (
            f"monitoring/{name} is not what its template says: ansible-playbook {PLAYBOOK} -e monitoring_directory=$PWD/monitoring"
        )


def test_check_mode_writes_nothing_and_a_second_time_changes_nothing(tmp_path):
    planned = play(tmp_path, "--check", "--diff")
    assert "changed=1" in planned.stdout
    assert "+groups:" in planned.stdout
    assert list(tmp_path.iterdir()) == []
    rendered(tmp_path)
    assert "changed=0" in play(tmp_path).stdout


def test_the_prometheusrule_holds_the_same_rules(tmp_path):
    rendered(
        tmp_path,
        monitoring_prometheusrule_namespace="monitoring",
        monitoring_prometheusrule_labels={"release": "kube-prometheus-stack"},
        monitoring_alert_labels={"team": "orders", "page": "on"},
    )
    resource = yaml.safe_load((tmp_path / "prometheusrule.yaml").read_text(encoding="utf-8"))
    jsonschema.validate(resource, PROMETHEUSRULE)
    assert resource["spec"]["groups"] == groups(tmp_path)
    assert resource["metadata"] == {
        "name": "streamops-bluegreen",
        "namespace": "monitoring",
        "labels": {"release": "kube-prometheus-stack"},
    }
    alerts = [rule for group in groups(tmp_path) for rule in group["rules"] if "alert" in rule]
    assert all({"team": "orders", "page": "on"}.items() <= rule["labels"].items() for rule in alerts)
    assert check(tmp_path / "rules.yml") == ""


def test_the_committed_prometheusrule_is_one():
    jsonschema.validate(
        yaml.safe_load((ROOT / "monitoring/prometheusrule.yaml").read_text(encoding="utf-8")), PROMETHEUSRULE
    )


def kminion(group: str, value: str, partition: str = "0") -> dict[str, str]:
    labels = (
        f'group_id="{group}",topic_name="order-events",partition_id="{partition}",job="kminion",instance="kminion:8080"'
    )
    return {f"kminion_kafka_consumer_group_topic_partition_lag{{{labels}}}": value}


def test_names_of_kminion(tmp_path):
    rules = rendered(tmp_path, "-e", "@monitoring/kminion.yml")
    cases = [
        Case(
            "fires with the names of kminion, summed over partitions",
            "KafkaHighConsumerLag",
            application()
            | kminion("order-consumer-green", always(600))
            | kminion("order-consumer-green", always(600), "1")
            | kminion("order-consumer-blue", always(9000)),
            {"5m": [CRITICAL | GREEN]},
            equals={
                ('bg:consumergroup_partition:lag{consumergroup="order-consumer-green"}', "5m"): {
                    f'bg:consumergroup_partition:lag{{consumergroup="order-consumer-green",topic="order-events",partition="{part}"}}': 600
                    for part in (0, 1)
                }
            },
        ),
        Case(
            "it knows the lag",
            "ActiveColourLagUnknown",
            application() | replicas("order-consumer-green", always(3)) | kminion("order-consumer-green", always(0)),
            {"16m": []},
        ),
        Case("it is gone", "KafkaExporterDown", {}, {"2m": [CRITICAL | {"job": "kminion"}]}),
    ]
    assert failures([case.test() for case in cases], tmp_path, rules) == ""


def test_names_of_spring(tmp_path):
    rules = rendered(tmp_path, "-e", "@monitoring/spring.yml")

    def timer(result: str, per_second: float, exception: str = "none") -> dict[str, str]:
        labels = {"app": "order-consumer", "colour": "green", "namespace": "orders", "pod": "a", "name": "orders-0"}
        text = ",".join(f'{name}="{value}"' for name, value in labels.items())
        series = f'spring_kafka_listener_seconds_count{{{text},result="{result}",exception="{exception}"}}'
        return {series: counting(per_second)}

    good = application() | timer("success", 20)
    cases = [
        Case("good", "BGActiveColourFailing", good, {"4m": []}),
        Case(
            "two kinds of failures",
            "BGActiveColourFailing",
            good | timer("failure", 0.6, "A") | timer("failure", 0.6, "B"),
            {"4m": [FAILED]},
        ),
        Case(
            "4 % of the calls: retries count as calls, so fewer records than that failed",
            "BGActiveColourFailing",
            good | timer("failure", 0.8),
            {"4m": []},
        ),
    ]
    assert failures([case.test() for case in cases], tmp_path, rules) == ""


def test_labels_that_tell_clusters_apart(tmp_path):
    """The same application in two clusters that one Prometheus holds: one has lag and no pods, the other is well."""
    rules = rendered(tmp_path, monitoring_cluster_labels=["cluster"])

    def in_cluster(name: str, series: dict[str, str]) -> dict[str, str]:
        return {re.sub(r"\{", f'{{cluster="{name}",', one, count=1): values for one, values in series.items()}

    world = in_cluster(
        "east",
        application()
        | lag("order-consumer-green", {0: always(2000)})
        | replicas("order-consumer-green", always(0), always(3)),
    ) | in_cluster(
        "west",
        application("blue", epoch=9)
        | lag("order-consumer-green", {0: always(0)})
        | lag("order-consumer-blue", {0: always(0)})
        | replicas("order-consumer-green", always(3), always(3))
        | replicas("order-consumer-blue", always(3), always(3)),
    )
    east = {"cluster": "east"}
    cases = [
        Case("lag", "KafkaHighConsumerLag", world, {"5m": [CRITICAL | GREEN | east]}),
        Case("pods", "ActiveColourNotRunning", world, {"7m": [CRITICAL | GREEN | east | {"bg_action": "rollback"}]}),
        Case("unknown", "ActiveColourLagUnknown", world, {"16m": []}),
    ]
    assert failures([case.test() for case in cases], tmp_path, rules) == ""
    # The rules without the label take them for one application.
    assert failures([case.test() for case in cases[:2]], tmp_path) != ""


def test_only_some_applications_and_other_thresholds(tmp_path):
    rules = rendered(
        tmp_path,
        monitoring_select='namespace=~"orders|staging"',
        monitoring_lag_max=50,
        monitoring_lag_for="1m",
        monitoring_kube_names={"namespace": "exported_namespace"},
    )
    world = (
        application()
        | application(namespace="sandbox", group="sandbox")
        | lag("order-consumer-green", {0: always(51)})
        | lag("sandbox-green", {0: always(51)})
    )
    elsewhere = {
        name.replace("namespace=", "exported_namespace="): values
        for name, values in replicas("order-consumer-green", always(0), always(3)).items()
    }
    cases = [
        Case("lag", "KafkaHighConsumerLag", world, {"1m": [CRITICAL | GREEN]}),
        Case(
            "pods",
            "ActiveColourNotRunning",
            world | elsewhere,
            {"5m": [CRITICAL | GREEN | {"bg_action": "rollback"}]},
        ),
    ]
    assert failures([case.test() for case in cases], tmp_path, rules) == ""


def test_only_some_applications_by_what_their_pods_say(tmp_path):
    """The names of the pods' labels are their own; the matchers are on ours."""
    rules = rendered(
        tmp_path,
        monitoring_select='namespace="orders"',
        monitoring_consumer_names={"namespace": "kubernetes_namespace", "app": "app", "colour": "colour"},
    )

    def said(namespace: str) -> dict[str, str]:
        pods = (
            pod("bg_consumer_epoch", always(3), "green", namespace=namespace)
            | pod("bg_consumer_state", always(1), "green", namespace=namespace, state="ACTIVE")
            | pod("bg_consumer_state", always(1), "blue", namespace=namespace, state="ACTIVE")
            | pod("bg_consumer_records_processed_total", counting(9), "green", namespace=namespace)
            | pod("bg_consumer_records_failed_total", counting(1), "green", namespace=namespace)
        )
        return {name.replace("namespace=", "kubernetes_namespace="): values for name, values in pods.items()}

    world = said("orders") | said("sandbox")
    cases = [
        Case("epoch", "BGMetricsStale", world, {"5m": [CRITICAL | APP]}),
        Case("both", "BGBothColoursActive", world, {"5m": [CRITICAL | APP]}),
        Case("failing", "BGActiveColourFailing", world, {"5m": [FAILED]}),
    ]
    assert failures([case.test() for case in cases], tmp_path, rules) == ""


@pytest.mark.parametrize("wait", ["3m", "180s"])
def test_a_rollback_may_wait_for(wait, tmp_path):
    rendered(tmp_path, monitoring_not_running_for=wait)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"monitoring_lag_mx": 3}, "monitoring_lag_mx: not a variable of the alert rules"),
        ({"monitoring_lag_max": "many"}, "monitoring_lag_max is many; it must be a number"),
        ({"monitoring_lag_for": 5}, "monitoring_lag_for is 5; it must be a duration"),
        ({"monitoring_failing_ratio": 0}, "monitoring_failing_ratio is 0; it must be a share, more than 0"),
        ({"monitoring_failing_ratio": 1.5}, "monitoring_failing_ratio is 1.5; it must be a share"),
        ({"monitoring_failing_records": 0}, "monitoring_failing_records is 0; it must be 1 or more"),
        ({"monitoring_failing_seconds": 9}, "monitoring_failing_seconds is 9; it must be whole seconds, from 10"),
        (
            {"monitoring_run_seconds": 60},
            "monitoring_run_seconds is 60; it must be not less than monitoring_switch_seconds",
        ),
        ({"monitoring_not_running_for": "2m30s"}, "monitoring_not_running_for is 2m30s; it must be 3m or more"),
        ({"monitoring_not_running_for": "300ms"}, "monitoring_not_running_for is 300ms; it must be 3m or more"),
        ({"monitoring_alert_labels": {"severity": "page"}}, "monitoring_alert_labels holds severity"),
        ({"monitoring_alert_labels": {"bg_action": "rollback"}}, "monitoring_alert_labels holds bg_action"),
        ({"monitoring_lag_for": "5s1m"}, "monitoring_lag_for is 5s1m; it must be a duration"),
        ({"monitoring_cluster_labels": ["a-b"]}, "monitoring_cluster_labels holds a-b"),
        ({"monitoring_lag_names": {"topic": "a b"}}, "monitoring_lag_names holds a b"),
        ({"monitoring_directory": "rules"}, "monitoring_directory is rules; it must be the absolute path"),
        (
            {"monitoring_directory": "/nowhere/rules"},
            "monitoring_directory is /nowhere/rules; it must be the absolute path",
        ),
        ({}, "monitoring_directory is not set"),
    ],
    ids=str,
)
def test_a_wrong_value_is_told_before_anything_is_written(variables, said, tmp_path):
    wanted = None if not variables or "monitoring_directory" in variables else tmp_path
    done = play(wanted, **variables)
    assert done.returncode != 0
    assert "Nothing was changed." in done.stdout
    assert said in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_every_variable_is_used():
    text = (ROOT / "monitoring/variables.yml").read_text(encoding="utf-8")
    used = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "monitoring/templates").iterdir())
    assert {name for name in yaml.safe_load(text) if not re.search(rf"\b{name}\b", used)} == set()


def test_the_files_for_other_exporters_hold_variables():
    known = set(yaml.safe_load((ROOT / "monitoring/variables.yml").read_text(encoding="utf-8")))
    for name in ("kminion.yml", "spring.yml"):
        assert set(yaml.safe_load((ROOT / "monitoring" / name).read_text(encoding="utf-8"))) <= known
