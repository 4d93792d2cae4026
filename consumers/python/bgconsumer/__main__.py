"""Run one pod: ``python3 -m bgconsumer``."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time

from confluent_kafka import Producer

from bgconsumer import http_api
from bgconsumer.config import Config, ConfigError, load
from bgconsumer.confluent_client import ConfluentMember, consumer_config
from bgconsumer.contract import Contract
from bgconsumer.faults import FaultyProcessor, StuckMember
from bgconsumer.ledger import Entry, Ledger, producer_config
from bgconsumer.record import ConfigMapSource, FileSource, RecordReader
from bgconsumer.status import timestamp
from bgconsumer.worker import Worker

SHUTDOWN_SECONDS = 25.0  # below the usual terminationGracePeriodSeconds of 30
STUCK_SECONDS = 120.0


def log(message: str, **fields: object) -> None:
    """One JSON line on standard output."""
    print(json.dumps({"time": timestamp(time.time()), "message": message, **fields}), flush=True)


def make_worker(config: Config, contract: Contract) -> Worker:
    """The consumer thread with its real Kafka clients."""
    client_id = f"{config.app}-{config.colour}/{config.pod}"
    security = config.kafka_security
    member = ConfluentMember({**consumer_config(config.bootstrap, config.group, client_id), **security}, config.topics)
    producer = Producer({**producer_config(config.bootstrap, client_id), **security})
    entry = Entry(colour=config.colour, pod=config.pod)
    ledger = Ledger(producer, config.ledger_topic, entry, config.processing_seconds)
    fault = config.fault
    if fault is None:
        return Worker(contract, member, ledger)
    log("a version with a fault on purpose", fault=fault.kind, amount=fault.amount, after=fault.after)
    held = StuckMember(member, int(fault.amount)) if fault.kind == "stuck" else member
    return Worker(contract, held, FaultyProcessor(ledger, fault))


def health(worker: Worker | None) -> str | None:
    """What is wrong with the process, `None` when nothing is."""
    if worker is None:
        return None
    age = time.monotonic() - worker.last_step
    if not worker.is_alive():
        return f"the consumer thread has ended: {worker.failure or 'stopped'}"
    return f"the consumer thread has been stuck for {age:.0f} s" if age > STUCK_SECONDS else None


def run(config: Config) -> int:
    """Serve until SIGTERM or SIGINT; 0 after a clean drain, 1 when the consumer failed."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    contract = Contract(config.colour, config.hot_standby and config.kafka_enabled, config.lease_seconds)
    source = (
        FileSource(config.record_file)
        if config.record_file
        else ConfigMapSource(config.api_server, config.namespace, f"{config.app}-active-version")
    )
    worker = make_worker(config, contract) if config.kafka_enabled else None
    server = http_api.serve(http_api.Api(config, contract, lambda: health(worker)), config.http_port)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    RecordReader(contract, config.colour, source, log).start()
    log("started", colour=config.colour, group=config.group, port=server.server_address[1])
    if worker is None:
        stop.wait()
        return 0
    worker.start()
    seen = ""
    while worker.is_alive() and not stop.wait(0.2):
        seen = report_changes(contract, seen)
    worker.stop(within=SHUTDOWN_SECONDS)
    worker.join(SHUTDOWN_SECONDS + 3)
    report_changes(contract, seen)
    if worker.failure or worker.is_alive():
        log("consumer failed", error=repr(worker.failure) if worker.failure else "did not stop in time")
        return 1
    log("stopped: drained, committed, left the group")
    return 0


def report_changes(contract: Contract, seen: str) -> str:
    """Log the state when it differs from the text of the last call; returns the text now."""
    now = contract.snapshot()
    text = f"{now.state} epoch {now.epoch}, {now.view.member_state}, {len(now.view.partitions)} partitions"
    if text != seen:
        log(text, error=now.view.last_error)
    return text


def main() -> int:
    """Check the environment, then `run`; 2 when the environment is wrong."""
    try:
        config = load(os.environ)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return run(config)


if __name__ == "__main__":
    sys.exit(main())
