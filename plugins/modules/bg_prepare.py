#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_prepare
short_description: Bring the colour that is to take over to standby
version_added: 0.1.0
description:
  - Takes the lock, writes the run into the journal, gives the target's empty group an explicit offset for every partition,
    starts its pods and waits until each of them is Ready and stands by. In cold mode the target is stopped instead. That the
    pods have joined their group is waited for by M(streamops.bluegreen.bg_handover).
  - The active colour never stops. When the target can't be brought up, what the run did is put back and the message names
    the pods and the reason.
  - Where an interrupted run is found, its work is taken over as M(streamops.bluegreen.bg_info) describes.
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
    description: Name of the run, at most 63 characters; made from the time and a random part when not given.
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
- name: Bring green to standby
  streamops.bluegreen.bg_prepare:
    application: "{{ order_consumer }}"
    target: green
  register: prepared

- name: What would it do? (check mode)
  streamops.bluegreen.bg_prepare:
    application: "{{ order_consumer }}"
    target: green
  check_mode: true
"""

RETURN = r"""
run_id:
  description: Name of the run; give it to the modules that go on with it.
  returned: success
  type: str
  sample: 20260101T030000Z-1f2e
epoch:
  description: Epoch of the active record.
  returned: success
  type: int
  sample: 1
decision:
  description: What the stored state asked for, see M(streamops.bluegreen.bg_info).
  returned: success
  type: dict
  sample: {action: start, source: blue, target: green, reason: blue is active at epoch 1}
steps:
  description: Steps in the order they began.
  returned: always, also on failure
  type: list
  elements: dict
  contains:
    name: {description: What was done., type: str, returned: always, sample: quiesce source}
    started: {description: "Begin, RFC 3339 UTC.", type: str, returned: always}
    finished: {description: "End, RFC 3339 UTC.", type: str, returned: always}
    ms: {description: "Duration in milliseconds, on a monotonic clock.", type: float, returned: always, sample: 41.2}
    result: {description: "C(ok), or what failed.", type: str, returned: always, sample: ok}
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
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.prepare import prepare


def use_case(module: AnsibleModule, ports: Ports, app: Application) -> dict[str, t.Any]:
    """One call of the use case."""
    return prepare(ports, app, request_of(module), check=module.check_mode)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(argument_spec=application_argument_spec(**run_options()), supports_check_mode=True)
    run_application(module, use_case)


if __name__ == "__main__":
    main()
