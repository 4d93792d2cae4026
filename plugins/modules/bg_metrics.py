#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bg_metrics
short_description: Publish the state of a blue/green application for Prometheus
version_added: 0.1.0
description:
  - Afterwards a Pushgateway, a file, or both show what the stored state of the application says. Which colour is active and since
    when, whether a run is under way, how the last one ended and how long its steps took, until when a rollback is allowed.
    Series that ended are gone.
  - Everything is read from the active record, the journal and the snapshot, and nothing from the time of day. A second time with the
    same state changes nothing.
  - A run that died stays visible, by C(bg_switch_in_progress) and the age of C(bg_phase_since_timestamp_seconds).
  - What each metric means is in U(https://github.com/streamops/bluegreen/blob/main/docs/metrics.md).
author: [streamops.bluegreen authors (@streamops)]
extends_documentation_fragment:
  - streamops.bluegreen.attributes
  - streamops.bluegreen.attributes.actiongroup_kubernetes
  - streamops.bluegreen.application
  - streamops.bluegreen.kubernetes
  - kubernetes.core.k8s_auth_options
requirements:
  - prometheus-client >= 0.26, < 0.27
  - urllib3 >= 2.5, < 3
attributes:
  check_mode:
    support: full
    details: Reads the state and what is published, and predicts the change.
  diff_mode:
    support: full
    details: Shows the text of each place before and after. Help texts are left out of account, they say nothing of the state.
  idempotent:
    support: full
options:
  pushgateway:
    description:
      - A Pushgateway. The group with the labels C(job=bluegreen), C(app), C(namespace) and O(labels) is replaced as a whole, others are
        not touched. Outside of check and diff mode what is there is replaced even where it can't be read.
      - At least one of O(pushgateway) and O(textfile) is needed.
      - It is asked directly, proxies of the environment are not used. Redirects are refused.
    type: dict
    suboptions:
      url:
        description: Its address, without user and password. Begins with C(http://) or C(https://).
        type: str
        required: true
      ca_cert:
        description: File with the CA certificates for an C(https) address, PEM. By default the system's.
        type: path
      user:
        description: User of basic authentication. Falls back to E(BG_PUSHGATEWAY_USER).
        type: str
      password:
        description: Password of O(pushgateway.user). Falls back to E(BG_PUSHGATEWAY_PASSWORD).
        type: str
      token:
        description: Bearer token, instead of a user. Falls back to E(BG_PUSHGATEWAY_TOKEN).
        type: str
      timeout:
        description: Seconds for everything that is asked of it, reading included, from 0.1 to 600.
        type: float
        default: 10.0
  textfile:
    description:
      - File whose name ends in C(.prom), on the host that runs the module, for the textfile collector of node_exporter. It is replaced
        atomically and readable by everyone. Its folder has to exist.
      - Each application needs a file of its own. One that holds metrics of another application, or anything else, is left alone and
        the module fails.
    type: path
  labels:
    description:
      - Labels that every series gets besides, such as C(cluster) where one Prometheus reads several clusters with the same names. They
        are part of the group at the Pushgateway, so whoever adds one deletes the old group.
    type: dict
    default: {}
  gates:
    description:
      - Gates of a run for C(bg_gate), by stage C(before), C(bake) or C(verify), each a list of gates as M(streamops.bluegreen.bg_run) and
        M(streamops.bluegreen.bg_info) return them.
      - By default there is no C(bg_gate), because gates are not stored.
    type: dict
    default: {}
  begins:
    description:
      - A run that is about to begin, and of which the stored state knows nothing yet. It is shown as under way, so that one that dies
        before it publishes anything else can be seen.
      - Without effect once the stored state shows a run.
    type: dict
    suboptions:
      direction:
        description: Direction of the run.
        type: str
        choices: [switch, rollback]
        default: switch
      at:
        description: When it was begun, RFC 3339 with a zone. The module itself never reads the clock for a metric.
        type: str
        required: true
seealso:
  - module: streamops.bluegreen.bg_run
  - module: streamops.bluegreen.bg_info
"""

EXAMPLES = r"""
- name: Push the state of the order consumer
  streamops.bluegreen.bg_metrics:
    application: "{{ order_consumer }}"
    pushgateway:
      url: https://pushgateway.example.com
      user: bluegreen
      password: "{{ vault_pushgateway_password }}"

- name: Write it for node_exporter, with the gates that were judged
  streamops.bluegreen.bg_metrics:
    application: "{{ order_consumer }}"
    textfile: /var/lib/prometheus/node-exporter/order-consumer.prom
    gates:
      before: "{{ plan.gates }}"
"""

RETURN = r"""
metrics:
  description: What is published; in check mode what would be.
  returned: success, and when a place failed
  type: list
  elements: dict
  contains:
    name: {description: The metric., type: str, returned: always, sample: bg_active_version}
    labels: {description: Its labels., type: dict, returned: always, sample: {app: order-consumer, namespace: orders, colour: blue}}
    value: {description: "Its value; times are Unix time in seconds.", type: float, returned: always, sample: 1}
published:
  description: The places that are up to date.
  returned: success, and when another place failed
  type: list
  elements: dict
  contains:
    place: {description: The place., type: str, returned: always, sample: "the Pushgateway http://pushgateway:9091"}
    changed: {description: Whether it was changed; in check mode whether it would be., type: bool, returned: always, sample: true}
faults:
  description: Every fault of the options or of the active record.
  returned: when the options or the active record are wrong
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import kubernetes_argument_spec
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.cluster_wiring import build_ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.metrics_options import (
    build_places,
    hide_less,
    metrics_options,
    read_options,
    warnings_of,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module import Module
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module_end import run
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.publish_metrics import publish_metrics


def use_case(module: AnsibleModule) -> dict[str, t.Any]:
    """One call of the use case."""
    params = module.params
    hide_less(params, module.no_log_values)
    asked = read_options(params)
    places, ports = build_places(params, asked.app), build_ports(params, asked.app.namespace)
    for warning in warnings_of(params):
        module.warn(warning)
    exact = bool(module._diff)  # noqa: SLF001 - Ansible has no other name for it
    return publish_metrics(ports, asked.app, places, asked.judged, asked.begins, module.check_mode, asked.labels, exact)


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec=kubernetes_argument_spec(**metrics_options()),
        required_one_of=[("pushgateway", "textfile")],
        supports_check_mode=True,
    )
    run(module, lambda: use_case(module))


if __name__ == "__main__":
    main()
