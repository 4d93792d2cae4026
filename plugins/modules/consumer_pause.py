#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: consumer_pause
short_description: Pause or run the Kafka consumers of a workload, pod by pod
version_added: 0.1.0
description:
  - Afterwards every pod that a Deployment or StatefulSet owns says of itself that it is paused and drained, or running, or
    standing by. Drained means that it takes no records, has none in flight, and has committed every position.
  - The pods are found by their owner and asked one by one and all at once, never through a Service, in every phase,
    terminating ones included. The module is done when two equal lists of pods in a row are all in the state.
  - The pods must speak the contract C(bg/v1). A pod that cannot be reached is not paused.
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
      - Asks the pods for their status once, tells them nothing, and does not fail when they are not in the state.
      - A pod that does not answer counts as one that would be changed.
  diff_mode:
    support: full
    details:
      - The diff holds the state of each pod.
  idempotent:
    support: full
    details:
      - A pod that is in the state already, at O(epoch) or a newer one, is not told anything.
options:
  name:
    description: Name of the workload.
    type: str
    required: true
  kind:
    description: Kind of the workload.
    type: str
    choices: [Deployment, StatefulSet]
    default: Deployment
  state:
    description:
      - What the consumers shall do.
      - V(paused) takes no new records, finishes and commits those in flight, and stays so over rebalances.
      - V(running) processes. With O(offsets) each partition begins there; without, the pods go on where they stopped, which
        is only right when no other colour has processed since.
      - V(standby) waits for its turn; pods that are running refuse it and have to be paused first.
    type: str
    choices: [paused, running, standby]
    required: true
  epoch:
    description:
      - Epoch of the command. Pods refuse a command of an older epoch than they have seen.
      - It must be the epoch of the active record, see M(streamops.bluegreen.bg_configmap_switch). A pod that has seen a
        newer epoch than the record has stops processing when its lease ends.
    type: int
    required: true
  offsets:
    description:
      - Where each partition begins, used with O(state=running). It must hold every partition of the application.
    type: list
    elements: dict
    suboptions:
      topic:
        description: Topic.
        type: str
        required: true
      partition:
        description: Partition number.
        type: int
        required: true
      offset:
        description: Next offset to process, 0 or more.
        type: int
        required: true
  standby:
    description: How to stand by, used with O(state=standby). V(hot) joins the group and is paused, V(cold) does not join.
    type: str
    choices: [hot, cold]
    default: hot
  leave_group:
    description: Whether paused pods leave their consumer group, so that its offsets can be set from outside.
    type: bool
    default: false
  timeout:
    description: Seconds after which to fail.
    type: float
    default: 60.0
  request_timeout:
    description: Seconds the pods have to answer one request.
    type: float
    default: 5.0
  contract:
    description: How the control endpoint of the pods is reached.
    type: dict
    suboptions:
      port:
        description: Port of the endpoint.
        type: int
        default: 8080
      base_path:
        description: Path in front of every command.
        type: str
        default: /actuator/kafka
      transport:
        description:
          - V(api_proxy) goes through the API server's pod proxy and works from anywhere.
          - V(pod_ip) goes straight to the pod's address, where that is routed.
        type: str
        choices: [api_proxy, pod_ip]
        default: api_proxy
      token:
        description: Sent as C(X-BG-Token), if set. The API server removes the C(Authorization) header.
        type: str
seealso:
  - module: streamops.bluegreen.bg_handover
  - module: streamops.bluegreen.bg_configmap_switch
"""

EXAMPLES = r"""
- name: Pause blue and prove that it is drained
  streamops.bluegreen.consumer_pause:
    namespace: orders
    name: order-consumer-blue
    state: paused
    epoch: "{{ armed.epoch }}"
    timeout: 30
  register: paused

- name: Which pods would have to be paused?
  streamops.bluegreen.consumer_pause:
    namespace: orders
    name: order-consumer-blue
    state: paused
    epoch: "{{ armed.epoch }}"
  check_mode: true
  diff: true

- name: Start green at the offsets of the snapshot, and let blue go on when that fails
  block:
    - name: Activate green
      streamops.bluegreen.consumer_pause:
        namespace: orders
        name: order-consumer-green
        state: running
        epoch: "{{ flipped.epoch }}"
        offsets: "{{ snapshot }}"
  rescue:
    - name: Show which pods are not running, and why
      ansible.builtin.debug:
        msg: "{{ ansible_failed_result.pods | default([]) | rejectattr('in_state') }}"
"""

RETURN = r"""
state:
  description: The wanted state.
  returned: success, and when the pods refused or did not get there in time
  type: str
  sample: paused
epoch:
  description: Epoch of the command.
  returned: success, and when the pods refused or did not get there in time
  type: int
  sample: 7
pods:
  description: Every pod of the workload at the last look, sorted by name.
  returned: success, and when the pods refused or did not get there in time
  type: list
  elements: dict
  contains:
    name: {description: Pod., type: str, returned: always, sample: order-consumer-blue-5d4f7-x2x9p}
    uid: {description: Its uid., type: str, returned: always}
    phase: {description: Kubernetes' phase of the pod., type: str, returned: always, sample: Running}
    terminating: {description: Whether it is being deleted., type: bool, returned: always, sample: false}
    state_before: {description: "State at the first look, V(none) for a pod that came later.", type: str, returned: always, sample: ACTIVE}
    state: {description: "State as the pod says, V(none) when it did not answer.", type: str, returned: always, sample: DRAINED}
    in_state: {description: "Whether it is in the wanted state, or has no process any more.", type: bool, returned: always, sample: true}
    commanded: {description: Whether it was told to change; in check mode whether it would be., type: bool, returned: always, sample: true}
    error: {description: Why there is no status; empty when there is one., type: str, returned: always, sample: ''}
    epoch: {description: Newest epoch the pod has seen., type: int, returned: when the pod answered, sample: 7}
    group_id: {description: Its consumer group., type: str, returned: when the pod answered, sample: cc_order_prod_blue}
    member_id: {description: Its member id., type: str, returned: when the pod answered}
    in_flight: {description: Records it is processing., type: int, returned: when the pod answered, sample: 0}
    partitions:
      description: The partitions it owns, sorted.
      type: list
      elements: dict
      returned: when the pod answered
      contains:
        topic: {description: Topic., type: str, returned: always, sample: order-events}
        partition: {description: Partition number., type: int, returned: always, sample: 0}
        paused: {description: Whether it is paused., type: bool, returned: always, sample: true}
        position: {description: "Next offset it will process, V(none) when unknown.", type: int, returned: always, sample: 1234}
        committed: {description: "Offset it has committed, V(none) when none.", type: int, returned: always, sample: 1234}
faults:
  description: Partitions that are listed twice or have a negative offset.
  returned: when the input is wrong
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import (
    contract_argument_spec,
    kubernetes_argument_spec,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.ports import build_ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.run import run
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.application import Contract
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.pause_consumers import (
    PauseRequest,
    pause_consumers,
)


def listed(rows: t.Sequence[t.Mapping[str, t.Any]] | None) -> dict[TopicPartition, int] | None:
    """The option ``offsets`` as the use case takes it."""
    if rows is None:
        return None
    offsets: dict[TopicPartition, int] = {}
    faults = []
    for row in rows:
        tp = TopicPartition(row["topic"], row["partition"])
        if tp in offsets:
            faults.append(f"partition {tp} is listed twice in offsets")
        if row["offset"] < 0:
            faults.append(f"offset {row['offset']} of {tp} is negative; an offset is 0 or more")
        offsets[tp] = row["offset"]
    if faults:
        raise InvalidSettingsError(faults)
    return offsets


def use_case(module: AnsibleModule) -> dict[str, t.Any]:
    """One call of the use case."""
    params = module.params
    request = PauseRequest(
        kind=params["kind"],
        name=params["name"],
        state=params["state"],
        epoch=params["epoch"],
        offsets=listed(params["offsets"]),
        standby=params["standby"],
        leave_group=params["leave_group"],
        timeout=params["timeout"],
        request_timeout=params["request_timeout"],
    )
    given = params["contract"] or {}
    contract = Contract(**{key: value for key, value in given.items() if value is not None})
    return pause_consumers(build_ports(params, contract=contract), request, check=module.check_mode)


def main() -> None:
    """Entry point of the module."""
    offset_spec = {
        "topic": {"type": "str", "required": True},
        "partition": {"type": "int", "required": True},
        "offset": {"type": "int", "required": True},
    }
    module = AnsibleModule(
        argument_spec=kubernetes_argument_spec(
            namespace={"type": "str", "required": True},
            name={"type": "str", "required": True},
            kind={"type": "str", "choices": ["Deployment", "StatefulSet"], "default": "Deployment"},
            state={"type": "str", "choices": ["paused", "running", "standby"], "required": True},
            epoch={"type": "int", "required": True},
            offsets={"type": "list", "elements": "dict", "options": offset_spec},
            standby={"type": "str", "choices": ["hot", "cold"], "default": "hot"},
            leave_group={"type": "bool", "default": False},
            timeout={"type": "float", "default": 60.0},
            request_timeout={"type": "float", "default": 5.0},
            contract={"type": "dict", "options": contract_argument_spec()},
        ),
        supports_check_mode=True,
    )
    run(module, lambda: use_case(module))


if __name__ == "__main__":
    main()
