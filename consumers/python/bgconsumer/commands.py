"""Commands of the contract: JSON bodies checked and turned into values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bgconsumer.model import ContractError

MAX_WAIT_MS = 60_000
DEFAULT_WAIT_MS = 1_000  # enough for everything but a drain of slow records or joining a group
NAMES = ("pause", "prepare", "resume", "fence")


@dataclass(frozen=True)
class Command:
    """One checked command; fields a command does not use keep their defaults."""

    name: str
    epoch: int
    wait_ms: int = 0
    leave_group: bool = False
    standby: str = "hot"


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
