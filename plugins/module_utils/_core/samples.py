# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""The metrics by name, and one series of one of them. No I/O."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

HELP = {
    "bg_active_version": "1 for the colour that is active, 0 for the other one.",
    "bg_colour_info": "Always 1. Joins a colour to the names that other exporters know it by.",
    "bg_epoch": "Epoch of the active record.",
    "bg_gate": "1 where a gate said Go or warned, 0 where it said No-Go.",
    "bg_offsets_copied": "Partitions of the last hand-over.",
    "bg_phase_since_timestamp_seconds": "Unix time at which the current phase began.",
    "bg_rollback_window_end_timestamp_seconds": "Unix time until which a rollback is allowed.",
    "bg_snapshot_timestamp_seconds": "Unix time at which the offsets of the last hand-over were taken.",
    "bg_switch_duration_seconds": "Duration of the last run that ended, by step.",
    "bg_switch_in_progress": "1 while a run is under way.",
    "bg_switch_last_timestamp_seconds": "Unix time at which the last run ended.",
}
"""Every metric, all of them gauges, and its help text."""


OWN_LABELS = frozenset(
    [
        "app",
        "namespace",
        "colour",
        "consumergroup",
        "workload_kind",
        "workload",
        "phase",
        "step",
        "result",
        "topic",
        "stage",
        "gate",
    ]
)
"""Every label of these metrics."""


@dataclass(frozen=True)
class Sample:
    """One series and its value."""

    name: str
    labels: t.Mapping[str, str]
    value: float


def in_order(samples: t.Iterable[Sample]) -> list[Sample]:
    """By name, then by labels: the same samples always make the same text."""
    return sorted(samples, key=lambda sample: (sample.name, sorted(sample.labels.items())))
