"""A rule that is broken in one place is caught by a case of its alert."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.cases import CASES
from tests.monitoring.promtool import RULES, check, failures

LAG, RUNNING, FAILING = "KafkaHighConsumerLag", "ActiveColourNotRunning", "BGActiveColourFailing"
NONE = "vector(0) < 0"


@dataclass(frozen=True)
class Mutation:
    """One text of a rule that becomes another.

    rule: the name of the alert or of the recorded series.
    alert: whose cases have to notice, if the rule is no alert.
    number: which of the rules of this name.
    """

    rule: str
    old: str
    new: str
    alert: str = ""
    number: int = 0
    field: str = "expr"

    def __str__(self) -> str:
        """The name of the test."""
        return f"{self.rule}-{self.number}: {self.old!r} -> {self.new!r}"


ACTIVE_INFO, ACTIVE_LAG, PHASE = "bg:active_colour:info", "bg:active_colour:lag", "bg:phase:since_timestamp_seconds"
PARTITIONS, EXISTS = "bg:consumergroup_partition:lag", "bg:application:exists"
PROCESSED, FAILED, RATIO = "bg:colour:processed_per_second", "bg:colour:failed_per_second", "bg:colour:error_ratio"
RUN, AT_WORK, SEEN = "bg:run:seconds", "bg:colour:at_work", "bg:application:seen_epoch"
BOTH, STALE = "BGBothColoursActive", "BGMetricsStale"
YOUNG = "unless on (namespace, app) bg:run:seconds < 600"

MUTATIONS = [
    # Which colour is active
    Mutation(ACTIVE_INFO, "(bg_active_version == 1)", "bg_active_version", LAG),
    Mutation(ACTIVE_INFO, "(bg_active_version == 1)", "(bg_active_version == 0)", LAG),
    Mutation(
        ACTIVE_INFO, "bg_epoch == on (namespace, app) group_left () max by (namespace, app) (bg_epoch)", "bg_epoch", LAG
    ),
    Mutation(ACTIVE_INFO, "== on (namespace, app) group_left () max", "== on (namespace, app) group_left () min", LAG),
    Mutation(ACTIVE_INFO, "max by (namespace, app, colour, consumergroup, workload_kind, workload) (", "(", LAG),
    Mutation(ACTIVE_INFO, "max by (namespace, app) (bg_epoch)", "max by (app) (bg_epoch)", LAG),
    # Lag
    Mutation(PARTITIONS, ">= 0", ">= -1", LAG),
    Mutation(PARTITIONS, ">= 0", "", LAG),
    Mutation(PARTITIONS, "max by (consumergroup, topic, partition)", "sum by (consumergroup, topic, partition)", LAG),
    Mutation(PARTITIONS, "max by (consumergroup, topic, partition)", "max by (consumergroup, partition)", LAG),
    Mutation(PARTITIONS, "and on (consumergroup) bg_colour_info", "", LAG),
    Mutation(ACTIVE_LAG, "sum by (consumergroup)", "max by (consumergroup)", LAG),
    Mutation(ACTIVE_LAG, "bg:active_colour:info", "bg_colour_info", LAG),
    Mutation(LAG, "> 1000", ">= 1000"),
    Mutation(LAG, "> 1000", "> 5000"),
    Mutation(LAG, "> 1000", "> 500"),
    Mutation(LAG, "5m", "", field="for"),
    Mutation(LAG, "5m", "2m", field="for"),
    Mutation(LAG, "bg:active_colour:lag", "sum by (consumergroup) (bg:consumergroup_partition:lag)"),
    # Lag that nobody knows
    Mutation("ActiveColourLagUnknown", "> 0", ">= 0"),
    Mutation("ActiveColourLagUnknown", "and on (namespace, workload_kind, workload) bg:workload:ready > 0", ""),
    Mutation(
        "ActiveColourLagUnknown",
        "unless on (consumergroup) kafka_consumergroup_lag",
        "unless on () kafka_consumergroup_lag",
    ),
    Mutation("ActiveColourLagUnknown", "kafka_consumergroup_lag", "(kafka_consumergroup_lag >= 0)"),
    Mutation("ActiveColourLagUnknown", "bg:active_colour:info", "bg_colour_info"),
    Mutation("ActiveColourLagUnknown", "on (namespace, workload_kind, workload)", "on (workload_kind, workload)"),
    Mutation("ActiveColourLagUnknown", "15m", "5m", field="for"),
    # The exporter
    Mutation("KafkaExporterDown", ' or absent(up{job="kafka-exporter"})', ""),
    Mutation("KafkaExporterDown", 'up{job="kafka-exporter"} == 0 or ', ""),
    Mutation("KafkaExporterDown", "== 0", "== 1"),
    Mutation("KafkaExporterDown", "2m", "1m", field="for"),
    Mutation("KafkaExporterDown", "2m", "5m", field="for"),
    # Pods of the active colour
    Mutation(
        RUNNING,
        "on (namespace, workload_kind, workload) min_over_time",
        "on (workload_kind, workload) min_over_time",
    ),
    Mutation(RUNNING, "and on (namespace, workload_kind, workload) min_over_time", "and on () min_over_time"),
    Mutation(RUNNING, "min_over_time(bg:workload:ready[2m]) == 0", "min_over_time(bg:workload:ready[2m]) <= 3"),
    Mutation(RUNNING, "min_over_time(bg:workload:ready[2m])", "bg:workload:ready"),
    Mutation(RUNNING, "min_over_time(bg:workload:ready[2m])", "max_over_time(bg:workload:ready[2m])"),
    Mutation(RUNNING, "and on (namespace, workload_kind, workload) bg:workload:wanted > 0", ""),
    Mutation(RUNNING, "bg:workload:wanted > 0", "bg:workload:wanted >= 0"),
    Mutation(
        RUNNING,
        "and on (namespace, workload_kind, workload) bg:workload:wanted > 0",
        "unless on (namespace, workload_kind, workload) bg:workload:wanted == 0",
    ),
    Mutation(RUNNING, YOUNG, ""),
    Mutation(RUNNING, "bg:run:seconds < 600", "bg:run:seconds < 60"),
    Mutation(RUNNING, "bg:run:seconds < 600", "bg:run:seconds"),
    Mutation(RUNNING, "bg:active_colour:info", "bg_colour_info"),
    Mutation(RUNNING, "5m", "2m", field="for"),
    Mutation(RUNNING, "5m", "10m", field="for"),
    Mutation(
        RUNNING,
        "bg:active_colour:info unless on (namespace, workload_kind, workload) bg:workload:ready",
        NONE,
        number=1,
    ),
    Mutation(RUNNING, "and on (namespace, app) bg:application:exists", "", number=1),
    Mutation(RUNNING, "and on (namespace, app) bg:application:exists", "and on () bg:application:exists", number=1),
    Mutation(RUNNING, "unless on (namespace, app) bg:active_colour:lag == 0", "", number=1),
    Mutation(RUNNING, "bg:active_colour:lag == 0", "bg:active_colour:lag >= 0", number=1),
    Mutation(RUNNING, YOUNG, "", number=1),
    Mutation(RUNNING, "bg:run:seconds < 600", "bg:run:seconds", number=1),
    Mutation(RUNNING, "1m", "", field="for", number=1),
    Mutation("bg:workload:ready", "and on (namespace, workload_kind, workload) bg_colour_info", "", RUNNING),
    Mutation("bg:workload:wanted", "kube_deployment_spec_replicas", "kube_deployment_status_replicas_ready", RUNNING),
    Mutation("bg:workload:wanted", "kube_statefulset_replicas", "kube_statefulset_status_replicas_ready", RUNNING),
    Mutation("bg:workload:ready", '"StatefulSet"', '"Deployment"', RUNNING),
    Mutation(EXISTS, "(.+)-active-version", "(.+)", RUNNING),
    Mutation(EXISTS, "bg_colour_info and on (namespace, workload_kind, workload) bg:workload:ready", NONE, RUNNING),
    # Failed records
    Mutation(FAILING, ">= 0.01", "> 0.01"),
    Mutation(FAILING, ">= 0.01", ">= 0.005"),
    Mutation(FAILING, ">= 0.01", ">= 0.05"),
    Mutation(FAILING, "bg:colour:error_ratio", "bg:colour:failed_per_second"),
    Mutation(FAILING, "and on (namespace, app, colour) bg:colour:at_work", ""),
    Mutation(FAILING, "and on (namespace, app, colour) bg:colour:at_work", "and on (app, colour) bg:colour:at_work"),
    Mutation(FAILING, "and on (namespace, app, colour) bg:colour:at_work", "and on (namespace, app) bg:colour:at_work"),
    Mutation(FAILING, "bg:colour:at_work", "bg:active_colour:info"),
    Mutation(AT_WORK, "bg:active_colour:info", NONE, FAILING),
    Mutation(AT_WORK, 'unless on (namespace, app) bg_consumer_state{state="ACTIVE"}', "", FAILING),
    Mutation(FAILING, ">= 100", ">= 0"),
    Mutation(FAILING, ">= 100", ">= 1000"),
    Mutation(FAILING, "30s", "", field="for"),
    Mutation(FAILING, "30s", "2m", field="for"),
    Mutation(PROCESSED, "or\n", "unless\n", FAILING),
    Mutation(FAILED, "or\n", "and\n", FAILING),
    Mutation(
        RATIO,
        "(bg:colour:processed_per_second + bg:colour:failed_per_second)",
        "bg:colour:processed_per_second",
        FAILING,
    ),
    Mutation(
        FAILED,
        "sum by (namespace, app, colour) (rate(bg_consumer_records_failed_total[120s]))",
        "max by (namespace, app, colour) (rate(bg_consumer_records_failed_total[120s]))",
        FAILING,
    ),
    # Both colours
    Mutation(AT_WORK, "max by (namespace, app, colour)", "max by (namespace, app, colour, pod)", BOTH),
    Mutation(AT_WORK, "== 1", ">= 0", BOTH),
    Mutation(AT_WORK, 'state="ACTIVE"', 'state=~"ACTIVE|PAUSING"', BOTH),
    Mutation(AT_WORK, '{state="ACTIVE"}', "", BOTH),
    Mutation(BOTH, "count by (namespace, app)", "count by (namespace)"),
    Mutation(BOTH, "count by (namespace, app)", "count by (app)"),
    Mutation(BOTH, "> 1", "> 2"),
    Mutation(BOTH, "> 1", ">= 1"),
    Mutation(BOTH, "1m", "", field="for"),
    # Runs
    Mutation(
        PHASE,
        "== on (namespace, app) group_left () max by (namespace, app) (bg_phase_since_timestamp_seconds)",
        "",
        "BGSwitchTooLong",
    ),
    Mutation(
        PHASE,
        "== on (namespace, app) group_left () max by (namespace, app)",
        "== on (app) group_left () max by (app)",
        "BGSwitchTooLong",
    ),
    Mutation(RUN, '{phase!="stable"}', "", "BGSwitchTooLong"),
    Mutation(RUN, '{phase!="stable"}', '{phase="switching"}', "BGSwitchTooLong"),
    Mutation(RUN, "time() - ", "", "BGSwitchTooLong"),
    Mutation("BGSwitchTooLong", "> 120", ">= 120"),
    Mutation("BGSwitchTooLong", "> 120", "> 600"),
    Mutation("BGRunAbandoned", "bg_switch_in_progress == 1", "bg_switch_in_progress >= 0"),
    Mutation(
        "BGRunAbandoned", "and bg_epoch == on (namespace, app) group_left () max by (namespace, app) (bg_epoch)", ""
    ),
    Mutation("BGRunAbandoned", "> 120", "> 0"),
    Mutation("BGRunAbandoned", "and on (namespace, app) (", "and on (app) ("),
    Mutation("BGRunAbandoned", "and on (namespace, app) (", "and on (namespace) ("),
    Mutation(
        "BGRunAbandoned",
        "bg:phase:since_timestamp_seconds",
        "max by (namespace, app) (bg:phase:since_timestamp_seconds)",
    ),
    Mutation("BGRunAbandoned", "10m", "5m", field="for"),
    Mutation("BGRollbackWindowClosing", "0 < (", "("),
    Mutation("BGRollbackWindowClosing", "< 600", "<= 600"),
    Mutation("BGRollbackWindowClosing", "< 600", "< 300"),
    Mutation(
        "BGRollbackWindowClosing",
        "and bg_epoch == on (namespace, app) group_left () max by (namespace, app) (bg_epoch)",
        "",
    ),
    Mutation("BGRollbackWindowClosing", "max by (namespace, app) (\n", "(\n"),
    # Metrics that are old
    Mutation(STALE, "> on (namespace, app)", ">= on (namespace, app)"),
    Mutation(STALE, "unless on (namespace, app) bg_epoch", "unless on (app) bg_epoch"),
    Mutation(STALE, "unless on (namespace, app) bg_epoch", "and on (namespace, app) bg_epoch"),
    Mutation(STALE, "max by (namespace, app) (bg_epoch)", "min by (namespace, app) (bg_epoch)"),
    Mutation(STALE, YOUNG, ""),
    Mutation(STALE, "bg:run:seconds < 600", "bg:run:seconds"),
    Mutation(STALE, "5m", "", field="for"),
    Mutation(STALE, "5m", "15m", field="for"),
    Mutation(SEEN, "max by (namespace, app)", "min by (namespace, app)", STALE),
    Mutation(SEEN, "max by (namespace, app)", "max by (app)", STALE),
]


def named(rule: dict[str, Any]) -> str:
    return rule.get("alert") or rule["record"]


def mutated(mutation: Mutation, directory: Path) -> Path:
    """The recorded series and the alert, with this one change; the other alerts only take time."""
    content = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for group in content["groups"]:
        group["rules"] = [
            rule for rule in group["rules"] if "record" in rule or rule["alert"] in (mutation.alert, mutation.rule)
        ]
    rules = [rule for group in content["groups"] for rule in group["rules"] if named(rule) == mutation.rule]
    rule = rules[mutation.number]
    assert mutation.old in rule[mutation.field], f"{mutation.rule} has no {mutation.old!r}: {rule[mutation.field]}"
    rule[mutation.field] = rule[mutation.field].replace(mutation.old, mutation.new, 1)
    if not rule[mutation.field]:
        del rule[mutation.field]
    copy = directory / "rules.yml"
    copy.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return copy


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_it_is_caught(mutation: Mutation, tmp_path):
    rules = mutated(mutation, tmp_path)
    assert check(rules) == "", "a rule that Prometheus does not take says nothing of the cases"
    cases = [case.test() for case in CASES if case.alert == (mutation.alert or mutation.rule)]
    assert any(failures([case], tmp_path, rules) for case in cases), "no case fails"


def test_each_alert_is_broken_in_two_ways():
    content = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    alerts = Counter(named(rule) for group in content["groups"] for rule in group["rules"] if "alert" in rule)
    broken = Counter((mutation.rule, mutation.number) for mutation in MUTATIONS)
    assert {
        f"{name}, rule {number}"
        for name, count in alerts.items()
        for number in range(count)
        if broken[name, number] < 2
    } == set()


def test_each_recorded_series_is_broken():
    content = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    recorded = {rule["record"] for group in content["groups"] for rule in group["rules"] if "record" in rule}
    assert recorded - {mutation.rule for mutation in MUTATIONS} == set()
