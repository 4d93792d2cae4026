#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_handover
short_description: Hand the work over from one colour to the other
version_added: 0.1.0
description:
  - The critical section of a switch or rollback in one warm process. The record is armed, the source is paused and proven
    quiet by its pods and by the broker, where it stands is written to a snapshot, the record is flipped by compare-and-swap
    and names that snapshot, and the target begins exactly there.
  - V(hot) pauses the source and wakes the target by HTTP (contract C(bg/v1)); a target pod that nobody wakes begins at its next
    look at the record. V(cold) stops the source, copies its committed offsets while both groups are empty, and starts the
    target.
  - An error before the flip lets the source go on and says so. An error after it, or a killed process, is finished by
    running the same again, or undone by a rollback; what is left to do is decided from the stored state alone.
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
    description: Name of the run, as M(streamops.bluegreen.bg_prepare) returned it. Must be the one in the journal.
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
  close_within:
    description:
      - Seconds to prove the active colour well after the hand-over, and to close the run once every gate says Go, as
        M(streamops.bluegreen.bg_info) with O(streamops.bluegreen.bg_info#module:stage=verify) and
        M(streamops.bluegreen.bg_settle) do, in the same process.
      - A gate that still says No-Go after this time is no failure of this module; see RV(settled) and RV(verified).
      - By default both are left to these modules.
    type: float
  until:
    description:
      - The last step of the hand-over to take. Called again by the same run with a later one, the module goes on from there, and
        proves again what it rests on. Whatever fails before V(flipped) lets the source go on.
      - V(joined) - the target's pods own every partition of their group (hot mode).
      - V(armed) - the record says that a hand-over is under way; pods that start now stand by.
      - V(quiet) - the source is paused, or stopped, and proven quiet. Nobody processes from here on until V(flipped).
      - V(copied) - the snapshot is written, and in cold mode the target's group has its offsets.
      - V(flipped) - the record names the target and the snapshot. Its pods begin when they read that, within a second.
      - V(active) - the target's pods were seen at work.
    type: str
    choices: [joined, armed, quiet, copied, flipped, active]
    default: active
seealso:
  - module: streamops.bluegreen.bg_info
"""

EXAMPLES = r"""
- name: Hand over to green
  streamops.bluegreen.bg_handover:
    application: "{{ order_consumer }}"
    target: green
    run_id: "{{ prepared.run_id }}"
    close_within: 60
  register: handed

- name: A failed hand-over says what became of the source
  ansible.builtin.debug:
    msg: "{{ handed.msg }}"
  when: handed is failed
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
critical_ms:
  description: Milliseconds from the first pause to the last activation.
  returned: success, when not in check mode
  type: float
  sample: 143.7
offsets:
  description: Next offset to process of every partition that was handed over, by topic and partition; empty when none was.
  returned: success
  type: dict
  sample: {order-events: {"0": 1234, "1": 987}}
decided:
  description: Partitions that were not handed over at their commit, and why.
  returned: success
  type: dict
  sample: {order-events-3: "earliest: nobody ever committed it"}
evicted:
  description:
    - Members that were evicted from a group whose pods were gone. What such a member had processed and not committed may be
      processed again by the target.
  returned: always, also on failure
  type: list
  elements: str
ended:
  description: Pods whose container did not end by itself when it was stopped, with its exit code. As for RV(evicted).
  returned: always, also on failure
  type: list
  elements: str
settled:
  description:
    - Whether the run was proven and closed. V(false) in check mode, without O(close_within), when a gate said No-Go, and
      when something kept the module from looking; then M(streamops.bluegreen.bg_info) and
      M(streamops.bluegreen.bg_settle) have to follow.
  returned: success
  type: bool
  sample: true
verified:
  description: The gates after the hand-over; empty when nobody looked.
  returned: success
  type: dict
  contains:
    active: {description: The colour that was judged., type: str, returned: when it was judged, sample: green}
    verdict: {description: "C(GO) or C(NO-GO).", type: str, returned: when it was judged, sample: GO}
    gates: {description: "As M(streamops.bluegreen.bg_info) returns them.", type: list, elements: dict, returned: when it was judged}
    table: {description: The gates as lines for a terminal., type: list, elements: str, returned: when it was judged}
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
reasons:
  description: Why the source could not be proven quiet.
  returned: when the source could not be drained
  type: list
  elements: str
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
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.hand_over import ACTIVE, UNTIL, hand_over


def use_case(module: AnsibleModule, ports: Ports, app: Application) -> dict[str, t.Any]:
    """One call of the use case."""
    params = module.params
    return hand_over(ports, app, request_of(module), module.check_mode, params["close_within"], params["until"])


def main() -> None:
    """Entry point of the module."""
    until = {"type": "str", "choices": list(UNTIL), "default": ACTIVE}
    own = {**run_options(), "close_within": {"type": "float"}, "until": until}
    module = AnsibleModule(argument_spec=application_argument_spec(**own), supports_check_mode=True)
    run_application(module, use_case)


if __name__ == "__main__":
    main()
