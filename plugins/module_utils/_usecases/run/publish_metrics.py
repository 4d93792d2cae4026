# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Publishes what the stored state of an application says, in one place or several."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    MetricsError,
    OffsetsError,
    UnreadableMetricsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.metrics import Begin, State, metrics_of
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.samples import Sample
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import MetricsPlace, Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.store import Store

ROUNDS = 3
"""How often the state is read at most: whoever publishes last has then seen that nothing changed while it did."""


def publish_metrics(
    ports: Ports,
    app: Application,
    places: t.Sequence[MetricsPlace],
    judged: t.Mapping[str, t.Sequence[t.Mapping[str, str]]],
    begins: Begin | None = None,
    check: bool = False,
    labels: t.Mapping[str, str] | None = None,
    exact: bool = False,
) -> dict[str, t.Any]:
    """Make every place show what the stored state says; JSON-ready. judged, begins and labels: see metrics_of. check: write nothing.
    exact: what is there has to be known, for a diff; else what can't be read is replaced.

    Raises MetricsError that names each place where that failed; the others are up to date all the same.
    """
    done = {place.name(): _Done(place) for place in places}
    samples: list[Sample] = []
    warnings: list[str] = []
    for turn in range(1 if check else ROUNDS):
        try:
            state, doubt = _read(ports, app)
        except BlueGreenError:
            if not turn:
                raise
            break  # what is published is what is known
        now = metrics_of(app, state, judged, begins, labels)
        if now == samples:
            break  # nobody changed the state while it was published
        samples, warnings = now, doubt
        for one in done.values():
            one.publish(samples, check, exact)
    result = {
        "changed": any(one.changed for one in done.values()),
        "metrics": [{"name": one.name, "labels": dict(one.labels), "value": one.value} for one in samples],
        "published": [{"place": name, "changed": one.changed} for name, one in done.items() if not one.fault],
        "warnings": [*warnings, *(one.doubt for one in done.values() if one.doubt and not one.fault)],
        "diff": [one.diff(name, samples) for name, one in done.items() if one.changed],
    }
    faults = [one.fault for one in done.values() if one.fault]
    if faults:
        raise MetricsError(". ".join(faults), result)
    return result


@dataclass
class _Done:
    """What became of one place. before: what was there first. doubt: why that is not known."""

    place: MetricsPlace
    before: str | None = None
    changed: bool = False
    fault: str = ""
    doubt: str = ""

    def publish(self, samples: t.Sequence[Sample], check: bool, exact: bool) -> None:
        """Make it show the samples; after a failure nothing more."""
        if self.fault:
            return
        try:
            try:
                found: str | None = self.place.read()
            except UnreadableMetricsError as error:
                if check or exact:
                    raise
                self.doubt = f"{error.message}. It was replaced without a look at it, so this counts as a change"
                found = None
            self.before = found if self.before is None else self.before
            if found != self.place.text(samples):
                if not check:
                    self.place.replace(samples)
                self.changed = True
        except MetricsError as error:
            self.fault = error.message

    def diff(self, name: str, samples: t.Sequence[Sample]) -> dict[str, str]:
        """In the form of a module's result."""
        after = self.place.text(samples)
        return {"before": self.before or "", "after": after, "before_header": name, "after_header": name}


def _read(ports: Ports, app: Application) -> tuple[State, list[str]]:
    """The stored state, and what of it can't be read."""
    store = Store(ports, app.name)
    stored = store.record()
    journal = store.journal()
    snapshot, doubt = None, []
    try:
        snapshot = store.snapshot(stored.record)
    except OffsetsError as error:
        doubt = [f"The metrics of the last hand-over are left out: {error.message}"]
    return State(stored.record, journal, snapshot, stored.metadata), doubt
