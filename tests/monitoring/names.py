"""The names in an expression: its metrics, and the labels that it selects by."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.monitoring.promtool import RULES

WORDS = {"and", "or", "unless", "bool", "offset"}
GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
EXPORTED: dict[str, list[str]] = {
    metric: labels
    for metrics in yaml.safe_load(Path(__file__).with_name("exported.yml").read_text(encoding="utf-8")).values()
    for metric, labels in metrics.items()
}
RECORDED = {
    rule["record"]
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
    if "record" in rule
}


def metrics(expression: str) -> dict[str, set[str]]:
    """Each metric with the labels in its braces."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\[[^]]*\]", "", GROUPING.sub("", bare))
    found: dict[str, set[str]] = {}
    for name, opened, matchers in re.findall(r"([a-zA-Z_:][\w:]*)\s*(\(|\{([^}]*)\})?", bare):
        if opened != "(" and name not in WORDS:
            found.setdefault(name, set()).update(re.findall(r"(\w+)\s*[=!]", matchers))
        if opened.startswith("{"):
            continue
    return found


def unknown(expression: str) -> list[str]:
    """What an expression uses that nobody exports."""
    wrong = []
    for metric, labels in metrics(expression).items():
        if metric in RECORDED:
            continue
        if metric not in EXPORTED:
            wrong.append(metric)
        else:
            wrong += [f"{metric}{{{label}}}" for label in sorted(labels - set(EXPORTED[metric]))]
    return wrong
