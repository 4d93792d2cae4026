#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_settle
short_description: Close a run
version_added: 0.1.0
description:
  - Marks the active record as stable, closes the journal and frees the lock. The colour that was left stays as it is, ready
    for a rollback.
  - Fails when the hand-over is not complete. Changes nothing when the run is closed already.
author: [streamops.bluegreen authors (@streamops)]
extends_documentation_fragment:
  - streamops.bluegreen.attributes
  - streamops.bluegreen.attributes.actiongroup_application
  - streamops.bluegreen.application
  - streamops.bluegreen.kafka
  - streamops.bluegreen.kubernetes
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    details: Reads for real, writes nothing, and predicts what a run would do.
  diff_mode:
    support: full
    details: The diff is that of the active record.
  idempotent:
    support: full
options:
  mode:
    description: How the work is handed over.
    type: str
    default: hot
  direction:
    description: Direction of the run, for the journal, the record's phase and the rollback rules.
    type: str
    choices: [switch, rollback]
    default: switch
  target:
    description: Colour that shall be active, C(blue) or C(green).
    type: str
    required: true
  run_id:
    description: Name of the run, as M(streamops.bluegreen.bg_prepare) returned it.
    type: str
  who:
    description: Who asked for the run, for the journal.
    type: str
    default: ''
  expected_epoch:
    description:
      - The epoch of the active record on which the run was decided, as M(streamops.bluegreen.bg_info) returned it. When the
        record has moved since, the module changes nothing and says who moved it.
      - By default the run takes the record as it is.
    type: int
seealso:
  - module: streamops.bluegreen.bg_info
"""

EXAMPLES = r"""
- name: Close the run
  streamops.bluegreen.bg_settle:
    application: "{{ order_consumer }}"
    target: green
    run_id: "{{ prepared.run_id }}"
"""

RETURN = r"""
way_back:
  description:
    - What may be typed now, derived from the stored state, the way back first. An empty C(playbook) means that there is nothing to do.
  returned: success
  type: list
  elements: dict
  contains:
    playbook: {description: "C(rollback), C(switch) or empty.", type: str, returned: always, sample: rollback}
    to: {description: "Colour to name with C(bg_to), empty for none.", type: str, returned: always, sample: ""}
    does: {description: What it does., type: str, returned: always, sample: "goes back to blue, until 2026-01-01T04:00:00Z"}
decision:
  description: What the stored state asked for, see M(streamops.bluegreen.bg_info).
  returned: success
  type: dict
  sample: {action: start, source: blue, target: green, reason: blue is active at epoch 1}
record:
  description: Data of the active record's ConfigMap afterwards, all values strings; in check mode as it would be.
  returned: success
  type: dict
  sample: {active: green, epoch: "3", phase: verifying}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.application import (
    application_argument_spec,
    request_of,
    run_application,
    run_options,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.settle import settle


def use_case(module: AnsibleModule, ports: Ports, app: Application) -> dict[str, t.Any]:
    """One call of the use case."""
    return settle(ports, app, request_of(module), check=module.check_mode)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(argument_spec=application_argument_spec(**run_options()), supports_check_mode=True)
    run_application(module, use_case)


if __name__ == "__main__":
    main()
