# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the streamops.bluegreen collection: no promise is made about names in this file.

"""A dialect: checked whole, filled in for a target, and what an answer shows in it. No I/O."""

from __future__ import annotations

import re
import traceback
import typing as t
from dataclasses import dataclass, field
from urllib.parse import quote

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import MissingLibraryError
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.dialects import CUSTOM, PASSING, STATES
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods.http import HttpCall

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PATH = re.compile(r"^(/[A-Za-z0-9._~:@!$&'()*+,;=%/{}?-]*)?\Z")
_FIELD = re.compile(r"{(\w*)}")
_KEYS = ("status", "states", "evidence", "idle", "commands_to", "retry_on")
_OWN_KEYS = ("port", "base_path", "targets", "rows", "hint", "weakness")
"""Only in the rows of DIALECTS."""


class Expression(t.Protocol):
    """A compiled JMESPath expression."""

    def search(self, value: t.Any) -> t.Any: ...


@dataclass(frozen=True)
class DialectState:
    """How a state is asked for, and what in the answer shows it (None: nothing does)."""

    requests: tuple[HttpCall, ...]
    when: Expression | None = None


@dataclass(frozen=True)
class Dialect:
    """A checked dialect. Paths and bodies may hold {target} and {epoch}.

    status: the request that reads; None where the pods can't be asked. idle: true for a pod that holds no partitions and
    therefore never says that it is paused. to_one: a command to one pod counts for all. passing: refusals that may pass. rows: keys
    of which the first that a row of the answer has names its target.
    """

    name: str
    states: t.Mapping[str, DialectState]
    status: HttpCall | None = None
    port: int = 8080
    base_path: str = "/actuator/kafka"
    targets: str = ""
    evidence: Expression | None = None
    idle: Expression | None = None
    to_one: bool = False
    passing: frozenset[int] = PASSING
    rows: tuple[str, ...] = ()
    hint: str = ""
    weakness: str = "proves nothing beyond what its expression reads"
    fields: frozenset[str] = field(default_factory=frozenset)


def parse_dialect(name: str, raw: t.Mapping[str, t.Any]) -> tuple[Dialect, list[str]]:
    """The dialect and everything that is wrong with it. Raises MissingLibraryError without the library jmespath."""
    reader = _Reader()
    status = reader.request("status", raw["status"], "GET") if raw.get("status") else None
    found = raw.get("states")
    if not isinstance(found, dict) or not found:
        reader.fault("states", f"is {found!r}; it must say for paused, running or stopped which requests ask for it")
        found = {}
    states = {key: reader.state(f"states.{key}", value, status is not None) for key, value in found.items()}
    for key in sorted(set(raw).difference(_KEYS, () if name == CUSTOM else _OWN_KEYS)):
        reader.fault(key, f"is unknown; known are {', '.join(_KEYS)}")
    for key in sorted(set(states) - set(STATES)):
        reader.fault(f"states.{key}", f"is unknown; known are {', '.join(STATES)}")
    if raw.get("commands_to", "all") not in ("all", "one"):
        reader.fault("commands_to", f"is {raw['commands_to']!r}; it must be all or one")
    dialect = Dialect(
        name=name,
        states=states,
        status=status,
        port=raw.get("port", 8080),
        base_path=str(raw.get("base_path", "/actuator/kafka")),
        targets=str(raw.get("targets") or ""),
        evidence=reader.expression("evidence", raw.get("evidence")),
        idle=reader.expression("idle", raw.get("idle")),
        to_one=raw.get("commands_to") == "one",
        passing=PASSING | reader.codes("retry_on", raw.get("retry_on") or ()),
        rows=tuple(raw.get("rows") or ()),
        hint=str(raw.get("hint") or ""),
        weakness=str(raw.get("weakness") or Dialect.weakness),
        fields=frozenset(reader.fields),
    )
    return dialect, reader.faults


class _Reader:
    """Reads a dialect and remembers every fault."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.fields: set[str] = set()

    def fault(self, where: str, text: str) -> None:
        self.faults.append(f"custom_dialect.{where} {text}")

    def request(self, where: str, raw: t.Any, method: str = "POST") -> HttpCall:
        if not isinstance(raw, dict):
            self.fault(where, f"is {raw!r}; it must be a dictionary with method, path and body")
            return HttpCall(method, "")
        for key in sorted(set(raw) - {"method", "path", "body"}):
            self.fault(f"{where}.{key}", "is unknown; known are method, path and body")
        call = HttpCall(str(raw.get("method") or method).upper(), str(raw.get("path") or ""), raw.get("body"))
        if call.method not in METHODS:
            self.fault(f"{where}.method", f"is {call.method!r}; it must be one of {', '.join(METHODS)}")
        if not _PATH.match(call.path):
            self.fault(f"{where}.path", f"is {call.path!r}; it must begin with '/' and hold no blanks")
        for name in sorted(set(_fields(call.path)) | set(_fields(call.body))):
            self.fields.add(name)
            if name not in ("target", "epoch"):
                self.fault(where, f"holds the field {{{name}}}; known are {{target}} and {{epoch}}")
        return call

    def state(self, where: str, raw: t.Any, readable: bool) -> DialectState:
        if not isinstance(raw, dict):
            self.fault(where, f"is {raw!r}; it must be a dictionary with requests and when")
            return DialectState(())
        for key in sorted(set(raw) - {"requests", "when"}):
            self.fault(f"{where}.{key}", "is unknown; known are requests and when")
        if readable and not raw.get("when"):
            self.fault(f"{where}.when", "is missing; it is a JMESPath expression that is true in this state")
        if not readable and raw.get("when"):
            self.fault(f"{where}.when", "has nothing to read without status; say which request reads the state")
        requests = raw.get("requests") or []
        if not isinstance(requests, (list, tuple)):
            self.fault(f"{where}.requests", f"is {requests!r}; it must be a list of requests")
            requests = []
        calls = [self.request(f"{where}.requests[{number}]", item) for number, item in enumerate(requests)]
        return DialectState(tuple(calls), self.expression(f"{where}.when", raw.get("when")))

    def expression(self, where: str, text: t.Any) -> Expression | None:
        if not text:
            return None
        try:
            import jmespath
        except ImportError:
            raise MissingLibraryError("jmespath", traceback.format_exc()) from None
        try:
            return t.cast(Expression, jmespath.compile(str(text)))
        except jmespath.exceptions.JMESPathError as error:
            self.fault(where, f"is {text!r}, which is not a JMESPath expression: {' '.join(str(error).split())}")
            return None

    def codes(self, where: str, raw: t.Any) -> frozenset[int]:
        if not isinstance(raw, (list, tuple)) or not all(isinstance(code, int) and 400 <= code <= 499 for code in raw):
            self.fault(where, f"is {raw!r}; it must be a list of HTTP codes from 400 to 499")
            return frozenset()
        return frozenset(raw)


def _fields(template: t.Any) -> list[str]:
    if isinstance(template, str):
        return _FIELD.findall(template)
    if isinstance(template, dict):
        return [name for value in template.values() for name in _fields(value)]
    if isinstance(template, (list, tuple)):
        return [name for value in template for name in _fields(value)]
    return []


def filled(call: HttpCall, target: str, epoch: int | None) -> HttpCall:
    """The request for one target."""
    values: dict[str, t.Any] = {"target": target, "epoch": epoch}
    path = _FIELD.sub(lambda found: quote(str(values[found[1]]), safe=""), call.path)
    return HttpCall(call.method, path, _fill(call.body, values), call.headers)


def _fill(template: t.Any, values: t.Mapping[str, t.Any]) -> t.Any:
    if isinstance(template, str):
        whole = _FIELD.fullmatch(template)
        # A number stays a number where the field is all there is.
        return values[whole[1]] if whole else _FIELD.sub(lambda found: str(values[found[1]]), template)
    if isinstance(template, dict):
        return {key: _fill(value, values) for key, value in template.items()}
    if isinstance(template, (list, tuple)):
        return [_fill(value, values) for value in template]
    return template


def of_target(dialect: Dialect, answer: t.Any, target: str) -> t.Any:
    """What an answer says of one target."""
    if not dialect.rows:
        return answer
    rows = answer if isinstance(answer, list) else []
    return [row for row in rows if isinstance(row, dict) and _name_of(row, dialect.rows) == target]


def _name_of(row: t.Mapping[str, t.Any], keys: t.Iterable[str]) -> t.Any:
    """Whose row of an answer it is: what the first of the keys says that it has."""
    return next((row[key] for key in keys if row.get(key)), None)


def state_in(dialect: Dialect, answer: t.Any, wanted: str) -> tuple[str, str]:
    """The state an answer shows (the wanted one is looked for first), or an empty one and why.

    Only ``true`` counts: what is missing is never read as good.
    """
    for name in (wanted, *STATES):
        state = dialect.states.get(name)
        if state is None or state.when is None:
            continue
        found, why = evaluate(state.when, answer)
        if why:
            return "", f"the expression for {name} fails on its answer: {why}"
        if found is True:
            return name, ""
        if found not in (False, None):
            return "", f"the expression for {name} must say true or false, and said {found!r}"
    hint = f" ({dialect.hint})" if dialect.hint and isinstance(answer, list) and len(answer) > 1 else ""
    return "", f"its answer shows none of the states {', '.join(dialect.states)}{hint}"


def evaluate(expression: Expression, answer: t.Any) -> tuple[t.Any, str]:
    """What the expression finds, and why it can't be applied (empty when it can)."""
    import jmespath

    try:
        return expression.search(answer), ""
    except jmespath.exceptions.JMESPathError as error:
        return None, " ".join(str(error).split())
