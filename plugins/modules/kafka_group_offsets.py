#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_group_offsets
short_description: Set the committed offsets of a Kafka consumer group
version_added: 0.1.0
description:
  - Afterwards the consumer group has the committed offsets that were listed, or those of another group to the letter, and
    they were read back from the broker and compared.
  - Only partitions that differ are written. Nothing is written when one partition cannot be decided, or when the group has
    members, which are then named.
  - A broker accepts any number as an offset. This module checks each against the first and the end offset of the log, and
    never writes a negative one.
author: [streamops.bluegreen authors (@streamops)]
extends_documentation_fragment:
  - streamops.bluegreen.attributes
  - streamops.bluegreen.attributes.actiongroup_kafka
  - streamops.bluegreen.kafka
attributes:
  check_mode:
    support: full
    details:
      - Reads for real and writes nothing.
      - When the group has members, the changes are shown with a warning that a real run would be refused, because in check
        mode nothing has stopped the consumers.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - Not with O(missing=latest) or O(out_of_range=latest) while records are being produced, because the end of the log
        moves.
options:
  group_id:
    description:
      - Consumer group whose offsets are set. It may be unknown to the broker.
      - Share groups and Kafka Streams groups are refused.
    type: str
    required: true
  offsets:
    description:
      - Offsets to set, one entry per partition. Partitions that are not listed stay as they are.
      - Exactly one of O(offsets) and O(from_group) is needed.
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
      leader_epoch:
        description:
          - Epoch of the partition's leader that wrote the record before O(offsets[].offset); lets a consumer notice a
            truncated log.
          - By default it stays as it is when the offset does, and is unknown (V(-1)) for a new offset.
        type: int
      metadata:
        description:
          - Text stored with the offset, at most 4096 characters in Kafka's default configuration.
          - By default it stays as it is when the offset does, and is empty for a new offset.
        type: str
  from_group:
    description: Consumer group whose committed offsets are copied, with leader epoch and metadata.
    type: str
  topics:
    description:
      - Topics to copy, of O(from_group). Every partition of these topics gets an explicit offset.
      - By default all topics for which O(from_group) has a committed offset.
    type: list
    elements: str
  missing:
    description:
      - What to do for a partition for which O(from_group) has no committed offset.
      - V(fail) writes nothing and lists these partitions.
      - V(earliest) sets the first offset of the log, so that every record is read.
      - V(latest) sets the end of the log, so that records that are there already are never read.
    type: str
    choices: [fail, earliest, latest]
    default: fail
  out_of_range:
    description:
      - What to do for a wanted offset that is not in the log, because retention deleted it or the log was truncated.
      - V(fail) writes nothing and lists these partitions, with the number of records that are lost.
      - V(earliest) sets the first offset of the log, V(latest) its end.
    type: str
    choices: [fail, earliest, latest]
    default: fail
seealso:
  - module: streamops.bluegreen.kafka_group_offsets_info
  - module: streamops.bluegreen.kafka_lag_wait
"""

EXAMPLES = r"""
- name: Give green the offsets of blue, and read partitions from the beginning that blue never read
  streamops.bluegreen.kafka_group_offsets:
    bootstrap_servers: [kafka-0.kafka:9092, kafka-1.kafka:9092]
    group_id: cc_order_prod_green
    from_group: cc_order_prod_blue
    topics: [order-events]
    missing: earliest

- name: Show what a copy would change
  streamops.bluegreen.kafka_group_offsets:
    group_id: cc_order_prod_green
    from_group: cc_order_prod_blue
  check_mode: true
  diff: true

- name: Read one partition again from offset 1200, and say so when the group still has members
  block:
    - name: Set the offset
      streamops.bluegreen.kafka_group_offsets:
        group_id: cc_order_prod_green
        offsets:
          - {topic: order-events, partition: 3, offset: 1200}
      register: moved
  rescue:
    - name: Name the members that have to stop first
      ansible.builtin.debug:
        msg: "{{ ansible_failed_result.msg }}"
"""

RETURN = r"""
group_id:
  description: The consumer group.
  returned: success, and when the offsets were refused
  type: str
  sample: cc_order_prod_green
type:
  description:
    - Type of the group before the change, C(classic) or C(consumer) (KIP-848), or C(absent) when the broker did not know it.
  returned: success, and when the offsets were refused
  type: str
  sample: classic
state:
  description: State of the group before the change, in the broker's words.
  returned: success, and when the offsets were refused
  type: str
  sample: Empty
partitions:
  description: Every partition that was decided, sorted by topic and partition. In check mode as it would be.
  returned: success, and when the offsets were refused
  type: list
  elements: dict
  contains:
    topic: {description: Topic., type: str, returned: always, sample: order-events}
    partition: {description: Partition number., type: int, returned: always, sample: 0}
    before:
      description: Committed offset before, V(none) when there was none. Source is Kafka's C(OffsetFetch).
      type: int
      returned: always
      sample: 1200
    after: {description: Committed offset afterwards., type: int, returned: always, sample: 1234}
    leader_epoch: {description: Leader epoch stored with it; V(-1) is unknown., type: int, returned: always, sample: 5}
    metadata: {description: Text stored with it., type: str, returned: always, sample: ''}
    changed: {description: Whether the partition had to be written., type: bool, returned: always, sample: true}
    reason: {description: "C(as wanted), or the policy that decided and why.", type: str, returned: always, sample: as wanted}
    skipped:
      description: Offsets that are never read because of that policy, or that retention had deleted. Not necessarily records.
      type: int
      returned: always
      sample: 0
moved:
  description: Partitions that were written although others were refused, as C(topic-partition).
  returned: when the broker refused a part, or a part did not read back
  type: list
  elements: str
refused:
  description: Why each of the other partitions was not set, by C(topic-partition); Kafka's name of the error.
  returned: when the broker refused a part, or a part did not read back
  type: dict
  sample: {order-events-3: OFFSET_METADATA_TOO_LARGE}
members:
  description: Member ids of the group.
  returned: when a consumer joined between the look at the group and the commit
  type: list
  elements: str
faults:
  description: Topics and partitions that do not exist, or are listed twice.
  returned: when the input is wrong
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import kafka_argument_spec
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.ports import build_ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.run import run
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import InvalidSettingsError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.model import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.offsets import Desired
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.set_offsets import (
    OffsetRequest,
    set_offsets,
)

POLICIES = ["fail", "earliest", "latest"]


def listed(rows: t.Sequence[t.Mapping[str, t.Any]]) -> dict[TopicPartition, Desired]:
    """The option ``offsets`` as the use case takes it."""
    wanted: dict[TopicPartition, Desired] = {}
    faults = []
    for row in rows:
        tp = TopicPartition(row["topic"], row["partition"])
        if tp in wanted:
            faults.append(f"partition {tp} is listed twice in offsets")
        if row["offset"] < 0:
            faults.append(f"offset {row['offset']} of {tp} is negative; an offset is 0 or more")
        wanted[tp] = Desired(row["offset"], row["leader_epoch"], row["metadata"])
    if faults:
        raise InvalidSettingsError(faults)
    return wanted


def use_case(module: AnsibleModule) -> dict[str, t.Any]:
    """One call of the use case."""
    params = module.params
    request = OffsetRequest(
        group_id=params["group_id"],
        explicit=listed(params["offsets"] or []),
        from_group=params["from_group"] or "",
        topics=tuple(params["topics"] or ()),
        missing=params["missing"],
        out_of_range=params["out_of_range"],
    )
    ports = build_ports(params)
    return set_offsets(ports.kafka, ports.parallel, request, check=module.check_mode)


def main() -> None:
    """Entry point of the module."""
    offset_spec = {
        "topic": {"type": "str", "required": True},
        "partition": {"type": "int", "required": True},
        "offset": {"type": "int", "required": True},
        "leader_epoch": {"type": "int"},
        "metadata": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec=kafka_argument_spec(
            group_id={"type": "str", "required": True},
            offsets={"type": "list", "elements": "dict", "options": offset_spec},
            from_group={"type": "str"},
            topics={"type": "list", "elements": "str"},
            missing={"type": "str", "choices": POLICIES, "default": "fail"},
            out_of_range={"type": "str", "choices": POLICIES, "default": "fail"},
        ),
        mutually_exclusive=[("offsets", "from_group"), ("offsets", "topics")],
        required_one_of=[("offsets", "from_group")],
        required_by={"topics": ("from_group",)},
        supports_check_mode=True,
    )
    run(module, lambda: use_case(module))


if __name__ == "__main__":
    main()
