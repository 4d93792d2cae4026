#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_group_offsets
short_description: Set or remove the committed offsets of a Kafka consumer group
version_added: 0.1.0
description:
  - Afterwards the consumer group has the listed committed offsets, exact copies of another group's, those of a snapshot, those
    of a position in the log, or none. They were read back from the broker and compared.
  - Only partitions that differ are written. Nothing is written if one partition cannot be decided, or if the group has members,
    which are then named. Only offsets of topics that no member reads can be removed beside the members, see O(state).
  - A broker accepts any number as an offset. This module checks each against the first and the end offset of the log, and
    never writes a negative one.
  - A broker accepts a commit partition by partition. If it refuses some, the module fails and says which partitions moved;
    running the same again completes the change.
  - Every run returns RV(snapshot), which undoes the run when passed as O(snapshot).
author: [streamops.bluegreen authors (@streamops)]
extends_documentation_fragment:
  - streamops.bluegreen.attributes
  - streamops.bluegreen.kafka
  - streamops.bluegreen.kubernetes
  - kubernetes.core.k8s_auth_options
attributes:
  action_group:
    description:
      - Use C(group/streamops.bluegreen.kafka) and C(group/streamops.bluegreen.kubernetes) in C(module_defaults) to set defaults
        for this module.
    support: full
    membership:
      - streamops.bluegreen.kafka
      - streamops.bluegreen.kubernetes
  check_mode:
    support: full
    details:
      - Reads everything and writes nothing.
      - If the members of the group prevent the change, it is shown with a warning that a real run would be refused, because in
        check mode nothing has stopped the consumers. It does not wait for members or evict any.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - Not with O(to=shift), which is relative to the group's current offsets.
      - Not with O(to=latest), O(missing=latest) or O(out_of_range=latest) while records are being produced, because the end of
        the log moves; and not with O(to=earliest) while retention deletes records.
options:
  group_id:
    description:
      - Consumer group whose offsets are set.
      - Share groups and Kafka Streams groups are refused, because their progress is not (only) in committed offsets.
    type: str
    required: true
  state:
    description:
      - V(present) sets offsets from exactly one of O(offsets), O(from_group), O(snapshot), O(snapshot_file),
        O(snapshot_config_map) and O(to).
      - V(absent) removes the committed offsets of O(topics) (and O(partitions)), or the whole group when no topics are given.
        Offsets of topics that no member reads any more are removed beside the group's running consumers; all else needs a group
        without members.
        A consumer that comes back to a group without offsets starts where its C(auto.offset.reset) says.
    type: str
    choices: [present, absent]
    default: present
  offsets:
    description: Offsets to set, one entry per partition. Partitions that are not listed stay as they are.
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
          - By default unchanged if the offset is, and unknown (V(-1)) for a new offset.
          - An epoch above the log's own is treated as out of range, because it makes consumers distrust fresh metadata.
        type: int
      metadata:
        description:
          - Text stored with the offset, at most 4096 characters in Kafka's default configuration.
          - By default unchanged if the offset is, and empty for a new offset.
        type: str
  from_group:
    description:
      - Consumer group whose committed offsets are copied, with leader epoch and metadata.
      - It may have members; then its current offsets are copied, and it continues from there.
    type: str
  snapshot:
    description:
      - The RV(snapshot) of an earlier run. The group gets back the offsets it had, and loses those it did not have.
      - "The older format is accepted too and is easier to write by hand: C(format: 1), and under C(offsets) a list of
        C({topic, partition, offset, leader_epoch, metadata}), where an C(offset) of V(none) means that there was none."
      - Refused if a topic was deleted and created again since, which its topic id shows.
    type: dict
  snapshot_file:
    description: File on the host the module runs on that holds such a snapshot as JSON.
    type: path
  snapshot_config_map:
    description:
      - ConfigMap that a hand-over wrote, C(<application>-bg-snapshot-a) or C(-b); further parts of it are found by their names.
      - It holds the offsets that were handed over, so it can be used for the group of either colour.
      - Only this source needs a connection to the Kubernetes API server.
    type: str
  namespace:
    description: Namespace of O(snapshot_config_map), needed with it.
    type: str
  to:
    description:
      - Position in the log to go to, the same for all chosen partitions.
      - V(earliest) and V(latest) are the first and the end offset of the log.
      - V(timestamp) is the first record at or after O(timestamp), or the end of the log if there is none.
      - V(shift) is O(shift) records from the committed offset of each partition.
    type: str
    choices: [earliest, latest, timestamp, shift]
  timestamp:
    description:
      - Time for O(to=timestamp), RFC 3339 with a time zone (V(2026-11-24T08:00:00Z)) or milliseconds since 1970.
      - It is compared with the timestamps of the records, which are the producers' unless the topic says C(LogAppendTime).
    type: str
  shift:
    description: Records to go forward (positive) or back (negative) for O(to=shift).
    type: int
  topics:
    description:
      - Topics to act on. Every partition of these topics gets an explicit offset.
      - By default all topics for which O(from_group), else O(group_id), has a committed offset, or all of the snapshot. A broker
        leaves out topics that the user may not describe; list the topics if that matters.
      - An empty list is an error.
    type: list
    elements: str
  partitions:
    description: Partition numbers of O(topics) to act on. By default all of them.
    type: list
    elements: int
  missing:
    description:
      - What to do for a partition without a committed offset to start from (of O(from_group), or to shift).
      - V(earliest) sets the first offset of the log. It is the default because no record is skipped; consumers with
        C(auto.offset.reset=earliest) would start there too.
      - V(latest) sets the end of the log, so that existing records are never read.
      - V(fail) writes nothing and lists these partitions.
    type: str
    choices: [fail, earliest, latest]
    default: earliest
  out_of_range:
    description:
      - What to do for a requested offset that is not in the log, because retention deleted it or the log was truncated.
      - V(fail) writes nothing and lists these partitions, with the maximum number of records that are lost.
      - V(earliest) sets the first offset of the log, V(latest) its end.
      - A committed offset that retention passed by one while the log is empty does not fail. It may be a transaction marker, after
        which nothing is committed. The first offset of the log is set, and RV(details[].reason) says so.
    type: str
    choices: [fail, earliest, latest]
    default: fail
  forward_only:
    description:
      - Writes nothing, and lists the partitions, if one of them would go back or lose its offset.
    type: bool
    default: false
  allow_create:
    description:
      - Whether to create a group that the broker does not know.
      - Off by default, because a broker accepts any name, so a typo would create a group that nobody uses.
    type: bool
    default: false
  evict_static_members:
    description:
      - Whether to remove static members (with C(group.instance.id)) from the group first, if no other members are left.
      - They do not leave when they stop but stay for their session timeout, 45 seconds by default. Evict them only when their
        processes are gone. One that is alive joins again with its next heartbeat, so the group has to stay empty for 6 seconds
        after an eviction; else the module fails and names the member.
    type: bool
    default: false
  wait_empty_timeout:
    description: Seconds to wait for the members to leave before the module fails. V(0) does not wait.
    type: float
    default: 0.0
  wait_transactions_timeout:
    description:
      - Seconds to wait for open transactions that have offsets of the group, or of O(from_group), before the module fails. These
        offsets are unknown until they end. The message names what may hold them and what ends it.
      - Not used with O(state=absent), because a broker removes such an offset together with the one before it.
    type: float
    default: 15.0
seealso:
  - module: streamops.bluegreen.kafka_group_offsets_info
  - module: streamops.bluegreen.kafka_lag_wait
"""

EXAMPLES = r"""
- name: Give green the offsets of blue; partitions that blue never read start at the first record
  streamops.bluegreen.kafka_group_offsets:
    bootstrap_servers: [kafka-0.kafka:9092, kafka-1.kafka:9092]
    group_id: cc_order_prod_green
    from_group: cc_order_prod_blue
    topics: [order-events]
    allow_create: true
    wait_empty_timeout: 30
  register: copied

- name: Show what a copy would change
  streamops.bluegreen.kafka_group_offsets:
    group_id: cc_order_prod_green
    from_group: cc_order_prod_blue
  check_mode: true
  diff: true

- name: Undo it
  streamops.bluegreen.kafka_group_offsets:
    group_id: cc_order_prod_green
    snapshot: "{{ copied.snapshot }}"

- name: Show what is never read because of a policy; rows of partitions that skip nothing do not have the key
  ansible.builtin.debug:
    msg: "{{ copied.details | selectattr('skipped', 'defined') | map(attribute='reason') }}"

- name: Save what undoes it in a file, for snapshot_file
  ansible.builtin.copy:
    content: "{{ copied.snapshot | ansible.builtin.to_nice_json }}"
    dest: /var/lib/cc_order/before-the-copy.json
    mode: "0600"

- name: Give blue the offsets of a hand-over
  streamops.bluegreen.kafka_group_offsets:
    group_id: cc_order_prod_blue
    snapshot_config_map: order-consumer-bg-snapshot-a
    namespace: orders

- name: Read the last hour again, after evicting the static members of the stopped pods
  streamops.bluegreen.kafka_group_offsets:
    group_id: cc_order_prod_green
    to: timestamp
    timestamp: "{{ '%Y-%m-%dT%H:%M:%SZ' | ansible.builtin.strftime(now().timestamp() - 3600, utc=true) }}"
    evict_static_members: true

- name: Read one partition again from offset 1200, and report if the group still has members
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

- name: Remove the offsets of a topic that is no longer read
  streamops.bluegreen.kafka_group_offsets:
    group_id: cc_order_prod_green
    state: absent
    topics: [order-events-old]
"""

RETURN = r"""
group_id:
  description: The consumer group.
  returned: success, and on every failure after the plan
  type: str
  sample: cc_order_prod_green
type:
  description:
    - Type of the group before the change, C(classic) or C(consumer) (KIP-848), or C(absent) when the broker did not know it.
  returned: success, and on every failure after the plan
  type: str
  sample: classic
state:
  description: State of the group before the change, in the broker's words.
  returned: success, and on every failure after the plan
  type: str
  sample: Empty
changed_partitions:
  description: Number of partitions that had to be written, or in check mode would have to be.
  returned: success, and on every failure after the plan
  type: int
  sample: 3
before:
  description:
    - Committed offset before, of every partition that was decided, by topic and partition (as a string, like all JSON keys).
    - V(none) when there was none. Source is Kafka's C(OffsetFetch).
  returned: success, and on every failure after the plan
  type: dict
  sample: {order-events: {'0': 1200, '1': 1300, '2': 1400, '3': null}}
after:
  description:
    - Committed offset afterwards, of the same partitions in the same shape; V(none) if it is removed. In check mode as it
      would be.
    - Partitions that the broker refused did not get it, see RV(refused).
  returned: success, and on every failure after the plan
  type: dict
  sample: {order-events: {'0': 1234, '1': 1301, '2': 1400, '3': 0}}
details:
  description: Partitions with more details than the two offsets, sorted by topic and partition.
  returned: success, and on every failure after the plan
  type: list
  elements: dict
  contains:
    topic: {description: Topic., type: str, returned: always, sample: order-events}
    partition: {description: Partition number., type: int, returned: always, sample: 3}
    leader_epoch:
      description:
        - Leader epoch stored with the offset in RV(after); V(-1) is unknown.
        - It and RV(details[].metadata) are those that were listed, copied or in the snapshot, else as described for O(offsets).
          Diff mode shows both for every change, and M(streamops.bluegreen.kafka_group_offsets_info) reads them.
      type: int
      returned: when only these two change and the offset does not
      sample: 5
    metadata:
      description: Text stored with the offset in RV(after).
      type: str
      returned: when only these two change and the offset does not
      sample: pod-7
    reason:
      description: Where the offset comes from, or the policy that decided and why.
      type: str
      returned: when it is not simply the offset that was listed, copied or in the snapshot
      sample: "earliest: never committed"
    skipped:
      description:
        - Offsets that are never read because of O(missing) or O(out_of_range), RV(details[].lost) included. Not necessarily
          records, because a compacted or transactional log has gaps.
      type: int
      returned: when there are any
      sample: 12
    lost:
      description: Offsets that retention had deleted before the group processed them; not necessarily records.
      type: int
      returned: when there are any
      sample: 5
lost:
  description:
    - Sum of the offsets that retention had deleted before the group processed them, including partitions that were faults.
  returned: success, and on every failure after the plan
  type: int
  sample: 0
snapshot:
  description:
    - Undoes the change when passed as O(snapshot). Contains the former offsets of the partitions that changed, or in check mode
      would change.
    - Written to a file as JSON (C(ansible.builtin.copy) with C(content)), it is what O(snapshot_file) reads.
  returned: success, and on every failure after the plan
  type: dict
  contains:
    format: {description: Version of this format., type: int, returned: always, sample: 2}
    group_id: {description: The consumer group., type: str, returned: always, sample: cc_order_prod_green}
    topic_ids:
      description: Kafka's id of each topic.
      type: dict
      returned: always
      sample: {order-events: 5d7f6b1e-4a36-4bd5-a2f8-0f6bb0f5d8a1}
    offsets:
      description:
        - Former committed offsets by topic, as a string with a sorted entry for each partition, separated by spaces.
        - C(0:1200@5) is partition 0 with offset 1200 and leader epoch 5. An unknown epoch is left out, as in C(1:1300).
        - Metadata follows as a JSON string in ASCII, C(2:1400@5="pod-7"), in which a space is C(\u0020).
        - C(3:-) is a partition that had no committed offset.
      type: dict
      returned: always
      sample: {order-events: '0:1200@5 1:1300 2:1400@5="pod-7" 3:-'}
evicted:
  description: Static members that were removed from the group.
  returned: when the group had members and was waited for
  type: list
  elements: dict
  contains: &member
    member_id: {description: Id the broker gave to the member., type: str, returned: always, sample: order-1-4f1c}
    instance_id:
      description: C(group.instance.id) of a static member, else V(none).
      type: str
      returned: always
      sample: order-1
    client_id: {description: Name the client gave itself., type: str, returned: always, sample: order-1}
    host: {description: Address it connects from., type: str, returned: always, sample: 10.0.0.7}
members:
  description: Members of the group that prevent the change.
  returned: when the group has members that prevent what has to change, also in check mode
  type: list
  elements: dict
  contains: *member
moved:
  description:
    - Partitions that were written although others were not, as C(topic-partition).
    - V(none) if the offsets could not be read back, so that this is unknown.
  returned: when the broker refused a part, a part did not read back, or a topic changed meanwhile
  type: list
  elements: str
refused:
  description: Why each of the other partitions was not set, by C(topic-partition); Kafka's name of the error.
  returned: when the broker refused a part, a part did not read back, or a topic changed meanwhile
  type: dict
  sample: {order-events-3: OFFSET_METADATA_TOO_LARGE}
pending_transactions:
  description:
    - Transactions that may hold the offsets, as M(streamops.bluegreen.kafka_group_offsets_info) returns them.
    - V(none) if they could not be read, which requires C(Describe) and C(Read) on the topic C(__consumer_offsets).
  returned: when offsets are still part of an open transaction after O(wait_transactions_timeout)
  type: list
  elements: dict
faults:
  description:
    - All faults of the input (topics, partitions or groups that do not exist, a snapshot of a topic that was created again), or
      every partition that could not be decided. Nothing was changed.
  returned: when the input is wrong, or a partition could not be decided
  type: list
  elements: str
"""

import atexit
import gc
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import (
    kafka_argument_spec,
    kubernetes_argument_spec,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module import Module
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module_end import run
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.offset_options import SOURCES, parse_request
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.snapshot_option import given_snapshot
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.wiring import build_ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.set_offsets import set_offsets

POLICIES = ["fail", "earliest", "latest"]


def use_case(module: AnsibleModule) -> dict[str, t.Any]:
    """One call of the use case."""
    request = parse_request(module.params)
    ports = build_ports(module.params)
    snapshot = given_snapshot(module.params, ports)
    if snapshot is not None:
        request = request.limited(snapshot)
    if request.remove and not request.topics:
        # Each call compiles what it imports anew, so what few calls need is imported by them.
        from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.remove_group import (
            remove_group,
        )

        return remove_group(ports, request, check=module.check_mode)
    return set_offsets(ports, request, check=module.check_mode)


def own_options() -> dict[str, dict[str, t.Any]]:
    """Options beside the connections."""
    offset_spec = {
        "topic": {"type": "str", "required": True},
        "partition": {"type": "int", "required": True},
        "offset": {"type": "int", "required": True},
        "leader_epoch": {"type": "int"},
        "metadata": {"type": "str"},
    }
    return {
        "group_id": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "offsets": {"type": "list", "elements": "dict", "options": offset_spec},
        "from_group": {"type": "str"},
        "snapshot": {"type": "dict"},
        "snapshot_file": {"type": "path"},
        "snapshot_config_map": {"type": "str"},
        "namespace": {"type": "str"},
        "to": {"type": "str", "choices": ["earliest", "latest", "timestamp", "shift"]},
        "timestamp": {"type": "str"},
        "shift": {"type": "int"},
        "topics": {"type": "list", "elements": "str"},
        "partitions": {"type": "list", "elements": "int"},
        "missing": {"type": "str", "choices": POLICIES, "default": "earliest"},
        "out_of_range": {"type": "str", "choices": POLICIES, "default": "fail"},
        "forward_only": {"type": "bool", "default": False},
        "allow_create": {"type": "bool", "default": False},
        "evict_static_members": {"type": "bool", "default": False},
        "wait_empty_timeout": {"type": "float", "default": 0.0},
        "wait_transactions_timeout": {"type": "float", "default": 15.0},
    }


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={**kafka_argument_spec(), **kubernetes_argument_spec(), **own_options()},
        mutually_exclusive=[SOURCES, ("offsets", "topics"), ("offsets", "partitions")],
        required_if=[
            ("state", "present", SOURCES, True),
            ("to", "timestamp", ("timestamp",)),
            ("to", "shift", ("shift",)),
        ],
        required_by={"partitions": ("topics",), "snapshot_config_map": ("namespace",)},
        supports_check_mode=True,
    )
    run(module, lambda: use_case(module))


def main_of_a_process() -> None:
    """Entry point of a process that ends with it."""
    # Ten thousand partitions are some hundred thousand small objects, all of them needed until this short process ends:
    # looking for garbage among them again and again took 40 % of its time. Python looks once more when it ends, switched off
    # or not, except at what is frozen.
    gc.disable()
    atexit.register(gc.freeze)
    main()


if __name__ == "__main__":
    main_of_a_process()
