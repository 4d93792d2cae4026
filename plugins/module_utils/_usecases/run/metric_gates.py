# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Asks Prometheus what the gates from it want to know: before a run, and at the end of a bake. Reads only."""

from __future__ import annotations

import typing as t
from functools import partial

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import metric_gate as core
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.gates import Gate
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metric_gate import (
    Answers,
    MetricGate,
    MetricRequest,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Metrics, Ports

AGAIN = 1.0
"""Seconds between two attempts."""
Asked = dict[str, str]


def before(
    ports: Ports,
    app: Application,
    request: MetricRequest,
    at_work: str,
    target: str,
    topics: t.Iterable[str],
    bake: float | None,
) -> list[Gate]:
    """Judge the gates before a run to ``target``, and whether those of its bake can be judged. bake: seconds, 0 for none, None
    where nobody has said.

    Both are asked about the colour at work: of the other one there is nothing to see.
    """
    topics = sorted(topics)
    window = bake or 0.0
    judged = core.values_for(app, at_work, target, topics, core.BEFORE_WINDOW, matchers=request.matchers)
    tried = core.values_for(app, at_work, target, topics, window, matchers=request.matchers)
    asked = {one: core.queries_of(one, judged) for one in request.of(core.BEFORE)}
    asked |= {one: core.queries_of(one, tried) for one in (request.of(core.BAKE) if window > 0 else ())}
    answers = _ask(ports, asked)
    rows = [
        core.judge(one, answers[one], queries, request, core.BEFORE_WINDOW)
        if one.stage == core.BEFORE
        else core.judge_answerable(one, answers[one], queries, request, at_work, window)
        for one, queries in asked.items()
    ]
    return rows + (core.not_asked(request) if bake == 0 else [])


def at_the_end(
    ports: Ports,
    app: Application,
    request: MetricRequest,
    target: str,
    topics: t.Iterable[str],
    window: float,
    source_rate: float | None,
) -> list[Gate]:
    """Judge the gates of the bake of ``target``. window: seconds that it was measured for.

    A gate without an answer, with an old or with an empty one, is asked again until the server's timeout is over, counted from the
    first question. None begins after that, and each takes that long at most.
    """
    values = core.values_for(app, target, target, sorted(topics), window, source_rate, request.matchers)
    asked = {one: core.queries_of(one, values) for one in request.of(core.BAKE)}
    deadline = ports.clock.monotonic() + request.timeout
    answers = _ask(ports, asked)
    while unanswered := {
        one: asked[one] for one, found in answers.items() if core.worth_another_look(one, found, request, window)
    }:
        if ports.clock.monotonic() + AGAIN >= deadline:
            break
        ports.clock.sleep(AGAIN)
        answers |= _ask(ports, unanswered)
    return [core.judge(one, answers[one], queries, request, window) for one, queries in asked.items()]


def _ask(ports: Ports, asked: t.Mapping[MetricGate, Asked]) -> dict[MetricGate, Answers]:
    """All at the same time."""
    if ports.metrics is None or not asked:
        return {}
    metrics: Metrics = ports.metrics
    found = ports.parallel.run(
        {
            f"{one.name}/{part}": partial(metrics.instant, query)
            for one, queries in asked.items()
            for part, query in queries.items()
        }
    )
    return {one: Answers(**{part: found[f"{one.name}/{part}"] for part in queries}) for one, queries in asked.items()}
