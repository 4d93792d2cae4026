# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""When the broker forgets committed offsets (``offsets.retention.minutes``). No I/O.

It does not tell when an offset was committed, nor since when a group is empty, so a moment is known only as a bound.
"""

from __future__ import annotations

import typing as t

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.times import later
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import Group

STOPPED = "stopped"
SINCE_EMPTY = "since_empty"
SINCE_COMMIT = "since_commit"


def clock_of(group: Group) -> str | None:
    """What the retention counts from: nothing expires (stopped), the group became empty, each partition's last commit."""
    if group.kind not in ("classic", "consumer"):
        return None
    if not group.is_empty:
        return STOPPED
    # A classic group that nobody ever joined has no moment at which it became empty.
    return SINCE_EMPTY if group.kind == "classic" and group.protocol_type else SINCE_COMMIT


def expiry(group: Group, retention_minutes: int | None, now: str, committed: int) -> dict[str, t.Any]:
    """JSON-ready. now: RFC 3339. committed: number of committed offsets. latest: all of them are due by then."""
    clock = clock_of(group)
    running = clock in (SINCE_EMPTY, SINCE_COMMIT) and committed > 0
    return {
        "retention_minutes": retention_minutes,
        "clock": clock,
        "latest": later(now, retention_minutes) if running and retention_minutes is not None else None,
    }
