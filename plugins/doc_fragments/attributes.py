# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of modules."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled/queried by the module has not changed in a relevant way.
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This action does not modify state.
  diff_mode:
    support: N/A
    details:
      - This action does not modify state.
  idempotent:
    support: full
    details:
      - This action does not modify state.
"""

    ACTIONGROUP_KAFKA = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/streamops.bluegreen.kafka) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - streamops.bluegreen.kafka
"""

    ACTIONGROUP_KUBERNETES = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/streamops.bluegreen.kubernetes) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - streamops.bluegreen.kubernetes
"""

    ACTIONGROUP_APPLICATION = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/streamops.bluegreen.application), C(group/streamops.bluegreen.kafka) and
        C(group/streamops.bluegreen.kubernetes) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - streamops.bluegreen.application
      - streamops.bluegreen.kafka
      - streamops.bluegreen.kubernetes
"""
