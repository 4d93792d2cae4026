"""What people read: each text with its figures, and the page that it leads to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.monitoring.cases import CASES
from tests.monitoring.promtool import ROOT, RULES, Labels, failures

PAGE = "https://github.com/streamops/bluegreen/blob/main/docs/monitoring.md#"
DOCS = ROOT / "docs/monitoring.md"

# The alert, a part of the name of the case, the time, and the texts.
READ = [
    (
        "KafkaHighConsumerLag",
        "over all topics",
        "7m",
        "order-consumer (orders): group order-consumer-green is 1.2k records behind",
        "The active colour, green, has more than 1000 records to do, for 5m.",
    ),
    (
        "ActiveColourLagUnknown",
        "fires when pods run",
        "15m",
        "order-consumer (orders): no exporter knows the lag of group order-consumer-green",
        (
            "The active colour, green, has pods, but its lag is in no series, so KafkaHighConsumerLag cannot fire for it. Its exporter"
            " is down or leaves the group out, or the rules have other names than the exporter."
        ),
    ),
    (
        "KafkaExporterDown",
        "does not answer",
        "4m",
        "The exporter of lag a:9308 does not answer",
        "Nothing is known of the lag of the groups that it watches. A switch does not need it.",
    ),
    (
        "KafkaExporterDown",
        "no target any more",
        "4m",
        "The exporter of lag is no target of Prometheus",
        "Nothing is known of the lag of the groups that it watches. A switch does not need it.",
    ),
    (
        "ActiveColourNotRunning",
        "no pod of the active colour",
        "10m",
        "order-consumer (orders): the active colour, green, has no ready pod",
        "Deployment order-consumer-green wants pods, and none of them is ready for more than moments, for 5m.",
    ),
    (
        "ActiveColourNotRunning",
        "scaled it to 0",
        "1m",
        "order-consumer (orders): the active colour, green, has no pods",
        "Deployment order-consumer-green is not there, or is scaled to 0 with records to do, for 1m.",
    ),
    (
        "BGActiveColourFailing",
        "two of four",
        "4m",
        "order-consumer (orders): green fails 1.5% of its records",
        "Of the records of the last 120 s the colour at work, green, failed a share of 0.01 or more, for 30s.",
    ),
    (
        "BGBothColoursActive",
        "fires when pods of both",
        "6m",
        "order-consumer (orders): pods of both colours are active",
        (
            "Pods of blue and of green say of themselves that they are ACTIVE, for 1m. Each colour has a group of its own, so both get"
            " and commit the same records: expect them to be processed twice."
        ),
    ),
    (
        "BGSwitchTooLong",
        "fires after two minutes",
        "3m15s",
        "order-consumer (orders): switching for 2m 15s",
        "The record is in phase switching for more than 120 s.",
    ),
    (
        "BGRunAbandoned",
        "in the middle",
        "13m15s",
        "order-consumer (orders): a run is unfinished and nothing is heard of it",
        (
            "As last published, a run has begun and not ended, and the record is switching for 12m 15s. Perhaps whoever ran it is gone:"
            " switch again finishes it, rollback undoes it. Perhaps only its last push is missing: status publishes again. A long bake"
            " looks the same: raise monitoring_switch_seconds."
        ),
    ),
    (
        "BGRollbackWindowClosing",
        "last ten minutes",
        "5m15s",
        "order-consumer (orders): a rollback is allowed for another 9m 45s",
        "After that going back needs the gates of a switch. An alert after that rolls nothing back.",
    ),
    (
        "BGMetricsStale",
        "newer epoch",
        "7m",
        "order-consumer (orders): the metrics of its runs are missing or old",
        (
            "Pods have read epoch 5 and bg_epoch does not say so. This hides ActiveColourNotRunning and KafkaHighConsumerLag of the"
            " colour that is active now, and BGSwitchTooLong, BGRunAbandoned and BGRollbackWindowClosing. status with bg_metrics set"
            " publishes again."
        ),
    ),
]
RULES_OF_ALERTS = [
    rule
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
]


@pytest.mark.parametrize(
    ("alert", "part", "at", "summary", "description"), READ, ids=[f"{row[0]}-{row[1]}" for row in READ]
)
def test_it_reads_well(alert: str, part: str, at: str, summary: str, description: str, tmp_path: Path):
    (case,) = [case for case in CASES if case.alert == alert and part in case.name]
    labels: list[Labels] = case.fires[at]
    test = case.test() | {
        "promql_expr_test": [],
        "alert_rule_test": [
            {
                "alertname": alert,
                "eval_time": at,
                "exp_alerts": [
                    {
                        "exp_labels": one,
                        "exp_annotations": {
                            "summary": summary,
                            "description": description,
                            "runbook_url": PAGE + alert.lower(),
                        },
                    }
                    for one in labels
                ],
            }
        ],
    }
    assert failures([test], tmp_path) == ""


def test_every_alert_is_read():
    assert sorted(row[0] for row in READ) == sorted(
        [rule["alert"] for rule in RULES_OF_ALERTS] + ["KafkaExporterDown"]  # which has two texts
    )


def test_each_alert_leads_to_a_heading():
    headings = re.findall(r"^#+ `?(\w+)`?$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert {rule["alert"] for rule in RULES_OF_ALERTS} <= set(headings)


@pytest.mark.parametrize("rule", RULES_OF_ALERTS, ids=lambda rule: rule["alert"])
def test_a_rollback_is_begun_only_for_what_a_rollback_mends(rule):
    """The receiver of Alertmanager goes by this label."""
    asks = rule["labels"].get("bg_action")
    mended = rule["alert"] == "BGActiveColourFailing" or (
        rule["alert"] == "ActiveColourNotRunning" and "bg:workload:wanted > 0" in rule["expr"]
    )
    assert asks == ("rollback" if mended else None)
