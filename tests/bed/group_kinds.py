# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Members of share groups and of Kafka Streams groups, by their heartbeats: no Python client can be one.

The message schemas are those of the broker's own jar.
"""

from __future__ import annotations

import json
import re
import typing as t
import uuid
import zipfile
from pathlib import Path

from kafka.protocol.api_message import ApiMessage
from kafka.protocol.schemas.load_json import _resolve_common_structs

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.connection import KafkaConnection

_known: dict[str, t.Any] = {}


def _message(classpath: str, name: str, borrowed: str) -> t.Any:
    """A message class from a schema in the jar; borrowed: a schema of kafka-python that is replaced by it."""
    if name not in _known:
        (jar,) = Path(classpath).parent.glob("kafka-clients-*.jar")
        with zipfile.ZipFile(jar) as archive:
            text = archive.read(f"common/message/{name}.json").decode()
        schema = json.loads(re.sub(r"(?m)^\s*//.*$", "", text))
        _resolve_common_structs(schema["fields"], {s["name"]: s["fields"] for s in schema.get("commonStructs", ())})
        patch = classmethod(lambda cls, replaced: schema)
        metaclass: t.Any = type(ApiMessage)
        _known[name] = metaclass(borrowed, (ApiMessage,), {"json_patch": patch, "__module__": __name__})
        _known[name].__name__ = _known[name].__qualname__ = name
    return _known[name]


def join(bed: t.Mapping[str, str], group_id: str, kind: str, topic: str) -> t.Callable[[], None]:
    """Make a member of a ``share`` or ``streams`` group, and thereby the group; returns how to leave it."""
    connection = KafkaConnection({"bootstrap_servers": bed["KAFKA_BOOTSTRAP_SERVERS"].split(",")}, 15.0, 5.0)
    api = {"share": "ShareGroupHeartbeat", "streams": "StreamsGroupHeartbeat"}[kind]
    request = _message(bed["KAFKA_TOOLS_CLASSPATH"], f"{api}Request", "HeartbeatRequest")
    _message(bed["KAFKA_TOOLS_CLASSPATH"], f"{api}Response", "HeartbeatResponse")
    member_id = str(uuid.uuid4())

    def beat(epoch: int) -> None:
        joining: dict[str, t.Any] = {"subscribed_topic_names": [topic]} if kind == "share" else _streams(request, topic)

        async def work() -> t.Any:
            node = (await connection.coordinators([group_id]))[group_id]
            fields = joining if epoch == 0 else {"endpoint_information_epoch": 0} if kind == "streams" else {}
            return await connection.send(
                request(group_id=group_id, member_id=member_id, member_epoch=epoch, **fields), node
            )

        answer = connection.call(f"heartbeat of {group_id}", work)
        if answer.error_code:
            raise AssertionError(f"{kind} group {group_id}: error {answer.error_code} {answer.error_message}")

    def leave() -> None:
        beat(-1)
        connection.close()

    beat(0)
    return leave


def _streams(request: t.Any, topic: str) -> dict[str, t.Any]:
    subtopology = request.Topology.Subtopology(
        subtopology_id="0",
        source_topics=[topic],
        source_topic_regex=[],
        state_changelog_topics=[],
        repartition_sink_topics=[],
        repartition_source_topics=[],
        copartition_groups=[],
    )
    return {
        "endpoint_information_epoch": 0,
        "rebalance_timeout_ms": 10_000,
        "topology": request.Topology(epoch=0, subtopologies=[subtopology]),
        "active_tasks": [],
        "standby_tasks": [],
        "warmup_tasks": [],
        "process_id": "p",
        "client_tags": [],
    }
