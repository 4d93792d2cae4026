# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lets the module wait in slices, and tells between them where the wait stands. Everything else is in the module."""

from __future__ import annotations

from ansible_collections.streamops.bluegreen.plugins.plugin_utils.slices import SlicedAction

FIRST = 3.0
"""Seconds of the first slice: who has just started a playbook wants to see something."""


class ActionModule(SlicedAction):
    """A wait."""

    DEFAULT = 10.0

    def first(self, interval: float) -> float:
        """A group without members is waited for in the middle of a hand-over: no start of the module comes between then."""
        return interval if self._task.args.get("until") == "empty" else min(interval, FIRST)
