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
  - Afterwards the ConfigMap C(<name>-active-version), the active record that the pods follow, has the requested colour, phase
    and rollback window. It is created if it does not exist, with a warning if no workload C(<name>-blue) or C(<name>-green) is
    found.
  - The change is a compare-and-swap, made while holding the lock of the application. If somebody else changes the record in
    between, the module fails and overwrites nothing.
  - The epoch increases by one with every change of the colour, when a hand-over begins (O(phase=switching),
    O(phase=rolling-back)) and when one is aborted (back to O(phase=stable)); pods then refuse earlier commands. Keys, binary
    data, labels and annotations of others in the ConfigMap are kept.
  - A rollback is refused when the record does not allow it, because C(rollback-allowed) is false or C(rollback-window) has
    passed since C(switch-timestamp). A rollback is O(phase=rolling-back), and a change of O(active) back to the
    C(previous-version) that was not begun with O(phase=switching). A switch that is not settled yet can always be
    undone, and a rollback that was begun in time can always be finished.
  - A task that sets O(active) repeatedly, to create the record, does not change an existing one. It fails if the record names the
    other colour by now, or if a run has begun a hand-over. A change of O(active) needs a hand-over that was begun
    (O(phase=switching)) and has to set O(phase=verifying); otherwise it needs O(expected_epoch) or O(force).
  - This module moves no offsets and pauses no consumers. M(streamops.bluegreen.bg_run) does all of that, in the right order and in
    one process; use this module to create the record, and in your own hand-over procedures.
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
      - If the record is already as requested, nothing is written, not even the lock, and the expectations are not checked.
options:
  name:
    description: Name of the application.
    type: str
    required: true
  active:
    description:
      - Colour to make active. Needed to create the record.
      - At least one of O(active), O(phase) and O(rollback_window) is needed.
      - A change completes a hand-over that was begun, so it is made together with O(phase=verifying).
    type: str
    choices: [blue, green]
  phase:
    description:
      - Phase of the record. By default it stays as it is.
      - Pods that start are active only in V(stable) and V(verifying). The phase never stops a running pod.
    type: str
    choices: [stable, switching, rolling-back, verifying]
  rollback_window:
    description:
      - Seconds after a switch within which a rollback is allowed. By default unchanged, or 3600 in a new record.
      - A new window applies from the next change on, not to the change it is set with.
    type: int
  force:
    description:
      - Roll back although the record does not allow it, or change O(active) although no hand-over was begun (the record is not
        in phase V(switching) or V(rolling-back)) or O(phase) is not V(verifying); naming O(expected_epoch) allows the latter, too.
      - Also recreates a deleted record although journal and snapshots say that the other colour may be active.
      - O(expected_active) and O(expected_epoch) are still checked.
      - After the window the other colour may lack what was processed since, and its offsets may have expired.
    type: bool
    default: false
  on_drift_owner:
    description:
      - What to do if another tool manages the ConfigMap and may revert the record, see RV(drift_owners). If that happened after
        a switch, pods that start then would process for the old colour beside the new one.
      - V(warn) warns and continues. It is the default because the ConfigMap does not show whether its owner is configured to leave
        the data alone (Argo CD's C(ignoreDifferences) is in the Application), and because it must not stop a rollback.
      - V(fail) refuses to change the record, except to finish a hand-over that has begun. Use it if no owner is expected.
      - V(ignore) is for owners that are configured to leave the data alone. They are still returned.
    type: str
    choices: [ignore, warn, fail]
    default: warn
  expected_active:
    description: Fail unless this colour is active before the change.
    type: str
    choices: [blue, green]
  epoch:
    description:
      - Minimum epoch of the record, from 1 to 1,000,000,000. For a record that was deleted and recreated although pods had seen a
        newer one; they never go back.
      - A new record begins after the newest epoch in the journal and the snapshots of the application.
    type: int
  expected_epoch:
    description: Fail unless the record has this epoch before the change.
    type: int
  run_id:
    description:
      - Name of the run this change belongs to. A lock that this run already holds is not waited for.
      - By default a new name.
    type: str
  lock_timeout:
    description: Seconds to wait for another run to end.
    type: float
    default: 60.0
seealso:
  - module: streamops.bluegreen.bg_run
  - module: streamops.bluegreen.consumer_pause
"""

EXAMPLES = r"""
- name: Create the record of an application whose blue version is in production
  streamops.bluegreen.bg_configmap_switch:
    name: order-consumer
    namespace: orders
    active: blue

- name: Show what beginning a hand-over would change
  streamops.bluegreen.bg_configmap_switch:
    name: order-consumer
    namespace: orders
    phase: switching
  check_mode: true
  diff: true

- name: Begin a hand-over, so that pods that start from now on stand by
  streamops.bluegreen.bg_configmap_switch:
    name: order-consumer
    namespace: orders
    phase: switching
    expected_active: blue
  register: armed

- name: Make green active, unless the record has changed since
  streamops.bluegreen.bg_configmap_switch:
    name: order-consumer
    namespace: orders
    active: green
    phase: verifying
    expected_epoch: "{{ armed.epoch }}"
  register: flipped
  failed_when: flipped is failed and 'expected' not in flipped.msg

- name: Begin to go back to blue, if the window is still open
  streamops.bluegreen.bg_configmap_switch:
    name: order-consumer
    namespace: orders
    phase: rolling-back
    expected_active: green

- name: Begin a switch only if no GitOps tool may revert the record
  streamops.bluegreen.bg_configmap_switch:
    name: order-consumer
    namespace: orders
    phase: switching
    on_drift_owner: fail
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
  returned: success, and when the record is not as expected or does not allow the change
  type: dict
  sample: {active: green, epoch: "3", phase: verifying, previous-version: blue}
drift_owners:
  description:
    - What else manages the ConfigMap, by its C(managedFields) and by the annotations of C(kubectl apply). Included is everything
      that applies any part of it on the server side, and everything that updates keys of the record or the label
      C(app.kubernetes.io/managed-by), except C(kubectl) by hand.
  returned: success, when the record does not allow the change, and when it is invalid
  type: list
  elements: dict
  contains:
    owner: {description: The owner., type: str, returned: always, sample: field manager argocd-controller}
    evidence:
      description: Where this was found.
      type: str
      returned: always
      sample: "managedFields: Apply by argocd-controller of data.active, data.epoch"
    declares:
      description:
        - Keys of the record that it is known to declare. Empty does not mean none, because a server-side apply leaves no trace of a
          value that was changed since.
      type: list
      elements: str
      returned: always
      sample: [active, epoch]
lock_holder:
  description: Run that holds the lock.
  returned: when another run did not end in time
  type: str
faults:
  description: Every fault of the record or of the input, or every reason why the record does not allow the change.
  returned: when the record or the input is invalid, and when the record does not allow the change
  type: list
  elements: str
"""

import secrets
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import kubernetes_argument_spec
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.cluster_wiring import build_ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module import Module
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module_end import run
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.set_active import (
    LOCK_TTL,
    RecordRequest,
    set_active,
)


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
        epoch=params["epoch"],
        lock_timeout=params["lock_timeout"],
        force=params["force"],
        on_drift_owner=params["on_drift_owner"],
        lock_ttl=max(LOCK_TTL, int(params["api_server_timeout"]) + 5),
    )
    return set_active(build_ports(params), request, check=module.check_mode)


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec=kubernetes_argument_spec(
            namespace={"type": "str", "required": True},
            name={"type": "str", "required": True},
            active={"type": "str", "choices": ["blue", "green"]},
            phase={"type": "str", "choices": ["stable", "switching", "rolling-back", "verifying"]},
            rollback_window={"type": "int"},
            expected_active={"type": "str", "choices": ["blue", "green"]},
            expected_epoch={"type": "int"},
            epoch={"type": "int"},
            run_id={"type": "str"},
            lock_timeout={"type": "float", "default": 60.0},
            force={"type": "bool", "default": False},
            on_drift_owner={"type": "str", "choices": ["ignore", "warn", "fail"], "default": "warn"},
        ),
        required_one_of=[("active", "phase", "rollback_window")],
        supports_check_mode=True,
    )
    run(module, lambda: use_case(module))


if __name__ == "__main__":
    main()
