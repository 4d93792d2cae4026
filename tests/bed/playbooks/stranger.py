# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A consumer that is none of the application's pods: a process of its own, also in the network of one of the pods.

Says on standard output each time it is given partitions or loses them: ``{"event", "member", "partitions"}``, a JSON line each.
It commits nothing unless told to, so what it reads is read again by those it belongs to.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from typing import Any

from confluent_kafka import Consumer


def say(event: str, consumer: Consumer, partitions: list[Any]) -> None:
    line = {"event": event, "member": consumer.memberid(), "partitions": len(partitions)}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """Settings of librdkafka. The consumer protocol leaves session, heartbeat and assignor to the broker."""
    settings: dict[str, Any] = {
        "bootstrap.servers": options.bootstrap,
        "group.id": options.group,
        "client.id": options.client,
        "group.protocol": options.protocol,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": options.commit,
    }
    if options.protocol == "classic":
        settings["session.timeout.ms"] = 45_000
        settings["heartbeat.interval.ms"] = options.heartbeat
        settings["partition.assignment.strategy"] = "range"
    return settings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "group", "client", "topics"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--protocol", default="classic", choices=["classic", "consumer"])
    parser.add_argument("--heartbeat", type=int, default=3000, help="milliseconds")
    parser.add_argument("--commit", action="store_true")
    options = parser.parse_args()
    ended: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: ended.append(received))
    consumer = Consumer(settings_of(options))
    consumer.subscribe(
        options.topics.split(","),
        on_assign=lambda its, partitions: say("assigned", its, partitions),
        on_revoke=lambda its, partitions: say("revoked", its, partitions),
        on_lost=lambda its, partitions: say("lost", its, partitions),
    )
    while not ended:
        consumer.poll(0.2)
    consumer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
