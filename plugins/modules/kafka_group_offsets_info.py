#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_group_offsets_info
short_description: Look at a Kafka consumer group, its members, committed offsets and lag
version_added: 0.1.0
description:
  - Returns type, state and members of a consumer group, and for every partition of its topics the committed offset, the
    range of the log and the lag.
  - A group the broker does not know is an answer, not an error.
author: [streamops.bluegreen authors (@streamops)]
extends_documentation_fragment:
  - streamops.bluegreen.attributes
  - streamops.bluegreen.attributes.info_module
  - streamops.bluegreen.attributes.actiongroup_kafka
  - streamops.bluegreen.kafka
options:
  group_id:
    description: Consumer group to look at.
    type: str
    required: true
  topics:
    description:
      - Topics to look at.
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
seealso:
  - module: streamops.bluegreen.kafka_group_offsets
"""

EXAMPLES = r"""
- name: Look at the blue group
  streamops.bluegreen.kafka_group_offsets_info:
    bootstrap_servers: [kafka-0.kafka:9092]
    group_id: cc_order_prod_blue
  register: blue

- name: Stop here when somebody still consumes, or the lag is unknown or above 1000 records
  ansible.builtin.assert:
    that:
      - blue.empty
      - blue.total_lag is not none and blue.total_lag <= 1000
    fail_msg: "lag {{ blue.total_lag }}, members {{ blue.members | map(attribute='client_id') | join(', ') }}"
"""

RETURN = r"""
group_id:
  description: The consumer group.
  returned: success
  type: str
  sample: cc_order_prod_blue
type:
  description:
    - Type of the group, C(classic), C(consumer) (KIP-848), C(share) or C(streams), or C(absent) when the broker does not
      know it.
  returned: success
  type: str
  sample: classic
state:
  description: State of the group in the broker's words; C(Dead) when it does not know the group.
  returned: success
  type: str
  sample: Stable
empty:
  description: Whether the group has no members, so that its offsets could be set from outside.
  returned: success
  type: bool
  sample: false
members:
  description: Members of the group as the broker sees them.
  returned: success
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
  description: Every partition of the topics, sorted by topic and partition.
  returned: success
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
  returned: success
  type: int
  sample: 42
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import kafka_argument_spec
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.ports import build_ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.run import run
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.wait_lag import read_group


def use_case(module: AnsibleModule) -> dict[str, t.Any]:
    """One call of the use case."""
    params = module.params
    kafka = build_ports(params).kafka
    read_committed = params["isolation_level"] == "read_committed"
    return {"changed": False, **read_group(kafka, params["group_id"], params["topics"] or (), read_committed)}


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec=kafka_argument_spec(
            group_id={"type": "str", "required": True},
            topics={"type": "list", "elements": "str"},
            isolation_level={
                "type": "str",
                "choices": ["read_uncommitted", "read_committed"],
                "default": "read_uncommitted",
            },
        ),
        supports_check_mode=True,
    )
    run(module, lambda: use_case(module))


if __name__ == "__main__":
    main()
