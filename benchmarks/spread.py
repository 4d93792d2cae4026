# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a number is told: never without the number of its runs."""

from __future__ import annotations

import statistics


def spread(values: list[float]) -> dict[str, float | int]:
    """Number of runs, and their least, middle and greatest value in seconds."""
    return {
        "runs": len(values),
        "min": round(min(values), 3),
        "median": round(statistics.median(values), 3),
        "max": round(max(values), 3),
    }
