#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_run
short_description: Switch or roll back a blue/green application, whole or up to a named step
version_added: 0.1.0
description:
  - Takes a run from its current step to O(until), in one process. It judges Go or No-Go, prepares the target, hands over,
    verifies that the target processes, and settles the record.
  - It judges as M(streamops.bluegreen.bg_info) does, unless O(judged) is set. A No-Go changes nothing.
  - Preparing takes the lock, writes the run to the journal, gives the target's empty group an explicit offset for every
    partition, starts its pods and waits until each of them is Ready and on standby. In cold mode the target is stopped instead.
    The active colour keeps processing.
  - The hand-over is the critical section. The record is armed, the source is paused and proven quiet by its pods and by the
    broker, its offsets are written to a snapshot, the record is flipped by compare-and-swap and names that snapshot, and the
    target begins exactly there.
  - V(hot) pauses the source and wakes the target by HTTP (contract C(bg/v1)); a target pod that is not woken begins at its next
    read of the record. V(cold) stops the source, copies its committed offsets while both groups are empty, and starts the
    target.
  - On an error before the flip the run restores what it changed, lets the source continue and says so. After a later error, or if
    the process was killed, run the same again to finish, or a rollback to undo it. What remains to be done is decided from the
    stored state alone.
author: [streamops.bluegreen authors (@streamops)]
extends_documentation_fragment:
  - streamops.bluegreen.attributes
  - streamops.bluegreen.attributes.actiongroup_application
  - streamops.bluegreen.application
  - streamops.bluegreen.kafka
  - streamops.bluegreen.kubernetes
  - streamops.bluegreen.prometheus
  - kubernetes.core.k8s_auth_options
attributes:
  check_mode:
    support: full
    details: Reads everything, writes nothing, and predicts what a run would do.
  diff_mode:
    support: full
    details: The diff is that of the active record.
  idempotent:
    support: partial
    details: With O(target). Without it each run switches to the other colour.
options:
  mode:
    description: How to hand over, V(hot) or V(cold).
    type: str
    default: hot
  direction:
    description: Direction of the run, for the journal, the record's phase and the rollback rules.
    type: str
    choices: [switch, rollback]
    default: switch
  target:
    description:
      - Colour to make active, C(blue) or C(green).
      - By default a switch goes to the colour that is not active, or finishes an interrupted run; a rollback goes to the colour
        before the last switch. One that would go to another colour than the one that is named here is refused.
    type: str
    default: ''
  run_id:
    description:
      - Name of the run, at most 63 characters. By default made from the time and a random part.
      - With O(only=go_on) the run to continue.
    type: str
  who:
    description: Who asked for the run, for the journal.
    type: str
    default: ''
  expected_epoch:
    description:
      - The epoch of the active record on which the run was decided, as M(streamops.bluegreen.bg_info) returned it. If the record
        has changed since, the module changes nothing and says who changed it.
      - By default the run is bound to the epoch that was judged.
    type: int
  judged:
    description:
      - Whether the verdict for O(target) at O(expected_epoch) was already Go, from this module with O(until=judged) or from
        M(streamops.bluegreen.bg_info). Then it is not judged again.
    type: bool
    default: false
  only:
    description:
      - For a step of a run that is under way. If another operator ended that run meanwhile, the step would begin a new run without
        this option.
      - V(go_on) - continues run O(run_id) to O(target). Fails and changes nothing if it is no longer under way.
      - V(settle) - verifies and closes a hand-over that is already flipped. Never begins a run; with O(bake) it rolls back a target
        that is no good, as a switch does.
      - By default a run may be begun.
    type: str
    choices: [go_on, settle]
  wait:
    description:
      - Seconds to retry while a gate says No-Go after the hand-over. The module does not fail if one still does after this time,
        see RV(settled) and RV(verified).
    type: float
    default: 60
  bake:
    description:
      - Seconds for which the target of a switch is watched at work before the run is settled; 0 for not at all, else at least 12. It is
        read once a second, and judged by its throughput, its lag, its pods, and the failed records that they count.
      - Commits come in steps. A bake that is less than six times as long as the consumers' commit interval judges no rates, and says so;
        one in which nothing is committed at all is a No-Go.
      - Ten seconds without a look, because something did not answer, begin the measurement anew. If it then lasts less than half of the
        bake, or holds fewer than six looks, nothing is judged. The module fails, the target stays active, and the run is not closed.
      - Nothing is locked meanwhile. A rollback that somebody starts takes over at once, and this run ends and says so.
      - A rebalance of the group begins the measurement anew, which may double the time, as may reads that fail.
      - At the end O(metric_gates) of stage C(bake) are judged, unless something else is wrong already. Whether they can be asked is judged
        before the run.
      - A rollback is not watched, nor is a run in check mode.
    type: float
    default: 0
  on_no_go:
    description:
      - What becomes of a switch whose target was no good in O(bake). The module fails in both cases and says which gate saw what.
      - V(rollback) - the work goes back to the colour before, like a rollback that somebody starts.
      - V(stop) - the target stays active and the run is not settled.
    type: str
    choices: [rollback, stop]
    default: rollback
  bake_limits:
    description: What is good enough in O(bake).
    type: dict
    default: {}
    suboptions:
      throughput:
        description:
          - Smallest share of the records that are produced, or of those that the colour before processed where that is less,
            which the target has to process.
        type: float
        default: 0.9
      error_ratio:
        description: Share of the records that may not be reached by those that fail, where the pods count them (contract C(bg/v1)).
        type: float
        default: 0.01
      min_records:
        description: Records that have to be seen before a share of them is judged, and by which the lag may grow in any case.
        type: int
        default: 100
  reason:
    description: Why the run is made, for the journal.
    type: str
    default: ''
  alerts:
    description:
      - Alerts that may be a reason to roll back, with O(until=judged). The list C(alerts) of a message of Alertmanager's webhook as JSON;
        percent-encoded, nothing in it can be taken for a template.
      - Answers in RV(alert), and judges a rollback, whatever O(direction) says, only if one of them is a reason. It is not an error if
        none is.
      - A reason is an alert with the label C(bg_action=rollback) whose C(app) and C(namespace) are those of the application and whose
        C(colour) is the active one, that fires and began after the flip, while the rollback window is open and a rollback allowed.
    type: str
    default: ''
  alert_labels:
    description:
      - Labels, and their values as text, that an alert has to have besides to be a reason. Where one Prometheus reads several clusters
        with the same names, the one that tells them apart.
    type: dict
    default: {}
  alerts_received:
    description:
      - When O(alerts) came, RFC 3339. What came more than 120 s ago is no reason, because the alert may have ended while the message
        waited. By default it came just now.
    type: str
    default: ''
  progress:
    description: Seconds between two lines that tell where O(bake) stands, 0 for none.
    type: float
    default: 5
  _slice:
    description:
      - Internal. How long this process shall watch, and where the one before it ended; set by the action plugin.
    type: dict
  until:
    description:
      - The last step to take. Called again with the same O(run_id), O(only=go_on) and a later step, the module continues from
        there, and proves again what it depends on. If a step before V(flipped) fails, the source continues.
      - V(judged) - nothing is changed; returns what M(streamops.bluegreen.bg_info) returns.
      - V(prepared) - the target is on standby, or stopped in cold mode.
      - V(joined) - the target's pods own every partition of their group (hot mode).
      - V(armed) - the record says that a hand-over is under way; pods that start now stand by.
      - V(quiet) - the source is paused, or stopped, and proven quiet. Nothing is processed from here until V(flipped).
      - V(copied) - the snapshot is written, and in cold mode the target's group has its offsets.
      - V(flipped) - the record names the target and the snapshot. Its pods begin when they read that, within a second.
      - V(active) - the target's pods were seen processing.
      - V(settled) - every gate after the hand-over said Go, the record is stable, the journal closed and the lock free. The
        source stays as it is, ready for a rollback.
    type: str
    choices: [judged, prepared, joined, armed, quiet, copied, flipped, active, settled]
    default: settled
notes:
  - The lines of progress come from an action plugin of the same name. With C(async) there are none.
seealso:
  - module: streamops.bluegreen.bg_info
"""

EXAMPLES = r"""
- name: Switch to green, in one task
  streamops.bluegreen.bg_run:
    application: "{{ order_consumer }}"
    target: green
  register: run

- name: Green has been verified
  ansible.builtin.assert:
    that: run.settled
    fail_msg: "{{ run.verified.table | default(run.warnings | default([])) | join(' ') }}"
  when: not ansible_check_mode

- name: Switch to green, and go back by itself when it is no good
  streamops.bluegreen.bg_run:
    application: "{{ order_consumer }}"
    target: green
    bake: 60
    bake_limits:
      error_ratio: 0.005

- name: Ask Prometheus as well (its token is in PROMETHEUS_TOKEN)
  streamops.bluegreen.bg_run:
    application: "{{ order_consumer }}"
    target: green
    bake: 120
    prometheus:
      url: https://prometheus.example:9090
      ca_cert: /etc/ssl/certs/example.pem
    metric_gates:
      - spring_error_ratio
      - preset: kafka_exporter_lag
        threshold: 200
      - name: slowest hundredth
        query: histogram_quantile(0.99, sum by (le) (rate(order_seconds_bucket{pod=~"$pods"}[$window])))
        comparison: "<"
        threshold: 0.5
        stage: bake
        rests_on: order_seconds_bucket{pod=~"$pods"}

- name: What would a switch do? (check mode)
  streamops.bluegreen.bg_run:
    application: "{{ order_consumer }}"
  check_mode: true
  diff: true

- name: Bring green to standby, and stop there
  streamops.bluegreen.bg_run:
    application: "{{ order_consumer }}"
    target: green
    until: prepared
  register: prepared

- name: Continue to the end
  streamops.bluegreen.bg_run:
    application: "{{ order_consumer }}"
    target: green
    run_id: "{{ prepared.run_id }}"
    only: go_on
  register: run

- name: Is what Alertmanager sent a reason to roll back?
  streamops.bluegreen.bg_run:
    application: "{{ order_consumer }}"
    alerts: "{{ bg_alerts }}"
    until: judged
  register: found

- name: Say why, or why not
  ansible.builtin.debug:
    msg: "{{ found.alert.reason }}"
"""

RETURN = r"""
alert:
  description: What was made of O(alerts). If C(rollback) is false, nothing else was judged, and besides only the record is returned.
  returned: with O(alerts)
  type: dict
  contains:
    rollback: {description: Whether one of them is a reason to roll back., type: bool, returned: always, sample: true}
    reason: {description: "Why, or why not, in one sentence.", type: str, returned: always, sample: "No rollback: blue is active."}
    cause: {description: "Name and summary of the alert that is the reason, else empty.", type: str, returned: always, sample: ""}
run_id:
  description: Name of the run, needed to continue a run that was stopped after a step.
  returned: always, also on failure, once a run has begun
  type: str
  sample: 20260101T030000Z-1f2e
epoch:
  description: Epoch of the active record afterwards; in check mode as it would be.
  returned: success, not with O(until=judged)
  type: int
  sample: 1
way_back:
  description:
    - Playbooks that can be run now, derived from the stored state, the way back first. An empty C(playbook) means that there is
      nothing to do.
  returned: success, with O(until=judged) and from O(until=joined) on; not in check mode
  type: list
  elements: dict
  contains:
    playbook: {description: "C(rollback), C(switch) or empty.", type: str, returned: always, sample: rollback}
    to: {description: "Colour to name with C(bg_target), empty for none.", type: str, returned: always, sample: ""}
    does: {description: What it does., type: str, returned: always, sample: "goes back to blue, until 2026-01-01T04:00:00Z"}
    mode:
      description:
        - C(cold) with O(until=judged) where a pod of the active colour does not answer, see M(streamops.bluegreen.bg_info); else empty.
      type: str
      returned: always
      sample: ""
critical_ms:
  description: Milliseconds from the first pause to the last activation.
  returned: success, when not in check mode
  type: float
  sample: 143.7
offsets:
  description: Next offset to process of every partition that was handed over, by topic and partition; empty when none was.
  returned: success, from O(until=joined) on
  type: dict
  sample: {order-events: {"0": 1234, "1": 987}}
decided:
  description: Partitions that were not handed over at their commit, and why.
  returned: success, from O(until=joined) on
  type: dict
  sample: {order-events-3: "earliest: nobody ever committed it"}
evicted:
  description:
    - Members that were evicted from a group whose pods were gone. The target may process again what such a member had processed
      but not committed.
  returned: from O(until=joined) on, also on failure; not in check mode
  type: list
  elements: str
ended:
  description: Pods whose container did not exit by itself when it was stopped, with its exit code. The same applies as to RV(evicted).
  returned: from O(until=joined) on, also on failure; not in check mode
  type: list
  elements: str
settled:
  description:
    - Whether O(target) is active and settled. V(false) if a run in check mode would change something, with an earlier O(until), if a
      gate said No-Go, and if the module could not read what it judges; call it again with O(only=settle) to retry.
  returned: success, from O(until=joined) on
  type: bool
  sample: true
verified:
  description: The gates after the hand-over; empty if they were not judged.
  returned: success, from O(until=joined) on
  type: dict
  contains:
    active: {description: The colour that was judged., type: str, returned: when it was judged, sample: green}
    verdict: {description: "C(GO) or C(NO-GO).", type: str, returned: when it was judged, sample: GO}
    gates: {description: "As M(streamops.bluegreen.bg_info) returns them.", type: list, elements: dict, returned: when it was judged}
    table: {description: The gates as lines for a terminal., type: list, elements: str, returned: when it was judged}
baked:
  description: What was seen of the target in O(bake).
  returned: when it was watched to the end and judged, also on failure
  type: dict
  contains:
    active: {description: The colour that was watched., type: str, returned: always, sample: green}
    verdict: {description: "C(GO) or C(NO-GO).", type: str, returned: always, sample: GO}
    gates: {description: "As M(streamops.bluegreen.bg_info) returns them.", type: list, elements: dict, returned: always}
    table: {description: The gates as lines for a terminal., type: list, elements: str, returned: always}
    seconds: {description: How long it was watched., type: float, returned: always, sample: 30.2}
    looks: {description: Looks since the group settled., type: int, returned: always, sample: 31}
    rolled_back: {description: Whether the work is back at the colour before., type: bool, returned: always, sample: false}
rollback:
  description: What this module returned for the rollback.
  returned: when the target was no good and was rolled back
  type: dict
source_rate:
  description:
    - Records a second that the colour before processed. C(null) where it was not watched for 10 s, or processed fewer than
      C(min_records) of O(bake_limits).
  returned: success, from O(until=joined) on; not in check mode
  type: float
  sample: 512.3
decision:
  description: What the stored state required, see M(streamops.bluegreen.bg_info).
  returned: success
  type: dict
  sample: {action: start, source: blue, target: green, reason: blue is active at epoch 1, does: hand over from blue to green}
record:
  description: Data of the active record's ConfigMap afterwards, all values strings; in check mode as it would be.
  returned: success, from O(until=joined) on
  type: dict
  sample: {active: green, epoch: "3", phase: verifying}
steps:
  description: Steps in the order they began.
  returned: always, also on failure
  type: list
  elements: dict
  contains:
    name: {description: The step., type: str, returned: always, sample: quiesce source}
    started: {description: "Begin, RFC 3339 UTC.", type: str, returned: always}
    finished: {description: "End, RFC 3339 UTC.", type: str, returned: always}
    ms: {description: "Duration in milliseconds, on a monotonic clock.", type: float, returned: always, sample: 41.2}
    result: {description: "C(ok), or what failed.", type: str, returned: always, sample: ok}
reasons:
  description: Why the source could not be proven quiet.
  returned: when the source could not be drained
  type: list
  elements: str
gates:
  description: The gates before the run, as M(streamops.bluegreen.bg_info) returns them.
  returned: with O(until=judged), and when the module judged and one of them said No-Go
  type: list
  elements: dict
table:
  description: RV(gates) as lines for a terminal.
  returned: with O(until=judged), and when the module judged and a gate said No-Go
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.bg_module import (
    application_argument_spec,
    bake_options,
    request_of,
    run_application,
    run_options,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module import Module
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import Application
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.hand_over import ONLY
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.on_alert import on_alert
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.run import JUDGED, SETTLED, STEPS, run


def use_case(module: AnsibleModule, ports: Ports, app: Application) -> dict[str, t.Any]:
    """One call of the use case."""
    if module.params["alerts"]:
        if module.params["until"] != JUDGED:
            raise InvalidSettingsError(["alerts are only judged: they need until: judged"])
        return {
            "changed": False,
            **on_alert(
                ports, app, *(module.params[name] for name in ("mode", "alerts", "alert_labels", "alerts_received"))
            ),
        }
    own = {name: module.params[name] for name in ("until", "wait", "judged")}
    return run(ports, app, request_of(module), **own, only=module.params["only"] or "", check=module.check_mode)


def main() -> None:
    """Entry point of the module."""
    own = {
        **run_options(),
        "until": {"type": "str", "choices": list(STEPS), "default": SETTLED},
        "wait": {"type": "float", "default": 60},
        "judged": {"type": "bool", "default": False},
        "only": {"type": "str", "choices": list(ONLY)},
        "alerts": {"type": "str", "default": ""},
        "alert_labels": {"type": "dict", "default": {}},
        "alerts_received": {"type": "str", "default": ""},
        **bake_options(),
    }
    module = Module(argument_spec=application_argument_spec(**own), supports_check_mode=True)
    run_application(module, use_case)


if __name__ == "__main__":
    main()
