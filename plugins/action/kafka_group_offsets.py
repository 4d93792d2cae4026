# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts the module of the same name. Everything else is in the module."""

from __future__ import annotations

from ansible_collections.streamops.bluegreen.plugins.modules import kafka_group_offsets
from ansible_collections.streamops.bluegreen.plugins.plugin_utils.direct_execution import DirectAction


class ActionModule(DirectAction):
    """Calls the module without packing it, where that makes no difference."""

    module = kafka_group_offsets
