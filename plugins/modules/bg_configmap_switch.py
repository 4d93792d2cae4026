#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_configmap_switch
short_description: Set which colour of a blue/green application is active
version_added: 0.1.0
description:
  - Afterwards the ConfigMap C(<name>-active-version), the active record that the pods obey, names the wanted colour, phase
    and rollback window. It is created when it does not exist.
  - The change is a compare-and-swap, made while holding the lock of the application. When somebody else changed the record
    in between, the module fails and nothing is lost of either change.
  - The epoch grows by one with every change of the colour, when a hand-over begins (O(phase=switching),
    O(phase=rolling-back)) and when one that changed nothing is given up (back to O(phase=stable)); commands of before are
    stale for the pods then. Keys of others in the ConfigMap are kept.
  - This module moves no offsets and pauses no consumer. M(streamops.bluegreen.bg_handover) does all of it, in the right
    order and in one process; use this module to create the record, and in hand-overs of your own.
author: [streamops.bluegreen authors (@streamops)]
extends_documentation_fragment:
  - streamops.bluegreen.attributes
  - streamops.bluegreen.attributes.actiongroup_kubernetes
  - streamops.bluegreen.kubernetes
  - streamops.bluegreen.kubernetes.namespace
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    details:
      - Fails where a real run would, for example when the record is not as expected.
  diff_mode:
    support: full
    details:
      - The keys C(switch-timestamp) and C(run-id) are left out of the diff.
  idempotent:
    support: full
    details:
      - When the record is as wanted already, nothing is written, not even the lock, and the expectations are not checked.
options:
  name:
    description: Name of the application.
    type: str
    required: true
  active:
    description:
      - Colour that shall be active. Needed to create the record.
      - At least one of O(active), O(phase) and O(rollback_window) is needed.
    type: str
    choices: [blue, green]
  phase:
    description:
      - Phase the record shall be in. By default it stays as it is.
      - Pods that start are active only in V(stable) and V(verifying). The phase never stops a running pod.
    type: str
    choices: [stable, switching, rolling-back, verifying]
  rollback_window:
    description: Seconds after a switch within which a rollback is allowed. By default as it is, or 3600 in a new record.
    type: int
  expected_active:
    description: Fail unless this colour is active before the change.
    type: str
    choices: [blue, green]
  expected_epoch:
    description: Fail unless the record has this epoch before the change.
    type: int
  run_id:
    description:
      - Name of the run this change belongs to. A lock that this run holds already is no obstacle.
      - By default a new name.
    type: str
  lock_timeout:
    description: Seconds to wait for another run to end.
    type: float
    default: 60.0
seealso:
  - module: streamops.bluegreen.bg_handover
  - module: streamops.bluegreen.consumer_pause
"""

EXAMPLES = r"""
- name: Create the record of an application whose blue version is in production
  streamops.bluegreen.bg_configmap_switch:
    name: order-consumer
    namespace: orders
    active: blue

- name: Show what making green active would change
  streamops.bluegreen.bg_configmap_switch:
    name: order-consumer
    namespace: orders
    active: green
  check_mode: true
  diff: true

- name: Begin a hand-over, so that pods that start from now on stand by
  streamops.bluegreen.bg_configmap_switch:
    name: order-consumer
    namespace: orders
    phase: switching
    expected_active: blue
  register: armed

- name: Make green active, unless somebody was faster
  streamops.bluegreen.bg_configmap_switch:
    name: order-consumer
    namespace: orders
    active: green
    phase: verifying
    expected_epoch: "{{ armed.epoch }}"
  register: flipped
  failed_when: flipped is failed and 'expected' not in flipped.msg
"""

RETURN = r"""
created:
  description: Whether the record did not exist before.
  returned: success
  type: bool
  sample: false
active:
  description: Active colour afterwards; in check mode as it would be.
  returned: success
  type: str
  sample: green
epoch:
  description: Epoch afterwards; in check mode as it would be.
  returned: success
  type: int
  sample: 3
phase:
  description: Phase afterwards; in check mode as it would be.
  returned: success
  type: str
  sample: verifying
record:
  description: Data of the ConfigMap afterwards, all values strings; in check mode as it would be. On a conflict as it is.
  returned: success, and when the record is not as expected
  type: dict
  sample: {active: green, epoch: "3", phase: verifying, previous-version: blue}
lock_holder:
  description: Run that holds the lock.
  returned: when another run did not end in time
  type: str
faults:
  description: Every fault of the record or of the input.
  returned: when the record or the input is nonsense
  type: list
  elements: str
"""

import secrets
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import kubernetes_argument_spec
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.ports import build_ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.run import run
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.set_active import RecordRequest, set_active


def use_case(module: AnsibleModule) -> dict[str, t.Any]:
    """One call of the use case."""
    params = module.params
    request = RecordRequest(
        app=params["name"],
        run_id=params["run_id"] or f"bg_configmap_switch-{secrets.token_hex(4)}",
        active=params["active"],
        phase=params["phase"],
        rollback_window=params["rollback_window"],
        expected_active=params["expected_active"],
        expected_epoch=params["expected_epoch"],
        lock_timeout=params["lock_timeout"],
    )
    return set_active(build_ports(params), request, check=module.check_mode)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec=kubernetes_argument_spec(
            namespace={"type": "str", "required": True},
            name={"type": "str", "required": True},
            active={"type": "str", "choices": ["blue", "green"]},
            phase={"type": "str", "choices": ["stable", "switching", "rolling-back", "verifying"]},
            rollback_window={"type": "int"},
            expected_active={"type": "str", "choices": ["blue", "green"]},
            expected_epoch={"type": "int"},
            run_id={"type": "str"},
            lock_timeout={"type": "float", "default": 60.0},
        ),
        required_one_of=[("active", "phase", "rollback_window")],
        supports_check_mode=True,
    )
    run(module, lambda: use_case(module))


if __name__ == "__main__":
    main()
