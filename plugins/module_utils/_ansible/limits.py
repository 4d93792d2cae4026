# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""From where to where a number may be, for every option that is one: a time that is not a number never ends."""

from __future__ import annotations

import typing as t

DAY = 86_400
LONG = 2**63 - 1
"""Kafka's greatest offset."""
RECORD = 10**15 - 1
"""The greatest epoch that an active record may have: its digits are counted."""

LIMITS: dict[str, tuple[float, float, str]] = {
    "bake": (0, DAY, "seconds"),
    "api_server_timeout": (0.1, 3600, "seconds"),
    "appear_timeout": (0, 30 * DAY, "seconds"),
    "default_api_timeout_ms": (100, DAY * 1000, "milliseconds"),
    "epoch": (0, RECORD, ""),
    "expected_epoch": (0, RECORD, ""),
    "lock_timeout": (0, DAY, "seconds"),
    "max_lag": (0, LONG, "records"),
    "max_partition_lag": (0, LONG, "records"),
    "polls": (1, 10**6, ""),
    "progress": (0, DAY, "seconds"),
    "request_timeout": (0.1, 3600, "seconds"),
    "request_timeout_ms": (100, 3_600_000, "milliseconds"),
    "rollback_window": (0, 366 * DAY, "seconds"),
    "shift": (-LONG, LONG, "records"),
    "sleep": (0.01, DAY, "seconds"),
    "timeout": (0, 30 * DAY, "seconds"),
    "wait": (0, DAY, "seconds"),
    "wait_empty_timeout": (0, DAY, "seconds"),
    "wait_transactions_timeout": (0, DAY, "seconds"),
}


def out_of_limits(params: t.Mapping[str, t.Any]) -> list[str]:
    """One fault for each number among the parameters that is outside of its limits; those of lists are checked by their readers."""
    faults = []
    for name, (least, most, unit) in LIMITS.items():
        value = params.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        if not least <= value <= most:  # nor is what is not a number
            faults.append(f"{name} is {value}; it must be a number from {least:g} to {most:g} {unit}".rstrip())
    return faults
