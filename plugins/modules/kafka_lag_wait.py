#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_lag_wait
short_description: Wait until a Kafka consumer group has caught up or has no members
version_added: 0.1.0
description:
  - Looks at a consumer group again and again until its total lag is small enough, or until it has no members.
  - A lag that is unknown, because a partition has no committed offset, is never small enough.
  - A small lag does not prove that a group is drained, under production it may never be 0. Use
    M(streamops.bluegreen.consumer_pause) for that; this module is for waiting until a hand-over is worth beginning.
author: [streamops.bluegreen authors (@streamops)]
extends_documentation_fragment:
  - streamops.bluegreen.attributes
  - streamops.bluegreen.attributes.actiongroup_kafka
  - streamops.bluegreen.kafka
attributes:
  check_mode:
    support: full
    details:
      - Looks once, and neither waits nor fails, because in check mode nothing before it has been changed.
  diff_mode:
    support: N/A
    details:
      - This action does not modify state.
  idempotent:
    support: full
    details:
      - This action does not modify state.
options:
  group_id:
    description: Consumer group to wait for.
    type: str
    required: true
  until:
    description:
      - What to wait for.
      - V(lag) is a total lag of at most O(max_lag).
      - V(empty) is a group without members, whose offsets can be set from outside. A group the broker does not know has
        none.
    type: str
    choices: [lag, empty]
    default: lag
  max_lag:
    description: Largest total lag, in records, to be satisfied with. Used with O(until=lag).
    type: int
    default: 0
  topics:
    description:
      - Topics whose lag counts. Used with O(until=lag).
      - By default all topics for which the group has a committed offset or its members own a partition.
    type: list
    elements: str
  isolation_level:
    description:
      - What counts as the end of the log.
      - V(read_uncommitted) is the high watermark. V(read_committed) is the last stable offset, beyond which consumers of
        transactions do not read.
    type: str
    choices: [read_uncommitted, read_committed]
    default: read_uncommitted
  timeout:
    description: Seconds after which to fail.
    type: float
    default: 300.0
  sleep:
    description: Seconds between two looks.
    type: float
    default: 1.0
seealso:
  - module: streamops.bluegreen.kafka_group_offsets_info
  - module: streamops.bluegreen.consumer_pause
"""

EXAMPLES = r"""
- name: Wait until blue is at most 1000 records behind
  streamops.bluegreen.kafka_lag_wait:
    bootstrap_servers: [kafka-0.kafka:9092]
    group_id: cc_order_prod_blue
    max_lag: 1000
    timeout: 600

- name: Wait until the last consumer of green has left
  streamops.bluegreen.kafka_lag_wait:
    group_id: cc_order_prod_green
    until: empty
    timeout: 60
  register: green

- name: Wait in short slices, so that each of them shows in the output of the playbook
  streamops.bluegreen.kafka_lag_wait:
    group_id: cc_order_prod_blue
    timeout: 5
  register: caught_up
  until: caught_up is succeeded
  retries: 60
  delay: 1
"""

RETURN = r"""
satisfied:
  description: Whether the last look showed what was waited for. V(false) only in check mode or on a failure.
  returned: always, also when the module fails on a timeout
  type: bool
  sample: true
elapsed:
  description: Seconds from the first look to the last, on a monotonic clock.
  returned: always, also when the module fails on a timeout
  type: float
  sample: 12.048
attempts:
  description: Number of looks.
  returned: always, also when the module fails on a timeout
  type: int
  sample: 13
group_id:
  description: The consumer group.
  returned: always, also when the module fails on a timeout
  type: str
  sample: cc_order_prod_blue
type:
  description:
    - Type of the group, C(classic), C(consumer) (KIP-848), C(share) or C(streams), or C(absent) when the broker does not
      know it.
  returned: always, also when the module fails on a timeout; as last seen
  type: str
  sample: classic
state:
  description: State of the group in the broker's words; C(Dead) when it does not know the group.
  returned: always, also when the module fails on a timeout; as last seen
  type: str
  sample: Stable
empty:
  description: Whether the group has no members, so that its offsets could be set from outside.
  returned: always, also when the module fails on a timeout; as last seen
  type: bool
  sample: false
members:
  description: Members of the group as the broker sees them.
  returned: always, also when the module fails on a timeout; as last seen
  type: list
  elements: dict
  contains:
    member_id: {description: Id the broker gave to the member., type: str, returned: always, sample: order-1-4f1c}
    instance_id: {description: "Id of a static member (C(group.instance.id)), else V(none).", type: str, returned: always, sample: null}
    client_id: {description: Name the client gave itself., type: str, returned: always, sample: order-1}
    host: {description: Address it connects from., type: str, returned: always, sample: 10.0.0.7}
    assignment:
      description: Partitions it owns, sorted; empty while the group rebalances.
      type: list
      elements: dict
      returned: always
      contains:
        topic: {description: Topic., type: str, returned: always, sample: order-events}
        partition: {description: Partition number., type: int, returned: always, sample: 0}
partitions:
  description: Every partition of the topics, sorted by topic and partition. Empty with O(until=empty).
  returned: always, also when the module fails on a timeout; as last seen
  type: list
  elements: dict
  contains:
    topic: {description: Topic., type: str, returned: always, sample: order-events}
    partition: {description: Partition number., type: int, returned: always, sample: 0}
    committed_offset:
      description:
        - Next offset to process, V(none) when the group has none.
        - Source is Kafka's C(OffsetFetch), with open transactions waited for.
      type: int
      returned: always
      sample: 1192
    leader_epoch: {description: "Leader epoch stored with it, V(-1) when unknown.", type: int, returned: always, sample: 5}
    metadata: {description: Text stored with it., type: str, returned: always, sample: ""}
    log_start_offset: {description: "First offset that can be read, from Kafka's C(ListOffsets).", type: int, returned: always, sample: 0}
    log_end_offset: {description: "End of the log, see O(isolation_level).", type: int, returned: always, sample: 1234}
    lag:
      description: Offsets from the committed one to the end of the log, V(none) when there is no committed offset.
      type: int
      returned: always
      sample: 42
total_lag:
  description:
    - Sum of RV(partitions[].lag).
    - V(none) when that of one partition is unknown; unknown is not 0.
  returned: always, also when the module fails on a timeout; as last seen
  type: int
  sample: 42
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import kafka_argument_spec
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.ports import build_ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.run import run
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.wait_lag import LagRequest, wait_lag


def use_case(module: AnsibleModule) -> dict[str, t.Any]:
    """One call of the use case."""
    params = module.params
    request = LagRequest(
        group_id=params["group_id"],
        until=params["until"],
        max_lag=params["max_lag"],
        topics=tuple(params["topics"] or ()),
        read_committed=params["isolation_level"] == "read_committed",
        timeout=params["timeout"],
        sleep=params["sleep"],
    )
    ports = build_ports(params)
    return wait_lag(ports.kafka, ports.clock, request, check=module.check_mode)


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec=kafka_argument_spec(
            group_id={"type": "str", "required": True},
            until={"type": "str", "choices": ["lag", "empty"], "default": "lag"},
            max_lag={"type": "int", "default": 0},
            topics={"type": "list", "elements": "str"},
            isolation_level={
                "type": "str",
                "choices": ["read_uncommitted", "read_committed"],
                "default": "read_uncommitted",
            },
            timeout={"type": "float", "default": 300.0},
            sleep={"type": "float", "default": 1.0},
        ),
        supports_check_mode=True,
    )
    run(module, lambda: use_case(module))


if __name__ == "__main__":
    main()
