#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_group_offsets_info
short_description: Read Kafka consumer groups, their members, committed offsets and lag
version_added: 0.1.0
description:
  - Returns type, state and members of one or more consumer groups, and for every partition of their topics the committed
    offset, the range of the log, the lag, and the records that retention deleted before they were read.
  - A group that the broker does not know is a result, not an error. An offset that is part of an open transaction is no error
    either, but is undecided until the transaction ends. The offset committed before it is returned, with a warning that names
    what may hold it, and how to end that if its producer is gone.
author: [streamops.bluegreen authors (@streamops)]
extends_documentation_fragment:
  - streamops.bluegreen.attributes
  - streamops.bluegreen.attributes.info_module
  - streamops.bluegreen.attributes.actiongroup_kafka
  - streamops.bluegreen.kafka
options:
  group_id:
    description:
      - Consumer group to read; its values are returned at the top level.
      - Exactly one of O(group_id), O(group_ids) and O(pattern) is needed.
    type: str
  group_ids:
    description: Consumer groups to read, each an entry of RV(groups), in this order.
    type: list
    elements: str
  pattern:
    description:
      - Python regular expression that has to match the whole name of a group. The groups are entries of RV(groups), sorted.
      - Groups that the user may not describe are not included.
    type: str
  topics:
    description:
      - Topics to read.
      - By default all topics for which a group has a committed offset or its members own a partition. A broker leaves out topics
        that the user may not describe; list the topics if that matters.
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
- name: Read the blue group
  streamops.bluegreen.kafka_group_offsets_info:
    bootstrap_servers: [kafka-0.kafka:9092]
    group_id: cc_order_prod_blue
  register: blue

- name: Fail if retention has overtaken a group of the order service
  streamops.bluegreen.kafka_group_offsets_info:
    pattern: cc_order_.*
    isolation_level: read_committed
  register: orders
  failed_when: orders.groups | selectattr('total_lost', 'gt', 0) | length > 0

- name: Stop here if the group has members, or the lag is unknown or above 1000 records
  ansible.builtin.assert:
    that:
      - blue.empty
      - blue.total_lag is not none and blue.total_lag <= 1000
    fail_msg: "lag {{ blue.total_lag }}, members {{ blue.members | map(attribute='client_id') | join(', ') }}"
"""

RETURN = r"""
group_id:
  description: The consumer group.
  returned: success with O(group_id)
  type: str
  sample: cc_order_prod_blue
type:
  description:
    - Type of the group, C(classic), C(consumer) (KIP-848), C(share) or C(streams), or C(absent) when the broker does not
      know it.
  returned: success with O(group_id)
  type: str
  sample: classic
state:
  description: State of the group in the broker's words; C(Dead) when it does not know the group.
  returned: success with O(group_id)
  type: str
  sample: Stable
protocol_type:
  description:
    - C(consumer), C(connect) or another type of its members; empty for a group that never had members.
  returned: success with O(group_id)
  type: str
  sample: consumer
protocol:
  description: Assignor that its members agreed on, such as C(range) or C(uniform); empty without members.
  returned: success with O(group_id)
  type: str
  sample: range
empty:
  description: Whether the group has no members, so that its offsets could be set from outside.
  returned: success with O(group_id)
  type: bool
  sample: false
members:
  description: Members of the group as the broker sees them.
  returned: success with O(group_id)
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
  returned: success with O(group_id)
  type: list
  elements: dict
  contains:
    topic: {description: Topic., type: str, returned: always, sample: order-events}
    partition: {description: Partition number., type: int, returned: always, sample: 0}
    committed_offset:
      description:
        - Next offset to process, V(none) when the group has none.
        - Source is Kafka's C(OffsetFetch). For a partition in RV(pending) it is the last one that was decided.
      type: int
      returned: always
      sample: 1192
    leader_epoch: {description: "Leader epoch stored with it, V(-1) when unknown.", type: int, returned: always, sample: 5}
    metadata: {description: Text stored with it., type: str, returned: always, sample: ""}
    log_start_offset: {description: "First offset that can be read, from Kafka's C(ListOffsets).", type: int, returned: always, sample: 0}
    log_end_offset: {description: "End of the log, see O(isolation_level).", type: int, returned: always, sample: 1234}
    lost:
      description:
        - Offsets from the committed one to the start of the log, deleted by retention before they were read. V(none) if there is
          no committed offset.
        - Not necessarily records. A single offset before an empty log may be a transaction marker.
      type: int
      returned: always
      sample: 0
    lag:
      description:
        - Offsets from the committed one to the end of the log. 0 if the log is empty, even without a committed offset.
        - V(none) if unknown, because there is something to read and no committed offset, or the offset is in RV(pending).
      type: int
      returned: always
      sample: 42
total_lag:
  description:
    - Sum of RV(partitions[].lag).
    - V(none) if that of one partition is unknown; unknown is not 0.
  returned: success with O(group_id)
  type: int
  sample: 42
pending:
  description:
    - Partitions with an offset that is part of an open transaction, sorted. They have no lag until it ends.
    - A broker does not list a partition for which nothing else was ever committed, unless its topic is in O(topics).
  returned: success with O(group_id)
  type: list
  elements: dict
  contains:
    topic: {description: Topic., type: str, returned: always, sample: order-events}
    partition: {description: Partition number., type: int, returned: always, sample: 3}
pending_transactions:
  description:
    - The transactions that may hold these offsets. They are those open on the partition of C(__consumer_offsets) that stores the
      group, and other groups.
    - V(none) if they could not be read, which requires C(Describe) and C(Read) on the topic C(__consumer_offsets).
  returned: success with O(group_id), when RV(pending) is not empty
  type: list
  elements: dict
  contains:
    topic: {description: The topic C(__consumer_offsets)., type: str, returned: always, sample: __consumer_offsets}
    partition: {description: Its partition that stores the group., type: int, returned: always, sample: 17}
    producer_id: {description: Id of the producer., type: int, returned: always, sample: 4001}
    producer_epoch: {description: Epoch of the producer., type: int, returned: always, sample: 0}
    start_offset: {description: First offset of the transaction in this partition., type: int, returned: always, sample: 1230}
    age:
      description: Seconds since its last offsets, by the broker's clock; V(none) when unknown.
      type: int
      returned: always
      sample: 1204
    transactional_id:
      description: Transactional id of the producer. V(none) if unknown; it requires C(Describe) on the transactional id.
      type: str
      returned: always
      sample: order-1
    began:
      description: When the transaction began, RFC 3339, UTC; V(none) as RV(pending_transactions[].transactional_id).
      type: str
      returned: always
      sample: '2026-11-24T08:00:00Z'
    ends:
      description:
        - When Kafka aborts it by itself, within about ten seconds, RFC 3339, UTC.
        - V(none) if unknown, and for a transaction that its coordinator does not know, which never ends by itself.
      type: str
      returned: always
      sample: '2026-11-24T08:15:00Z'
    abort:
      description: Command that aborts it if its producer is gone. Prefer to start the producer again, which aborts it too.
      type: str
      returned: always
      sample: >-
        kafka-transactions.sh --bootstrap-server HOST:PORT abort --topic __consumer_offsets --partition 17 --start-offset 1230
total_lost:
  description: Sum of RV(partitions[].lost).
  returned: success with O(group_id)
  type: int
  sample: 0
expiry:
  description:
    - When the broker removes the offsets of an unused group.
    - A broker does not return the time of a commit or since when a group is empty, so only a bound of the next expiry is known.
  returned: success with O(group_id)
  type: dict
  contains:
    retention_minutes:
      description: C(offsets.retention.minutes) of the brokers, V(none) if the user may not read it.
      type: int
      returned: always
      sample: 10080
    clock:
      description:
        - What it counts from. V(stopped) while the group has members, for the topics they subscribe to; V(since_empty), when the
          last member left (classic groups); V(since_commit), each partition's last commit (KIP-848 groups, and groups that
          only had offsets committed from outside), so that an idle partition expires first.
        - V(none) for a group that is absent or has no offsets of this kind.
      type: str
      returned: always
      sample: since_empty
    latest:
      description:
        - RFC 3339, UTC. At this time every offset of the group is due for removal unless a consumer commits or joins. Some may
          expire earlier; brokers check every ten minutes.
        - V(none) if nothing expires or the retention is unknown.
      type: str
      returned: always
      sample: '2026-12-01T08:00:00Z'
groups:
  description: Every requested group, with the values described here for one.
  returned: success with O(group_ids) or O(pattern)
  type: list
  elements: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import kafka_argument_spec
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.kafka_wiring import build_ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module import Module
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module_end import run
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.read_groups import (
    matching,
    read_groups,
)


def use_case(module: AnsibleModule) -> dict[str, t.Any]:
    """One call of the use case."""
    params = module.params
    ports = build_ports(params)
    wanted = [params["group_id"]] if params["group_id"] is not None else params["group_ids"]
    if params["pattern"] is not None:
        wanted = matching(ports.kafka, params["pattern"])
    found = read_groups(
        ports, list(dict.fromkeys(wanted)), params["topics"] or (), params["isolation_level"] == "read_committed"
    )
    warnings = [warning for group in found for warning in group.pop("warnings", ())]
    shown = found[0] if params["group_id"] is not None else {"groups": found}
    return {"changed": False, **shown, "warnings": warnings}


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec=kafka_argument_spec(
            group_id={"type": "str"},
            group_ids={"type": "list", "elements": "str"},
            pattern={"type": "str"},
            topics={"type": "list", "elements": "str"},
            isolation_level={
                "type": "str",
                "choices": ["read_uncommitted", "read_committed"],
                "default": "read_uncommitted",
            },
        ),
        mutually_exclusive=[("group_id", "group_ids", "pattern")],
        required_one_of=[("group_id", "group_ids", "pattern")],
        supports_check_mode=True,
    )
    run(module, lambda: use_case(module))


if __name__ == "__main__":
    main()
