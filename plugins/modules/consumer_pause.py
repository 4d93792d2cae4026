#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: consumer_pause
short_description: Pause, stop or run the Kafka consumers of a workload, pod by pod
version_added: 0.1.0
description:
  - Afterwards every pod that a Deployment or StatefulSet owns reports that it is paused, stopped, running or on standby.
  - The pods are found by their owner, in every phase, terminating ones included, and are all asked directly and in parallel,
    never through a Service. The module ends when two equal lists of pods in a row are all in the state. A pod that cannot be
    reached, hangs, or gives another answer is not in the state, and is named when the time is over.
  - What the answers of a pod prove depends on its O(dialect), see RV(proof). Only V(bg/v1) proves that a paused pod is
    drained, which means that it takes no records, has none in flight, and has committed every position.
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
      - Asks the pods for their state once, sends no command, and does not fail if they are not in the state.
      - A pod that does not answer counts as one that would be changed.
  diff_mode:
    support: full
    details:
      - The diff shows the state of each pod.
  idempotent:
    support: partial
    details:
      - A pod that is already in the state, with V(bg/v1) at O(epoch) or a newer one, gets no command.
      - With V(shawarma), and a custom dialect without C(status), pods cannot be asked for their state, so they get the command
        every time and V(changed) is always true.
      - With V(pause_resume) a pod without partitions gets the pause every time, because it never reports that it is paused.
requirements:
  - jmespath >= 1.0.1, for every O(dialect) except V(bg/v1)
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
      - State to bring the consumers into.
      - V(paused) takes no new records, finishes and commits those in flight, and stays so across rebalances. It keeps its
        partitions.
      - V(stopped) is paused and has left its consumer group, so that its offsets can be set from outside. The process keeps
        running. Not available in the dialects V(pause_resume) and V(shawarma).
      - V(running) processes. With V(bg/v1) the pods are told to read the active record and to follow it. That undoes a pause, also
        one at the same O(epoch), of the colour that is active in phase V(stable) or V(verifying). Pods of the other colour, and
        all pods while a hand-over is armed, stay as they are, and the module fails after O(timeout).
      - V(standby) is ready to take over; running pods refuse it and have to be paused first. Only in V(bg/v1).
    type: str
    choices: [paused, stopped, running, standby]
    required: true
  dialect:
    description:
      - Protocol of the pods. C(docs/dialects.md) has the requests, expressions and limits of each.
      - V(bg/v1) is the contract of this collection.
      - V(pause_resume) is C(POST /pause), C(POST /resume) and C(GET /status) with C({"paused":true}).
      - V(spring_cloud_stream) is the actuator endpoint C(bindings) of Spring Cloud Stream. O(targets) are its bindings.
      - V(kafka_connect) is the REST interface of Kafka Connect. O(targets) are the connectors. A command goes to one worker
        and applies to all; every worker is asked for its state.
      - V(shawarma) posts to the endpoint C(/applicationstate) that a Shawarma sidecar would call. There is no way to read the
        state back.
      - V(custom) is described by O(custom_dialect).
    type: str
    choices: [bg/v1, pause_resume, spring_cloud_stream, kafka_connect, shawarma, custom]
    default: bg/v1
  targets:
    description:
      - Bindings or connectors, if the O(dialect) has them. All of them must be in the state.
    type: list
    elements: str
    default: []
  custom_dialect:
    description:
      - The dialect for O(dialect=custom). It is checked completely before anything is contacted.
      - Paths are relative to O(endpoint.base_path). Paths, and strings in a body, may contain C({target}) and C({epoch}).
    type: dict
    suboptions:
      status:
        description:
          - The request that reads the state, a dictionary with C(path), and C(method) if it is not C(GET).
          - Without it the pods cannot be asked, and all that is known is that they accepted the command.
        type: dict
      states:
        description:
          - For each of C(paused), C(stopped) and C(running) that the pods support, a dictionary of C(requests) and C(when).
          - C(requests) are sent one after the other, each a dictionary of C(path), C(method) (by default C(POST)) and C(body)
            (sent as JSON).
          - C(when) is a JMESPath expression over the answer to C(status). The pod is in the state only if it is C(true).
        type: dict
      evidence:
        description: JMESPath expression for what RV(pods[].evidence) shows from the answer.
        type: str
      idle:
        description:
          - JMESPath expression that is C(true) for a pod without partitions. Such a pod counts as paused once it got the command.
        type: str
      commands_to:
        description: Whether a command goes to V(all) pods, or to V(one), which passes it on.
        type: str
        choices: [all, one]
        default: all
      retry_on:
        description: HTTP codes from 400 to 499, in addition to 408, 425 and 429, after which a command is sent again.
        type: list
        elements: int
        default: []
  epoch:
    description:
      - Epoch of the command. Required with O(dialect=bg/v1), whose pods refuse a command of an older epoch than they have seen.
      - It must be the epoch of the active record, see M(streamops.bluegreen.bg_configmap_switch). A pod that has seen a
        newer epoch than the record has stops processing when its lease ends.
      - A pod that was paused by hand at the record's epoch stays so until O(state=running) at this epoch, or until the record's
        epoch increases, which every hand-over and every abort does.
      - Other dialects have no epochs; a custom one may send it as C({epoch}).
    type: int
  standby:
    description: How to stand by, used with O(state=standby). V(hot) joins the group and is paused, V(cold) does not join.
    type: str
    choices: [hot, cold]
    default: hot
  timeout:
    description:
      - Seconds after which to fail. A request to the API server that is under way may take up to O(api_server_timeout) longer.
    type: float
    default: 60.0
  request_timeout:
    description:
      - Seconds each pod has to answer one request. All pods are asked at the same time.
      - Limited by what is left of O(timeout).
    type: float
    default: 5.0
  endpoint:
    description: How the control endpoint of the pods is reached.
    type: dict
    suboptions:
      port:
        description: Port of the endpoint. By default 8080, with V(kafka_connect) 8083, with V(shawarma) 80.
        type: int
      base_path:
        description:
          - Path in front of every request. By default C(/actuator/kafka), with V(spring_cloud_stream) C(/actuator/bindings),
            with V(kafka_connect) C(/), with V(shawarma) C(/applicationstate).
        type: str
      transport:
        description:
          - V(api_proxy) goes through the API server's pod proxy and works from anywhere.
          - V(pod_ip) goes directly to the pod's address, if that is routed.
        type: str
        choices: [api_proxy, pod_ip]
        default: api_proxy
      scheme:
        description:
          - Whether the pods serve V(http) or V(https).
          - With O(endpoint.transport=api_proxy) the API server does not check the certificate of a pod. If that matters, use
            V(pod_ip).
        type: str
        choices: [http, https]
        default: http
      token:
        description: Sent as O(endpoint.token_header), if set.
        type: str
      token_secret:
        description:
          - Secret in O(namespace) that holds the token. Requires the right to get this Secret.
        type: dict
        suboptions:
          name:
            description: Name of the Secret. Required.
            type: str
          key:
            description: Key in it. By default C(token).
            type: str
      token_header:
        description: Header that carries the token. The API server's proxy removes C(Authorization).
        type: str
        default: X-BG-Token
      validate_certs:
        description: Whether the certificates of the pods are checked with O(endpoint.scheme=https) and V(pod_ip).
        type: bool
        default: true
      ca_file:
        description: File with the CA certificates of the pods, PEM, on the host that runs the module. By default the system's.
        type: path
      ca_secret:
        description: Secret in O(namespace) that holds the CA certificates, instead of O(endpoint.ca_file).
        type: dict
        suboptions:
          name:
            description: Name of the Secret. Required.
            type: str
          key:
            description: Key in it. By default C(ca.crt).
            type: str
      server_name:
        description: Name in the certificates of the pods, with O(endpoint.scheme=https). By default the pod's address.
        type: str
seealso:
  - module: streamops.bluegreen.bg_run
  - module: streamops.bluegreen.bg_configmap_switch
  - module: streamops.bluegreen.kafka_lag_wait
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

- name: Stop a sink connector, so that its offsets can be changed
  streamops.bluegreen.consumer_pause:
    namespace: orders
    name: connect
    dialect: kafka_connect
    targets: [orders-sink]
    state: stopped

- name: Pause the consumers of a Spring Cloud Stream application, over TLS and with a token
  streamops.bluegreen.consumer_pause:
    namespace: orders
    name: order-consumer-blue
    dialect: spring_cloud_stream
    targets: [orders-in-0]
    state: paused
    endpoint:
      scheme: https
      port: 8443
      token_secret: {name: order-consumer-control}

- name: Pause an application with its own endpoint
  streamops.bluegreen.consumer_pause:
    namespace: orders
    name: invoice-worker
    dialect: custom
    state: paused
    endpoint: {base_path: /admin}
    custom_dialect:
      status: {path: /consumer}
      evidence: "{hold: hold, in_work: inWork}"
      states:
        paused:
          when: hold && inWork == `0`
          requests: [{method: PUT, path: /consumer, body: {hold: true}}]
        running:
          when: hold == `false`
          requests: [{method: PUT, path: /consumer, body: {hold: false}}]

- name: Let blue continue after that pause, if the record says so
  streamops.bluegreen.consumer_pause:
    namespace: orders
    name: order-consumer-blue
    state: running
    epoch: "{{ armed.epoch }}"
"""

RETURN = r"""
state:
  description: The requested state.
  returned: success, and when the pods refused or did not get there in time
  type: str
  sample: paused
epoch:
  description: Epoch of the command, V(none) for a dialect without.
  returned: success, and when the pods refused or did not get there in time
  type: int
  sample: 7
dialect:
  description: The dialect that was used.
  returned: success, and when the pods refused or did not get there in time
  type: str
  sample: bg/v1
proof:
  description:
    - What is proven for all pods that have a process, the weakest of RV(pods[].proof).
    - V(drained), the pod's positions and commits agree and it has no records in work.
    - V(reported), the pod reports that it is in the state.
    - V(accepted), the pod accepted the command and its state cannot be read.
    - V(none), a pod is not in the state, or there are no pods.
  returned: success, and when the pods refused or did not get there in time
  type: str
  sample: drained
pods:
  description: Every pod of the workload as last seen, sorted by name.
  returned: success, and when the pods refused or did not get there in time
  type: list
  elements: dict
  contains:
    name: {description: Pod., type: str, returned: always, sample: order-consumer-blue-5d4f7-x2x9p}
    uid: {description: Its uid., type: str, returned: always}
    phase: {description: Kubernetes' phase of the pod., type: str, returned: always, sample: Running}
    terminating: {description: Whether it is being deleted., type: bool, returned: always, sample: false}
    state_before: {description: "State when first asked, V(none) for a pod that came later.", type: str, returned: always, sample: ACTIVE}
    state:
      description:
        - State that the pod reports, in the terms of V(bg/v1), or V(paused), V(stopped) and V(running).
        - V(none) if it gave no readable answer.
      type: str
      returned: always
      sample: DRAINED
    in_state: {description: "Whether it is in the requested state, or no longer has a process.", type: bool, returned: always, sample: true}
    proof: {description: "What is proven for this pod, see RV(proof).", type: str, returned: always, sample: drained}
    commanded: {description: "Whether it accepted a command, or in check mode would get one.", type: bool, returned: always, sample: true}
    error: {description: Why there is no state; empty when there is one., type: str, returned: always, sample: ''}
    evidence:
      description: What the dialect's expression for evidence found in the pod's answer, for each of O(targets) if there are any.
      type: raw
      returned: when the pod answered in a dialect other than V(bg/v1)
      sample: {orders-in-0: [{binding: orders-in-0, group: g, state: paused}]}
    epoch: {description: Newest epoch the pod has seen., type: int, returned: when the pod answered in V(bg/v1), sample: 7}
    group_id: {description: Its consumer group., type: str, returned: when the pod answered in V(bg/v1), sample: cc_order_prod_blue}
    member_id: {description: Its member id., type: str, returned: when the pod answered in V(bg/v1)}
    in_flight: {description: Records it is processing., type: int, returned: when the pod answered in V(bg/v1), sample: 0}
    partitions:
      description: The partitions it owns, sorted.
      type: list
      elements: dict
      returned: when the pod answered in V(bg/v1)
      contains:
        topic: {description: Topic., type: str, returned: always, sample: order-events}
        partition: {description: Partition number., type: int, returned: always, sample: 0}
        paused: {description: Whether it is paused., type: bool, returned: always, sample: true}
        position: {description: "Next offset it will process, V(none) when unknown.", type: int, returned: always, sample: 1234}
        committed: {description: "Offset it has committed, V(none) when none.", type: int, returned: always, sample: 1234}
elapsed:
  description: Seconds from the first request to the last answer.
  returned: success, and when the pods refused or did not get there in time
  type: float
  sample: 0.412
rounds:
  description: How often all pods were listed and asked.
  returned: success, and when the pods refused or did not get there in time
  type: int
  sample: 2
faults:
  description: All faults of the options.
  returned: when the input is wrong
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import (
    endpoint_argument_spec,
    kubernetes_argument_spec,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.cluster_wiring import build_ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.hiding import hide
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module import Module
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module_end import run
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.pause_options import parse_settings
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.dialects import BG_V1, CUSTOM, DIALECTS
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.pods.pause_consumers import pause_consumers


def use_case(module: AnsibleModule) -> dict[str, t.Any]:
    """One call of the use case."""
    request, endpoint = parse_settings(module.params)
    ports = build_ports(module.params, endpoint=endpoint, hide=lambda secret: hide(module, [secret]))
    return pause_consumers(ports, request, check=module.check_mode)


def main() -> None:
    """Entry point of the module."""
    custom_spec = {
        "status": {"type": "dict"},
        "states": {"type": "dict"},
        "evidence": {"type": "str"},
        "idle": {"type": "str"},
        "commands_to": {"type": "str", "choices": ["all", "one"], "default": "all"},
        "retry_on": {"type": "list", "elements": "int", "default": []},
    }
    module = Module(
        argument_spec=kubernetes_argument_spec(
            namespace={"type": "str", "required": True},
            name={"type": "str", "required": True},
            kind={"type": "str", "choices": ["Deployment", "StatefulSet"], "default": "Deployment"},
            state={"type": "str", "choices": ["paused", "stopped", "running", "standby"], "required": True},
            dialect={"type": "str", "choices": [BG_V1, *DIALECTS, CUSTOM], "default": BG_V1},
            targets={"type": "list", "elements": "str", "default": []},
            custom_dialect={"type": "dict", "options": custom_spec},
            epoch={"type": "int"},
            standby={"type": "str", "choices": ["hot", "cold"], "default": "hot"},
            timeout={"type": "float", "default": 60.0},
            request_timeout={"type": "float", "default": 5.0},
            endpoint={"type": "dict", "options": endpoint_argument_spec(any_dialect=True)},
        ),
        supports_check_mode=True,
    )
    run(module, lambda: use_case(module))


if __name__ == "__main__":
    main()
