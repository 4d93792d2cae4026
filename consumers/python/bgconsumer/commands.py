"""Commands of the contract: JSON bodies checked and turned into values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bgconsumer.model import ContractError, Handoff, TopicPartition

MAX_WAIT_MS = 60_000
DEFAULT_WAIT_MS = 1_000  # enough for everything but a drain of slow records or joining a group
NAMES = ("pause", "prepare", "activate", "resume", "fence")


@dataclass(frozen=True)
class Command:
    """One checked command; fields a command does not use keep their defaults."""

    name: str
    epoch: int
    wait_ms: int = 0
    leave_group: bool = False
    standby: str = "hot"
    offsets: Handoff = field(default_factory=dict)


def parse(name: str, body: object, header_epoch: str | None) -> Command:
    """Check one command; raise `ContractError` (400) that says what is wrong with which field."""
    if not isinstance(body, Mapping):
        raise _bad(f"{name}: body must be a JSON object")
    command = Command(
        name=name,
        epoch=_epoch(name, body, header_epoch),
        wait_ms=_whole(name, body, "waitMs", DEFAULT_WAIT_MS, MAX_WAIT_MS),
        leave_group=_flag(name, body, "leaveGroup"),
        standby=_choice(name, body, "standby", ("hot", "cold")),
        offsets=_offsets(name, body.get("offsets")),
    )
    if name == "pause":
        _choice(name, body, "mode", ("drain",))
    return command


def _bad(message: str) -> ContractError:
    return ContractError(400, "bad_request", message)


def _epoch(name: str, body: Mapping[str, object], header: str | None) -> int:
    value = body.get("epoch")
    if header is not None:
        if not header.isascii() or not header.isdigit():
            raise _bad(f"{name}: header X-BG-Epoch is {header!r}, expected a whole number")
        if value is None:
            value = int(header)
        elif value != int(header):
            raise _bad(f"{name}: header X-BG-Epoch is {header}, body says epoch {value!r}")
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _bad(f"{name}: epoch is {value!r}, expected a whole number of at least 0")
    return value


def _whole(name: str, body: Mapping[str, object], key: str, default: int, most: int) -> int:
    value = body.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise _bad(f"{name}: {key} is {value!r}, expected 0 to {most}")
    return value


def _flag(name: str, body: Mapping[str, object], key: str) -> bool:
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise _bad(f"{name}: {key} is {value!r}, expected true or false")
    return value


def _choice(name: str, body: Mapping[str, object], key: str, allowed: tuple[str, ...]) -> str:
    value = body.get(key, allowed[0])
    if value not in allowed:
        raise _bad(f"{name}: {key} is {value!r}, expected {' or '.join(allowed)}")
    return str(value)


def _offsets(name: str, value: object) -> Handoff:
    """Turn ``{"topic": {"0": 1234}}`` into offsets by partition. Offsets may be decimal strings (> 2^53)."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _bad(f"{name}: offsets must be an object of topics")
    offsets: dict[TopicPartition, int] = {}
    for topic, partitions in value.items():
        if not isinstance(partitions, Mapping):
            raise _bad(f"{name}: offsets of topic {topic} must be an object of partitions")
        for partition, offset in partitions.items():
            offsets[TopicPartition(str(topic), _number(name, topic, "partition", partition))] = _number(
                name, topic, f"offset of partition {partition}", offset
            )
    return offsets


def _number(name: str, topic: object, what: str, value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise _bad(f"{name}: topic {topic}: {what} is {value!r}, expected a whole number of at least 0")
