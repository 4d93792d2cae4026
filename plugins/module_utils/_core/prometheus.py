# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""How a Prometheus server is reached, checked whole, and what it can answer to an instant query. No I/O."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, urlsplit

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.headers import UNSENDABLE, sendable

VALUE, EMPTY, SEVERAL, ERROR, TIMEOUT, GARBAGE = "value", "empty", "several", "error", "timeout", "garbage"
FAILED = (SEVERAL, ERROR, TIMEOUT, GARBAGE)
"""Answers that say nothing of what was asked for, whatever that is."""
FINAL = (400, 401, 403, 404, 405, 422)
"""HTTP codes that the same query gets again."""
NO_GO, WARN = ON_NO_ANSWER = ("no-go", "warn")
SHOWN = 300
"""Characters of a foreign text that a message repeats."""


@dataclass(frozen=True)
class Answer:
    """kind: one of those above. value: of the one series, NaN and infinite included.

    said: what was wrong. again: whether asking once more may help. warned: what the server warns of, as one does whose answer is
    only a part of it.
    """

    kind: str
    value: float | None = None
    said: str = ""
    again: bool = False
    warned: str = ""


def read_answer(status: int, body: bytes, location: str = "") -> Answer:
    """What the server's HTTP answer says. location: where a redirect leads."""
    if 300 <= status < 400:
        return Answer(ERROR, said=f"HTTP {status}: it redirects to {without_userinfo(location) or 'somewhere else'}")
    parsed = _parsed(body)
    if isinstance(parsed, dict) and parsed.get("status") == "error":
        said = f"HTTP {status}, {parsed.get('errorType') or 'error'}: {_shown(parsed.get('error') or 'no reason')}"
        return Answer(ERROR, said=said, again=status not in FINAL, warned=_warnings(parsed))
    if status != 200:
        return Answer(ERROR, said=f"HTTP {status}: {_shown(body) or 'nothing'}", again=status not in FINAL)
    try:
        return replace(_result(parsed), warned=_warnings(parsed))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return Answer(GARBAGE, said=f"no answer of a Prometheus: {_shown(body) or 'nothing'}", again=True)


def _parsed(body: bytes) -> t.Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _warnings(parsed: t.Mapping[str, t.Any]) -> str:
    warnings = parsed.get("warnings") or []
    return "; ".join(map(str, warnings))[:SHOWN] if isinstance(warnings, list) else _shown(warnings)


def _result(parsed: t.Any) -> Answer:
    if parsed["status"] != "success":
        raise ValueError(parsed["status"])
    kind, result = parsed["data"]["resultType"], parsed["data"]["result"]
    if kind == "scalar":
        return Answer(VALUE, float(result[1]))
    if kind != "vector":
        return Answer(ERROR, said=f"the query gives a {kind}, and one number is wanted")
    if not result:
        return Answer(EMPTY)
    if len(result) > 1:
        named = ", ".join(json.dumps(one["metric"]) for one in result[:2])
        return Answer(SEVERAL, said=f"{len(result)} series, among them {named[:SHOWN]}")
    if "value" not in result[0]:
        return Answer(ERROR, said="the query gives a histogram, and one number is wanted")
    return Answer(VALUE, float(result[0]["value"][1]))


def _shown(text: t.Any) -> str:
    words = text[: 4 * SHOWN].decode(errors="replace") if isinstance(text, bytes) else str(text)
    return re.sub(r"[\x00-\x1f\x7f]+", " ", words).strip()[:SHOWN]


# --- how it is reached -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prometheus:
    """url: up to what stands before /api/v1. timeout: seconds for an answer. max_age: seconds that a sample may be old.

    matchers: of labels, for every selector of the presets. on_no_answer: what a server that is away means at the end of a bake.
    """

    url: str
    ca_cert: str = ""
    validate_certs: bool = True
    token: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 10.0
    max_age: float = 150.0
    matchers: str = ""
    on_no_answer: str = NO_GO

    @property
    def exposes(self) -> str:
        """The name of the secret that goes over the network unencrypted, or empty."""
        host = (urlsplit(self.url).hostname or "") if self.url.startswith("http:") else "localhost"
        if host in ("localhost", "::1") or host.startswith("127."):
            return ""
        return "token" if self.token else "password" if self.password else ""


KEYS = (
    *("url", "ca_cert", "validate_certs", "token", "user", "password"),
    *("timeout", "max_age", "matchers", "on_no_answer"),
)
_MATCHER = r"""[A-Za-z_][A-Za-z0-9_]*\s*(?:=~|!~|!=|=)\s*(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
_MATCHERS = re.compile(rf"\s*{_MATCHER}(?:\s*,\s*{_MATCHER})*\s*\Z")


def parse_prometheus(raw: t.Mapping[str, t.Any]) -> tuple[Prometheus, list[str]]:
    """The option ``prometheus``, and all that is wrong with it."""
    faults = [
        f"prometheus.{key} is unknown; known are {', '.join(KEYS)}" for key in sorted(map(str, set(raw) - set(KEYS)))
    ]
    given = {key: str(raw.get(key) or "") for key in ("url", "ca_cert", "token", "user", "password")}
    checked = raw.get("validate_certs")
    url, wrong = _url(given["url"])
    faults += wrong
    if given["token"] and (given["user"] or given["password"]):
        faults.append("prometheus.token and prometheus.user exclude each other")
    elif bool(given["user"]) != bool(given["password"]):
        faults.append("prometheus.user and prometheus.password belong together; give both or none")
    if ":" in given["user"]:
        faults.append("prometheus.user holds a ':', which can't be sent: the password would begin there")
    if not sendable(given["token"]):
        faults.append(f"prometheus.token {UNSENDABLE}")
    if given["ca_cert"] and not url.startswith("https:") and not wrong:
        faults.append("prometheus.ca_cert has no effect with an http URL; set prometheus.url to https")
    elif given["ca_cert"] and checked is False:
        faults.append("prometheus.ca_cert has no effect with prometheus.validate_certs false")
    timeout, max_age = (_seconds(raw, key, most, faults) for key, most in (("timeout", 60), ("max_age", 86_400)))
    matchers = _matchers(raw.get("matchers"), faults)
    on_no_answer = str(raw.get("on_no_answer") or NO_GO)
    if on_no_answer not in ON_NO_ANSWER:
        faults.append(f"prometheus.on_no_answer is {on_no_answer!r}; it must be one of {', '.join(ON_NO_ANSWER)}")
    return (
        Prometheus(
            url,
            given["ca_cert"],
            True if checked is None else bool(checked),
            given["token"],
            given["user"],
            given["password"],
            timeout,
            max_age,
            matchers,
            on_no_answer,
        ),
        faults,
    )


def _seconds(raw: t.Mapping[str, t.Any], key: str, most: float, faults: list[str]) -> float:
    known = float(getattr(Prometheus, key))
    value = raw.get(key)
    try:
        number = known if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        number = -1.0
    if not 1 <= number <= most:  # nor is what is not a number
        faults.append(f"prometheus.{key} is {value!r}; it must be a number from 1 to {most:g} seconds")
    return number


def _matchers(value: t.Any, faults: list[str]) -> str:
    if value in (None, ""):
        return ""
    if not isinstance(value, str) or not _MATCHERS.match(value):
        faults.append(
            f'prometheus.matchers is {value!r}; it must be matchers of labels like cluster="prod",job=~"kafka.*"'
        )
    elif re.search(r"\$\{?[A-Za-z_]", value):
        faults.append(
            f"prometheus.matchers is {value!r}; placeholders are not known in it, only in the queries of gates"
        )
    else:
        return value.strip()
    return ""


def _url(value: str) -> tuple[str, list[str]]:
    """The URL without a slash at its end, and what is wrong with it. Nothing of a userinfo is ever repeated."""
    if not value:
        return "", ["prometheus.url is missing; set it, or the environment variable PROMETHEUS_URL"]
    parts = _split(value)
    seen = f"prometheus.url is {without_userinfo(value)!r}"
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        return value, [f"{seen}; it must be like https://prometheus.example:9090"]
    if "@" in parts.netloc:
        return value, [f"{seen} with a user in it; give it as prometheus.user and prometheus.password"]
    if parts.query or parts.fragment or re.search(r"[^\x21-\x7e]", value):
        return value, [f"{seen}; it must be what stands before /api/v1, without a query and without a blank"]
    return value.rstrip("/"), []


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts if port != 0 else None


def without_userinfo(url: str) -> str:
    """The URL as a message may show it. What can't be read as one is not shown from its '@' backwards."""
    return re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*://)?[^/?#]*@|^.*@", r"\1", url, flags=re.DOTALL)[:SHOWN]


def userinfo_in(url: str) -> set[str]:
    """What may be a secret in front of the host of a URL, for those who hide secrets."""
    found = re.match(r"^(?:[A-Za-z][A-Za-z0-9+.-]*://)?(.*)@", url, flags=re.DOTALL)
    if not found:
        return set()
    return {part for part in (found[1], *found[1].split(":", 1)[1:]) if part}
