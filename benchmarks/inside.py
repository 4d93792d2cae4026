# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One copy by the use case of kafka_group_offsets, timed from its first connection to its result; counts the requests."""

from __future__ import annotations

import gc
import json
import sys
import time
import typing as t
from collections import Counter

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.connection import KafkaConnection
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.system import SystemClock, ThreadParallel
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.offset_request import OffsetRequest
from ansible_collections.streamops.bluegreen.plugins.module_utils._ports import Ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.kafka.set_offsets import set_offsets

sent: Counter[str] = Counter()


class Counted(KafkaConnection):
    """Counts what is sent."""

    def send(self, request: t.Any, node: int | None = None) -> t.Awaitable[t.Any]:
        """As the connection does."""
        sent[request.name] += 1
        return super().send(request, node)


def main(options: dict[str, t.Any]) -> None:
    """Copy and print seconds and requests."""
    kafka = KafkaAdapter({"bootstrap_servers": options["bootstrap_servers"].split(",")})
    kafka._kafka.__class__ = Counted  # noqa: SLF001 - the same object, counting
    nothing: t.Any = None
    ports = Ports(kafka=kafka, cluster=nothing, consumers=nothing, clock=SystemClock(), parallel=ThreadParallel())
    request = OffsetRequest(options["group_id"], from_group=options["from_group"], allow_create=True)
    began = time.perf_counter()
    result = set_offsets(ports, request)
    seconds = time.perf_counter() - began
    print(
        json.dumps(
            {"seconds": seconds, "requests": sum(sent.values()), "by_name": sent, "n": result["changed_partitions"]}
        )
    )


if __name__ == "__main__":
    gc.disable()  # as the module does
    main(json.loads(sys.argv[1]))
