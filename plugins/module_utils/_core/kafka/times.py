# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""Points in time as people write them and as Kafka counts them. No I/O."""

from __future__ import annotations

import datetime

SECONDS_LOOK = 100_000_000_000
"""Below it, a number of milliseconds would be before March 1973: somebody meant seconds."""


def to_milliseconds(text: str) -> int:
    """RFC 3339 with an offset (``2026-11-24T08:00:00Z``), or milliseconds since 1970. Raises ValueError saying why not."""
    text = text.strip()
    if text.isdigit():
        if int(text) < SECONDS_LOOK:
            raise ValueError(f"{text} looks like seconds; milliseconds since 1970 are needed ({text}000)")
        return int(text)
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither RFC 3339 (2026-11-24T08:00:00Z) nor milliseconds since 1970 (1795507200000)"
        ) from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone; add Z or an offset like +01:00")
    return round(moment.timestamp() * 1000)


def readable(milliseconds: int) -> str:
    """RFC 3339 UTC, to the second, of milliseconds since 1970."""
    return datetime.datetime.fromtimestamp(milliseconds // 1000, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def later(moment: str, minutes: int) -> str:
    """RFC 3339 UTC, ``minutes`` after ``moment`` (RFC 3339)."""
    when = datetime.datetime.fromisoformat(moment) + datetime.timedelta(minutes=minutes)
    return when.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
