"""Each alert fires when it should, is silent when it should be, and says what the seed's own expression gets wrong."""

from __future__ import annotations

import pytest
import yaml

from tests.monitoring.cases import CASES
from tests.monitoring.promtool import RULES, SEED, Case, check, failures

GROUPS = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
ALERTS = {rule["alert"] for group in GROUPS for rule in group["rules"] if "alert" in rule}


@pytest.mark.parametrize("file", [RULES, SEED], ids=lambda file: file.name)
def test_prometheus_takes_the_rules(file):
    assert check(file) == ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}-{case.name}")
def test_it_says_what_it_should(case: Case, tmp_path):
    assert failures([case.test()], tmp_path) == ""


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_each_alert_is_tested_both_ways(alert):
    said = [fires for case in CASES if case.alert == alert for fires in case.fires.values()]
    assert any(said), f"no case in which {alert} fires"
    assert any(not any(case.fires.values()) for case in CASES if case.alert == alert), (
        f"no case in which {alert} stays silent"
    )


def test_the_cases_are_about_alerts():
    assert {case.alert for case in CASES} == ALERTS
