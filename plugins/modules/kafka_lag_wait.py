#!/usr/bin/python
# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kafka_lag_wait
short_description: Wait until a Kafka consumer group has caught up, passed a mark, stopped committing or is empty
version_added: 0.1.0
description:
  - Afterwards the consumer group is as O(until) says. The module polls until then; it changes nothing.
  - While waiting it prints lag, rate and the estimated time left every O(progress) seconds, also without a terminal and in AWX.
    Lag and rates of the whole wait are returned for a plot.
  - An unknown lag is never small enough. It is unknown if a partition has something to read and no committed offset, if Kafka
    does not know the group (a typo, or its offsets expired), and if there is no partition at all. A partition whose log is empty
    has no lag, whether or not the group committed anything there.
  - Offsets that are part of an open transaction are unknown until it ends. They are waited for within O(timeout) and named in the
    progress lines, and after a timeout with what may hold them and what ends it.
  - Records of aborted transactions and markers take offsets that no consumer receives. If a wait times out and neither the log nor
    the group moved, the message says how to recognise such offsets and what to set.
  - A small lag does not prove that a group is drained, and may never be 0 while producers write. Use
    M(streamops.bluegreen.consumer_pause) for that. Use this module to wait until a hand-over is worth beginning, and with
    O(until=barrier) until everything that existed at a certain time is processed.
author: [streamops.bluegreen authors (@streamops)]
extends_documentation_fragment:
  - streamops.bluegreen.attributes
  - streamops.bluegreen.attributes.actiongroup_kafka
  - streamops.bluegreen.kafka
attributes:
  check_mode:
    support: full
    details:
      - Polls once, and neither waits nor fails, because in check mode nothing before it has been changed.
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
      - V(lag) is a lag of at most O(max_lag) in total and at most O(max_partition_lag) in each partition, measured to the
        current end of the log.
      - V(barrier) takes the end of every log at the first poll as a mark, and waits until the committed offsets have reached the
        marks; so it ends even while producers write. O(max_lag) and O(max_partition_lag) are then records before the marks.
        Partitions that are added later are not waited for and are returned in RV(not_in_barrier).
      - V(stable) is the same committed offset in every partition for O(polls) polls. It does not depend on the end of the log, so it
        suits a group that was paused, and topics where transactions or compaction leave a lag that never becomes 0.
      - V(empty) is a group without members, whose offsets can be set from outside. A group that the broker did not know at any poll
        is not empty, see O(appear_timeout).
      - A share group has no committed offsets; it is refused except with V(empty).
    type: str
    choices: [lag, barrier, stable, empty]
    default: lag
  max_lag:
    description:
      - Largest acceptable total lag, in records. Only with O(until=lag) and O(until=barrier).
      - 0 if neither this nor O(max_partition_lag) is set.
    type: int
  max_partition_lag:
    description:
      - Largest lag of each single partition, in records. Only with O(until=lag) and O(until=barrier).
      - Use V(1) for a topic that is written by transactions and then idle, if the application commits the offset after its last
        record. The marker after a transaction takes an offset, and no record ever moves the commit beyond it.
    type: int
  barrier:
    description:
      - Marks to reach, for example RV(barrier) of an earlier run in check mode. Only with O(until=barrier).
      - By default the ends of the logs at the first poll.
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
        description: Next offset to process when everything before the mark is processed.
        type: int
        required: true
  polls:
    description:
      - Polls in a row that must show the same committed offsets, after the one that showed them first. Used with
        O(until=stable).
      - O(polls) times O(sleep) must be longer than the consumers' commit interval (C(auto.commit.interval.ms), 5 seconds by
        default), or an active group seems to have stopped.
    type: int
    default: 10
  topics:
    description:
      - Topics whose lag counts. Not used with O(until=empty).
      - By default those of O(barrier), or all topics for which the group has a committed offset or its members own a
        partition.
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
    description:
      - Seconds after which to fail.
      - A poll that Kafka does not answer may end up to O(default_api_timeout_ms) later.
    type: float
    default: 300.0
  appear_timeout:
    description:
      - Seconds after which to fail when Kafka did not know the group at any poll, because its name is probably misspelt. The last
        poll is at their end. Time in which polls failed does not count.
      - Raise it, to O(timeout) at most, for a group whose first consumer is still to start.
    type: float
    default: 5.0
  sleep:
    description: Seconds between two polls.
    type: float
    default: 1.0
  progress:
    description:
      - Seconds between two progress lines; the first one comes after at most 3 seconds. 0 for none.
      - Each line costs about 0.1 seconds of a processor, and half a second if Ansible has to pack and start the module again. It
        does not affect the result.
    type: float
    default: 10.0
  _slice:
    description:
      - Internal. How long this process waits, and where the previous one ended; set by the action plugin.
    type: dict
notes:
  - The progress lines come from an action plugin of the same name. With C(async) the module waits in one go, without them.
seealso:
  - module: streamops.bluegreen.kafka_group_offsets_info
  - module: streamops.bluegreen.consumer_pause
"""

EXAMPLES = r"""
- name: Wait until blue is at most 1000 records behind, and no partition more than 200
  streamops.bluegreen.kafka_lag_wait:
    bootstrap_servers: [kafka-0.kafka:9092]
    group_id: cc_order_prod_blue
    max_lag: 1000
    max_partition_lag: 200
    timeout: 600

- name: Wait until blue has processed everything that exists now, while producers keep writing
  streamops.bluegreen.kafka_lag_wait:
    group_id: cc_order_prod_blue
    until: barrier

- name: Record the ends of the logs before maintenance
  streamops.bluegreen.kafka_lag_wait:
    group_id: cc_order_prod_blue
    until: barrier
  check_mode: true
  register: before

- name: Wait until the paused group no longer commits
  streamops.bluegreen.kafka_lag_wait:
    group_id: cc_order_prod_blue
    until: stable
    polls: 10

- name: Wait until the last consumer of green has left
  streamops.bluegreen.kafka_lag_wait:
    group_id: cc_order_prod_green
    until: empty
    timeout: 60

- name: Wait for a group whose first consumer is being deployed
  streamops.bluegreen.kafka_lag_wait:
    group_id: cc_order_prod_green
    timeout: 600
    appear_timeout: 120

- name: Wait until blue has processed what existed before the maintenance
  streamops.bluegreen.kafka_lag_wait:
    group_id: cc_order_prod_blue
    until: barrier
    barrier: "{{ before.barrier }}"
    timeout: 120
  register: caught_up
  failed_when: caught_up is failed and caught_up.remaining is none
"""

RETURN = r"""
satisfied:
  description: Whether the last poll showed what was waited for. V(false) only in check mode or on a failure.
  returned: always, also when the module fails on a timeout
  type: bool
  sample: true
elapsed:
  description: Seconds from the first poll to the last, on a monotonic clock.
  returned: always, also when the module fails on a timeout
  type: float
  sample: 12.048
remaining:
  description:
    - Records until satisfied, V(none) if unknown, and with O(until=stable) and O(until=empty).
  returned: always, also when the module fails on a timeout; as last seen
  type: int
  sample: 0
rate:
  description:
    - Records the group processed per second over the last 30 seconds, by its committed offsets; never negative.
    - V(none) after a single poll, and if no committed offset is known.
  returned: always, also when the module fails on a timeout
  type: float
  sample: 1204.3
estimated_seconds:
  description:
    - Seconds until satisfied at the rate of the last 30 seconds.
    - V(none) if unknown, or if the group makes no progress.
  returned: always, also when the module fails on a timeout
  type: float
  sample: 0.0
unchanged_polls:
  description: Polls in a row, up to the last one, that showed the committed offsets of the poll before.
  returned: always, also when the module fails on a timeout
  type: int
  sample: 0
barrier:
  description: Marks waited for with O(until=barrier), sorted by topic and partition; V(none) otherwise.
  returned: always, also when the module fails on a timeout
  type: list
  elements: dict
  contains:
    topic: {description: Topic., type: str, returned: always, sample: order-events}
    partition: {description: Partition number., type: int, returned: always, sample: 0}
    offset: {description: The mark., type: int, returned: always, sample: 1234}
not_in_barrier:
  description: Partitions seen by the last poll that have no mark because they were added after the marks were set, sorted.
  returned: always, also when the module fails on a timeout
  type: list
  elements: dict
  contains:
    topic: {description: Topic., type: str, returned: always, sample: order-events}
    partition: {description: Partition number., type: int, returned: always, sample: 12}
history:
  description:
    - What the polls showed, oldest first, for a plot. At most 200; in a longer wait the older ones are thinned out.
    - The difference of two C(processed) divided by that of C(elapsed) is the rate.
  returned: always, also when the module fails on a timeout
  type: list
  elements: dict
  contains:
    elapsed: {description: Seconds since the first poll., type: float, returned: always, sample: 1.004}
    members: {description: Members of the group., type: int, returned: always, sample: 4}
    lag: {description: "Total lag to the end of the log, V(none) when unknown.", type: int, returned: always, sample: 1250}
    remaining: {description: As RV(remaining) at that poll., type: int, returned: always, sample: 250}
    processed:
      description: Records by which the committed offsets grew since the first poll.
      type: int
      returned: always
      sample: 1204
    produced:
      description: Offsets by which the logs grew since the first poll.
      type: int
      returned: always
      sample: 998
attempts:
  description: Number of polls.
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
        - Source is Kafka's C(OffsetFetch). For a partition in RV(pending) it is the last one that was decided.
      type: int
      returned: always
      sample: 1192
    leader_epoch: {description: "Leader epoch stored with it, V(-1) when unknown.", type: int, returned: always, sample: 5}
    metadata: {description: Text stored with it., type: str, returned: always, sample: ""}
    log_start_offset: {description: "First offset that can be read, from Kafka's C(ListOffsets).", type: int, returned: always, sample: 0}
    log_end_offset: {description: "End of the log, see O(isolation_level).", type: int, returned: always, sample: 1234}
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
  returned: always, also when the module fails on a timeout; as last seen
  type: int
  sample: 42
pending:
  description: Partitions with an offset that is part of an open transaction, sorted. Empty with O(until=empty).
  returned: always, also when the module fails on a timeout; as last seen
  type: list
  elements: dict
  contains:
    topic: {description: Topic., type: str, returned: always, sample: order-events}
    partition: {description: Partition number., type: int, returned: always, sample: 3}
pending_transactions:
  description:
    - The transactions that may hold these offsets, as M(streamops.bluegreen.kafka_group_offsets_info) returns them.
    - V(none) if they could not be read, which requires C(Describe) and C(Read) on the topic C(__consumer_offsets).
  returned: when the module fails on a timeout while RV(pending) is not empty, and the last poll did not fail
  type: list
  elements: dict
open_transactions:
  description:
    - Transactions that are open on the partitions. With O(isolation_level=read_committed) the end of the log is before them.
    - V(none) if they could not be read, which requires C(Read) on the topics.
  returned: when the module fails on a timeout with O(isolation_level=read_committed), and the last poll did not fail
  type: list
  elements: dict
  contains:
    topic: {description: Topic., type: str, returned: always, sample: order-events}
    partition: {description: Partition number., type: int, returned: always, sample: 0}
    producer_id: {description: Id of the producer., type: int, returned: always, sample: 4001}
    producer_epoch: {description: Epoch of the producer., type: int, returned: always, sample: 0}
    start_offset: {description: First record of the transaction in this partition., type: int, returned: always, sample: 1230}
    age:
      description: Seconds since its last record, by that record's timestamp; V(none) when unknown.
      type: int
      returned: always
      sample: 1204
faults:
  description: Every fault of the input.
  returned: when the input is invalid
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.argspec import kafka_argument_spec
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.kafka_wiring import build_ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module import Module
from ansible_collections.streamops.bluegreen.plugins.module_utils._ansible.module_end import run
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.wait_goal import UNTIL, Goal
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.wait_lag import LagRequest, wait_lag


def goal(params: t.Mapping[str, t.Any]) -> Goal:
    """What is waited for."""
    marks = params["barrier"]
    if marks is not None:
        marks = {TopicPartition(mark["topic"], mark["partition"]): mark["offset"] for mark in marks}
    return Goal(params["until"], params["max_lag"], params["max_partition_lag"], marks, params["polls"])


def use_case(module: AnsibleModule) -> dict[str, t.Any]:
    """One call of the use case."""
    params = module.params
    part = params["_slice"] or {}
    request = LagRequest(
        group_id=params["group_id"],
        goal=goal(params),
        topics=tuple(params["topics"] or ()),
        read_committed=params["isolation_level"] == "read_committed",
        timeout=params["timeout"],
        sleep=params["sleep"],
        appear_timeout=params["appear_timeout"],
        slice=part.get("seconds"),
        state=part.get("resume"),
    )
    ports = build_ports(params)
    return wait_lag(ports.kafka, ports.clock, request, check=module.check_mode)


def main() -> None:
    """Entry point of the module."""
    mark = {
        "topic": {"type": "str", "required": True},
        "partition": {"type": "int", "required": True},
        "offset": {"type": "int", "required": True},
    }
    module = Module(
        argument_spec=kafka_argument_spec(
            group_id={"type": "str", "required": True},
            until={"type": "str", "choices": list(UNTIL), "default": "lag"},
            max_lag={"type": "int"},
            max_partition_lag={"type": "int"},
            barrier={"type": "list", "elements": "dict", "options": mark},
            polls={"type": "int", "default": 10},
            topics={"type": "list", "elements": "str"},
            isolation_level={
                "type": "str",
                "choices": ["read_uncommitted", "read_committed"],
                "default": "read_uncommitted",
            },
            timeout={"type": "float", "default": 300.0},
            sleep={"type": "float", "default": 1.0},
            appear_timeout={"type": "float", "default": 5.0},
            progress={"type": "float", "default": 10.0},
            # Only the action plugin sets it: wait this many seconds at most, going on where the slice before ended.
            _slice={"type": "dict"},
        ),
        supports_check_mode=True,
    )
    run(module, lambda: use_case(module))


if __name__ == "__main__":
    main()
