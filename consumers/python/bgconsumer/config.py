"""The pod's environment, checked as a whole before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bgconsumer.faults import Fault
from bgconsumer.faults import parse as parse_fault
from bgconsumer.kafka_security import security_settings
from bgconsumer.model import COLOURS


class ConfigError(Exception):
    """Lists every fault of the environment."""


@dataclass(frozen=True)
class Config:
    """Settings of one pod; names of the variables are in ``consumers/README.md``."""

    kafka_enabled: bool
    bootstrap: str
    group: str
    topics: list[str]
    ledger_topic: str
    colour: str
    app: str
    namespace: str
    pod: str
    pod_uid: str
    version: str
    hot_standby: bool
    lease_seconds: float
    token: str
    http_port: int
    processing_seconds: float
    record_file: Path | None
    api_server: str
    kafka_security: dict[str, str] = field(repr=False)
    fault: Fault | None = None


class _Reader:
    """Reads variables and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.faults: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        value = self._environment.get(name, "").strip()
        if not value and default is None:
            self.faults.append(f"{name} is not set")
        return value or default or ""

    def choice(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self.text(name, default)
        if value and value not in allowed:
            self.faults.append(f"{name} is {value!r}, expected {' or '.join(allowed)}")
        return value

    def number(self, name: str, default: str, least: int, most: int) -> int:
        value = self.text(name, default)
        if value.isascii() and value.isdigit() and least <= int(value) <= most:
            return int(value)
        self.faults.append(f"{name} is {value!r}, expected a whole number from {least} to {most}")
        return least

    def fault(self, name: str) -> Fault | None:
        try:
            return parse_fault(self.text(name, ""))
        except ValueError as error:
            self.faults.append(f"{name}: {error}")
            return None


def _api_server(environment: Mapping[str, str]) -> str:
    """``BG_API_SERVER``, else the address every pod is given."""
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    if ":" in host:
        host = f"[{host}]"
    default = f"https://{host}:{environment.get('KUBERNETES_SERVICE_PORT', '443')}" if host else ""
    return environment.get("BG_API_SERVER", "").rstrip("/") or default


def load(environment: Mapping[str, str]) -> Config:
    """Build the configuration or raise `ConfigError` with all faults."""
    read = _Reader(environment)
    enabled = read.choice("KAFKA_ENABLED", ("0", "1"), "1") == "1"
    kafka_default = None if enabled else "-"
    topics = [name.strip() for name in read.text("KAFKA_TOPICS", kafka_default or "").split(",") if name.strip()]
    if not topics:
        read.faults.append("KAFKA_TOPICS names no topic")
    record_file = environment.get("BG_RECORD_FILE", "")
    api_server = _api_server(environment)
    if not record_file and not api_server:
        read.faults.append("no active record: set BG_RECORD_FILE outside Kubernetes, BG_API_SERVER inside")
    lease = read.number("BG_LEASE_SECONDS", "60", 3, 3600)
    port = read.number("HTTP_PORT", "8080", 0, 65535)
    processing_ms = read.number("PROCESSING_MS", "0", 0, 60_000)
    config = Config(
        kafka_enabled=enabled,
        bootstrap=read.text("KAFKA_BOOTSTRAP_SERVERS", kafka_default),
        group=read.text("KAFKA_CONSUMER_GROUP", kafka_default),
        topics=topics,
        ledger_topic=read.text("KAFKA_LEDGER_TOPIC", kafka_default),
        colour=read.choice("BG_COLOUR", COLOURS),
        app=read.text("BG_APP"),
        namespace=read.text("BG_NAMESPACE"),
        pod=read.text("POD_NAME"),
        pod_uid=read.text("POD_UID", "-"),
        version=read.text("BG_VERSION", "-"),
        hot_standby=read.choice("BG_STANDBY", ("hot", "cold"), "hot") == "hot",
        lease_seconds=float(lease),
        token=environment.get("BG_TOKEN", ""),
        http_port=port,
        processing_seconds=processing_ms / 1000,
        record_file=Path(record_file) if record_file else None,
        api_server=api_server,
        kafka_security=security_settings(read) if enabled else {},
        fault=read.fault("BG_FAULT"),
    )
    if read.faults:
        raise ConfigError("environment: " + "; ".join(read.faults))
    return config
