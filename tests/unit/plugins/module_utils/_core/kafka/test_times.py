# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Points in time as people write them."""

from __future__ import annotations

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.times import later, to_milliseconds


def test_times() -> None:
    assert to_milliseconds("2026-11-24T08:00:00Z") == to_milliseconds(" 1795507200000 ") == 1795507200000
    assert to_milliseconds("2026-11-24T09:00:00.250+01:00") == 1795507200250
    for text, said in (
        ("yesterday", "neither RFC 3339"),
        ("2026-11-24T08:00:00", "names no time zone"),
        ("1795507200", "looks like seconds"),
    ):
        with pytest.raises(ValueError, match=said):
            to_milliseconds(text)
    assert later("2026-11-24T08:00:00.123Z", 90) == "2026-11-24T09:30:00Z"
