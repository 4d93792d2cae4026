# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""How the control endpoint of the pods is reached: the option ``endpoint``, checked whole. No I/O."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

TRANSPORTS = ("api_proxy", "pod_ip")
SCHEMES = ("http", "https")
POD_HEADER = "X-BG-Pod"
"""Names the pod that a request is for: an address is used again, and its next owner must not obey."""
TOKEN_HEADER = "X-BG-Token"  # noqa: S105 - the name of a header

_PATH = re.compile(r"^/[A-Za-z0-9._~/-]*\Z")
_HEADER = re.compile(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_SECRET = re.compile(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")
_SECRET_KEY = re.compile(r"^[-._a-zA-Z0-9]{1,253}\Z")


@dataclass(frozen=True)
class SecretKey:
    """One value of a Secret in the application's namespace."""

    name: str
    key: str


@dataclass(frozen=True)
class Endpoint:
    """How the pods are reached.

    token or token_secret: sent as token_header. ca_file, ca_secret and server_name belong to https straight to the pod:
    the API server's proxy does not check a pod's certificate.
    """

    port: int = 8080
    base_path: str = "/actuator/kafka"
    transport: str = "api_proxy"
    token: str = field(default="", repr=False)
    scheme: str = "http"
    token_secret: SecretKey | None = None
    token_header: str = TOKEN_HEADER
    validate_certs: bool = True
    ca_file: str = ""
    ca_secret: SecretKey | None = None
    server_name: str = ""


def parse_endpoint(
    raw: t.Mapping[str, t.Any], port: int = 8080, base_path: str = "/actuator/kafka"
) -> tuple[Endpoint, list[str]]:
    """The endpoint and all that is wrong with it. port, base_path: where the option doesn't say."""
    reader = _Reader(raw)
    endpoint = Endpoint(
        port=reader.port(port),
        base_path=reader.path(base_path),
        transport=reader.choice("transport", TRANSPORTS),
        token=str(raw.get("token") or ""),
        scheme=reader.choice("scheme", SCHEMES),
        token_secret=reader.secret("token_secret", "token"),
        token_header=reader.header(),
        validate_certs=bool(True if raw.get("validate_certs") is None else raw["validate_certs"]),
        ca_file=str(raw.get("ca_file") or ""),
        ca_secret=reader.secret("ca_secret", "ca.crt"),
        server_name=str(raw.get("server_name") or ""),
    )
    reader.unknown_keys()
    return endpoint, [*reader.faults, *_contradictions(endpoint)]


def _contradictions(endpoint: Endpoint) -> list[str]:
    faults = []
    if endpoint.token and endpoint.token_secret:
        faults.append("endpoint.token and endpoint.token_secret exclude each other")
    if endpoint.ca_file and endpoint.ca_secret:
        faults.append("endpoint.ca_file and endpoint.ca_secret exclude each other")
    given = [name for name in ("ca_file", "ca_secret", "server_name") if getattr(endpoint, name)]
    if given and endpoint.scheme != "https":
        faults.append(f"endpoint.{given[0]} has no effect with scheme http; set scheme to https")
    elif given and endpoint.transport == "api_proxy":
        faults.append(
            f"endpoint.{given[0]} has no effect with transport api_proxy, because the API server does not check the "
            "certificate of a pod; use transport pod_ip"
        )
    elif given and not endpoint.validate_certs:
        faults.append(f"endpoint.{given[0]} has no effect with validate_certs false")
    if endpoint.transport == "api_proxy" and endpoint.token_header.lower() == "authorization":
        faults.append(
            "endpoint.token_header is Authorization, which the API server's proxy removes; use another header"
        )
    return faults


class _Reader:
    """Reads the options and remembers every fault."""

    KEYS = (
        "port",
        "base_path",
        "transport",
        "token",
        "scheme",
        "token_secret",
        "token_header",
        "validate_certs",
        "ca_file",
        "ca_secret",
        "server_name",
    )

    def __init__(self, raw: t.Mapping[str, t.Any]) -> None:
        self.raw = raw
        self.faults: list[str] = []

    def port(self, default: int) -> int:
        value = self.raw.get("port")
        try:
            number = int(default if value is None else value)
        except (TypeError, ValueError, OverflowError):
            number = 0
        if not 1 <= number <= 65535:
            self.faults.append(f"endpoint.port is {value!r}; it must be a whole number from 1 to 65535")
        return number

    def path(self, default: str) -> str:
        value = self.raw.get("base_path") or default
        if not _PATH.match(str(value)):
            self.faults.append(f"endpoint.base_path is {value!r}; it must begin with '/' and be a plain path")
        return str(value).rstrip("/")

    def choice(self, key: str, choices: t.Sequence[str]) -> str:
        value = self.raw.get(key) or choices[0]
        if value not in choices:
            self.faults.append(f"endpoint.{key} is {value!r}; it must be one of {', '.join(choices)}")
        return str(value)

    def header(self) -> str:
        value = str(self.raw.get("token_header") or TOKEN_HEADER)
        if not _HEADER.match(value):
            self.faults.append(f"endpoint.token_header is {value!r}; it must be the name of an HTTP header")
        return value

    def secret(self, option: str, key: str) -> SecretKey | None:
        value = self.raw.get(option)
        if not value:
            return None
        if not isinstance(value, dict):
            self.faults.append(f"endpoint.{option} is {value!r}; it must be a dictionary of name and key")
            return None
        self.faults.extend(
            f"endpoint.{option}.{unknown} is unknown; known are name and key"
            for unknown in sorted(set(value) - {"name", "key"})
        )
        found = SecretKey(str(value.get("name") or ""), str(value.get("key") or key))
        if not _SECRET.match(found.name):
            self.faults.append(f"endpoint.{option}.name is {found.name!r}; it must be the name of a Secret")
        if not _SECRET_KEY.match(found.key):
            self.faults.append(f"endpoint.{option}.key is {found.key!r}; it must be a key of a Secret")
        return found

    def unknown_keys(self) -> None:
        self.faults.extend(
            f"endpoint.{key} is unknown; known are {', '.join(self.KEYS)}"
            for key in sorted(set(self.raw) - set(self.KEYS))
        )
