# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Samples as Prometheus' text format and back, by prometheus-client: the only importer of it beside the two places of metrics."""

from __future__ import annotations

import traceback
import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import MissingLibraryError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.samples import HELP, Sample, in_order

try:
    from prometheus_client import Metric, generate_latest
    from prometheus_client.parser import text_string_to_metric_families

    IMPORT_ERROR = ""
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

LIBRARY = "prometheus-client"


def check_library() -> None:
    """Raise MissingLibraryError where prometheus-client can't be imported."""
    if IMPORT_ERROR:
        raise MissingLibraryError(LIBRARY, IMPORT_ERROR)


class Samples:
    """What prometheus-client takes for a registry: samples that are given, not counted by this process."""

    def __init__(self, samples: t.Iterable[Sample]) -> None:
        self._samples = in_order(samples)

    def collect(self) -> t.Iterator[Metric]:
        """One family for each name."""
        families: dict[str, Metric] = {}
        for sample in self._samples:
            if sample.name not in families:
                known = sample.name in HELP
                families[sample.name] = Metric(sample.name, HELP.get(sample.name, ""), "gauge" if known else "untyped")
            families[sample.name].add_sample(sample.name, dict(sample.labels), sample.value)
        yield from families.values()


def to_text(samples: t.Iterable[Sample]) -> str:
    """The samples in order, each family with our own help text, whatever it is published with: it says nothing of the state."""
    return generate_latest(t.cast(t.Any, Samples(samples))).decode()


def from_text(text: str) -> list[Sample]:
    """The samples of a text. Raises ValueError where it is not of Prometheus' format."""
    return [
        Sample(sample.name, dict(sample.labels), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
