"""Cases for `promtool test rules`: series over time, and which alerts fire when."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.unit.waiting import HANG

ROOT = Path(__file__).parents[2]
PROMTOOL = ROOT / ".cache/promtool/promtool"
RULES = ROOT / "monitoring/rules.yml"
SEED = Path(__file__).with_name("seed.yml")
INTERVAL = 15
"""Seconds between two samples and two evaluations."""

Labels = dict[str, str]


@dataclass(frozen=True)
class Case:
    """What Prometheus is told, and what it has to say.

    series: the samples of each series, one for each interval, as promtool writes them.
    fires: the labels of the alerts that fire at a time, without those that each of them has; none means that it is silent.
    seed: the same for an alert of the seed, which is wrong here.
    equals: values of expressions at a time.
    """

    name: str
    alert: str
    series: dict[str, str]
    fires: dict[str, list[Labels]]
    seed: dict[str, dict[str, list[Labels]]] = field(default_factory=dict)
    equals: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)

    def test(self) -> dict[str, Any]:
        """As promtool reads it."""
        expected = [(self.alert, at, fires) for at, fires in self.fires.items()]
        expected += [(alert, at, fires) for alert, times in self.seed.items() for at, fires in times.items()]
        asked = [
            {
                "expr": f'ALERTS{{alertname="{alert}",alertstate="firing"}}',
                "eval_time": at,
                "exp_samples": [
                    {
                        "labels": text({"__name__": "ALERTS", "alertname": alert, "alertstate": "firing"} | one),
                        "value": 1,
                    }
                    for one in fires
                ],
            }
            for alert, at, fires in expected
        ]
        asked += [
            {
                "expr": expr,
                "eval_time": at,
                "exp_samples": [{"labels": one, "value": value} for one, value in exp.items()],
            }
            for (expr, at), exp in self.equals.items()
        ]
        return {
            "name": f"{self.alert}: {self.name}",
            "interval": f"{INTERVAL}s",
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
            "promql_expr_test": asked,
        }


def text(labels: Labels) -> str:
    """Labels as promtool reads them."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    return subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False, timeout=HANG)


def check(rules: Path) -> str:
    """What is wrong with the rules; nothing if they can be loaded."""
    done = run("check", "rules", rules)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def failures(tests: Iterable[dict[str, Any]], directory: Path, rules: Path = RULES) -> str:
    """What promtool says of the tests of rules; nothing if it passes them."""
    file = directory / "tests.yml"
    content = {"rule_files": [str(rules), str(SEED)], "evaluation_interval": f"{INTERVAL}s", "tests": list(tests)}
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    done = run("test", "rules", file)
    return "" if done.returncode == 0 else done.stdout + done.stderr
