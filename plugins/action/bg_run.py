# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells where the bake stands. Everything else is in the module, which is called once where there is no bake."""

from __future__ import annotations

from ansible_collections.streamops.bluegreen.plugins.plugin_utils.slices import SlicedAction


class ActionModule(SlicedAction):
    """A run, whose bake is cut in slices."""

    DEFAULT = 5.0
