#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_info
short_description: Read the state of a blue/green application and judge Go or No-Go
version_added: 0.1.0
description:
  - Reads the active record, the journal, the lock, both workloads with their pods, both consumer groups with members and
    committed offsets, and the log of every partition, all in parallel. Then decides what a run would have to do and judges the
    gates.
  - Changes nothing. All wrong settings are listed in one message before anything is contacted.
author: [streamops.bluegreen authors (@streamops)]
extends_documentation_fragment:
  - streamops.bluegreen.attributes
  - streamops.bluegreen.attributes.info_module
  - streamops.bluegreen.attributes.actiongroup_application
  - streamops.bluegreen.application
  - streamops.bluegreen.kafka
  - streamops.bluegreen.kubernetes
  - streamops.bluegreen.prometheus
  - kubernetes.core.k8s_auth_options
options:
  mode:
    description: Mode of the planned run, which decides which gates apply. V(cold) sends no requests to the pods.
    type: str
    default: hot
  direction:
    description: V(rollback) chooses the colour before the last switch and enforces the rollback window.
    type: str
    choices: [switch, rollback]
    default: switch
  target:
    description:
      - Colour to make active, C(blue) or C(green).
      - By default a switch goes to the colour that is not active, or finishes an interrupted run.
    type: str
    default: ''
  stage:
    description: V(preflight) judges whether a run may start, O(metric_gates) of stage C(before) included; V(verify) judges the active
      colour after a hand-over.
    type: str
    choices: [preflight, verify]
    default: preflight
  wait:
    description: Seconds to retry while a gate of O(stage=verify) says No-Go.
    type: float
    default: 0
seealso:
  - module: streamops.bluegreen.bg_run
"""

EXAMPLES = r"""
- name: Could the order consumer be switched now?
  streamops.bluegreen.bg_info:
    application:
      name: order-consumer
      namespace: orders
      topics: [order-events]
      blue: {group: cc_order_prod_blue}
      green: {group: cc_order_prod_green}
  register: plan

- name: Stop here unless every gate says Go
  ansible.builtin.assert:
    that: plan.verdict == 'GO'
    fail_msg: "{{ plan.table | join('\n') }}"
"""

RETURN = r"""
way_back:
  description:
    - Playbooks that can be run now, derived from the stored state, the way back first. An empty C(playbook) means that there is
      nothing to do.
  returned: success
  type: list
  elements: dict
  contains:
    playbook: {description: "C(rollback), C(switch) or empty.", type: str, returned: always, sample: rollback}
    to: {description: "Colour to name with C(bg_target), empty for none.", type: str, returned: always, sample: ""}
    does: {description: What it does., type: str, returned: always, sample: "goes back to blue, until 2026-01-01T04:00:00Z"}
    mode:
      description: C(cold) where a pod of the active colour does not answer, so that a rollback in mode C(hot) would be refused; else empty.
      type: str
      returned: always
      sample: ""
verdict:
  description: V(GO) when no gate says No-Go, else V(NO-GO). Warnings do not stop a run.
  returned: success
  type: str
  sample: GO
gates:
  description: The gates in the order they were judged.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: What was judged., type: str, returned: always, sample: source lag}
    value: {description: What was seen., type: str, returned: always, sample: 12 records}
    threshold: {description: What is required., type: str, returned: always, sample: <= 1000}
    verdict: {description: "C(GO), C(WARN) or C(NO-GO).", type: str, returned: always, sample: GO}
    advice: {description: What is wrong and what to do; empty for C(GO)., type: str, returned: always, sample: ''}
table:
  description: The gates as lines for a terminal.
  returned: success
  type: list
  elements: str
summary:
  description: The application as lines for a terminal.
  returned: success
  type: list
  elements: str
decision:
  description: What a run has to do.
  returned: success
  type: dict
  contains:
    action:
      description: C(nothing), C(start), C(settle), C(abort) or C(clean_up).
      type: str
      returned: always
      sample: start
    source: {description: Colour that hands over., type: str, returned: always, sample: blue}
    target: {description: Colour to make active., type: str, returned: always, sample: green}
    reason: {description: Why., type: str, returned: always, sample: blue is active at epoch 1}
    does: {description: "What a run would do, for people.", type: str, returned: always, sample: hand over from blue to green}
record:
  description: Data of the active record's ConfigMap, all values strings.
  returned: success
  type: dict
  sample: {active: blue, epoch: "1", phase: stable}
colours:
  description:
    - What was read about each colour, by colour name.
    - C(colours.blue.lag) is the sum over all partitions in records, V(none) when a partition has no committed offset.
  returned: success
  type: dict
lock_holder:
  description: Run that holds the lock, or held it when it died; empty when it is free.
  returned: success
  type: str
unfinished_run:
  description: Run that was begun but not finished, or empty.
  returned: success
  type: str
partitions:
  description: Number of partitions of the application's topics.
  returned: success
  type: int
faults:
  description: Every fault of the settings or of the record.
  returned: when the settings or the active record are wrong
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.bg_module import (
    application_argument_spec,
    metrics_of,
    run_application,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module import Module
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run import gates
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.decision import decide
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.preflight import (
    Plan,
    as_result,
    preflight,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.verify import verify


def look(module: AnsibleModule, ports: Ports, app: Application) -> dict[str, t.Any]:
    """Plan or verify, as asked."""
    params = module.params
    if params["stage"] == "verify":
        seen, rows = verify(ports, app, params["mode"], params["wait"])
        decision = decide(seen.stored.record, seen.journal.unfinished, seen.stored.record.active)
        plan = Plan(seen, decision, rows)
    else:
        asked = metrics_of(params)[1]
        plan = preflight(ports, app, params["mode"], params["direction"], params["target"], asked)
    return {"changed": False, **as_result(plan), "verdict": gates.verdict_of(plan.gates)}


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec=application_argument_spec(
            direction={"type": "str", "choices": ["switch", "rollback"], "default": "switch"},
            target={"type": "str", "default": ""},
            stage={"type": "str", "choices": ["preflight", "verify"], "default": "preflight"},
            wait={"type": "float", "default": 0},
        ),
        supports_check_mode=True,
    )
    run_application(module, look)


if __name__ == "__main__":
    main()
