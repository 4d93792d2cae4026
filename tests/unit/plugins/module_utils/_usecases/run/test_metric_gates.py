# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All questions are asked at the same time: together they take no longer than one. The rest is in the simulation."""

from __future__ import annotations

import threading
import typing as t
from dataclasses import replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.system import SystemClock, ThreadParallel
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.prometheus import ERROR, VALUE, Answer
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application, Colour
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metric_gate import (
    MetricGate,
    MetricRequest,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run import metric_gates
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World
from ansible_collections.streamops.bluegreen.tests.unit.waiting import HANG, ended

APP = Application("a", "n", {"blue": Colour("b", "a-blue"), "green": Colour("g", "a-green")})
BEFORE = MetricGate("lag", "lag", "<", 1, stage="before", rests_on="lag")
BAKE = MetricGate("ratio", "ratio", "<", 1, samples="all", min_samples=0, rests_on="x")
REQUEST = MetricRequest((BEFORE, BAKE, replace(BAKE, name="other")), "http://p", timeout=HANG)


class Together:
    """Answers once so many questions are there, and none before."""

    def __init__(self, questions: int, answer: Answer) -> None:
        self._met = threading.Barrier(questions)
        self._answer = answer

    def instant(self, query: str) -> Answer:
        self._met.wait(HANG)
        return self._answer


def ports(questions: int, answer: Answer) -> Ports:
    return replace(World().ports, clock=SystemClock(), parallel=ThreadParallel(), metrics=Together(questions, answer))


def test_before_a_run() -> None:
    fine = ports(2 + 3 + 3, Answer(VALUE, 0.0))
    rows: t.Any = ended("the gates", lambda: metric_gates.before(fine, APP, REQUEST, "blue", "green", ["t"], 30.0))
    assert [(row.name, row.verdict) for row in rows] == [
        ("Prometheus: lag", "GO"),
        ("Prometheus: ratio", "GO"),
        ("Prometheus: other", "GO"),
    ]


def test_at_the_end_of_a_bake() -> None:
    refused = ports(3 + 3, Answer(ERROR, said="HTTP 401"))
    rows: t.Any = ended("the gates", lambda: metric_gates.at_the_end(refused, APP, REQUEST, "green", ["t"], 30.0, None))
    assert [row.verdict for row in rows] == ["NO-GO", "NO-GO"]
