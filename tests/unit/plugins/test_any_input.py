# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a module is given, it ends soon, with a message and without a traceback, and shows no secret.

Each case is drawn by its number, which a failing test prints; ANY_INPUT=5000 draws more of them. Brokers and API server are
a port where nobody listens, so nothing can be written, and a case that is right ends there.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import json
import os
import random
import re
import socket
import time
import traceback
import typing as t
import warnings
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters import refusal
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka import bootstrap
from ansible_collections.streamops.bluegreen.tests.unit.fakes.modules import seen_by_people

CASES = int(os.environ.get("ANY_INPUT", "100"))
"""Of each module."""
MOST_SECONDS = 120.0
"""A case takes a few tenths; a hang would take longer than any busy machine."""
SECRET = "hush-{}-hush"
HOSTILE: tuple[t.Any, ...] = (
    *("", " ", "\n", "name\n", " name", "a b", "a/b", "../..", "/", "-", "--", "~", "%", "%s", "{}", "{x}", "{{ x }}", "'", '"'),
    *("\x00", "\x7f", "\u2028", "\u202ename", "ä", "名前", "😀", "é" * 300, "x" * 300, "x" * 100_000, "a,b", "[", "*", "(?P<", "\\"),
    *("true", "no", "null", "none", "1", "-1", "0", "1.5", "1e3", "1_000", "0x10", "٣", "nan", "inf", "-inf", "99999999999999999999"),
    *(True, False, None, 0, 1, -1, 2, 1.5, -0.5, 65536, 2**31, 2**63, 10**26, -(10**26), 1e300, float("inf"), float("-inf"), float("nan")),
    *([], [""], [None], ["a", "a"], ["a", 1, True], [[]], [{}], [1, 2], list(range(300)), {}, {"": ""}, {"a": 1}, {"name": ["x"]}),
    *("blue", "green", "hot", "GO", "a", "e", "fail", "changed", "msg", "2026-01-01", "2026-13-01T00:00:00Z", "10 minutes", "::1", "a:b:c"),
)  # fmt: skip
PLAUSIBLE: dict[str, tuple[t.Any, ...]] = {
    "int": (0, 1, 3, 100, -1),
    "float": (0.1, 1, 2.5),
    "bool": (True, False, "yes"),
    "str": ("a", "order-events", "orders", "cc_order_prod_blue"),
    "path": ("/does/not/exist", "relative/file", "~/x", "/dev/null", "/"),
    "list": (["a"], ["order-events", "other"]),
    "dict": ({},),
    "raw": ("a", 3, ["a"], {"a": "b"}),
}
APPLICATION: dict[str, t.Any] = {
    "name": "order-consumer",
    "namespace": "orders",
    "topics": ["order-events"],
    "blue": {"group": "cc_blue"},
    "green": {"group": "cc_green"},
}
BASES: dict[str, dict[str, t.Any]] = {
    "bg_configmap_switch": {"name": "a", "namespace": "n", "active": "blue"},
    "bg_info": {"application": APPLICATION},
    "bg_metrics": {"application": APPLICATION, "pushgateway": {"url": "http://127.0.0.1:9"}, "textfile": "a.prom"},
    "bg_run": {"application": APPLICATION},
    "consumer_pause": {"name": "a", "namespace": "n", "state": "paused", "epoch": 1},
    "kafka_group_offsets": {"group_id": "g", "from_group": "h"},
    "kafka_group_offsets_info": {"group_id": "g"},
    "kafka_lag_wait": {"group_id": "g"},
}
UNREACHED = (
    "no connection to Kafka",
    "refused every connection",
    "the Kubernetes API server",
    "Kubernetes cluster",
)
"""How a module ends that found nothing wrong with what it was given."""
Spec = t.Mapping[str, t.Mapping[str, t.Any]]


# kafka-python does not close its sockets when a connection cannot be made; that is not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module", autouse=True)
def _sockets_of_clients_that_gave_up() -> t.Iterator[None]:
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def closed_port() -> t.Iterator[int]:
    """A port where nobody listens: it is bound, so that nobody else takes it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


@pytest.fixture(autouse=True)
def _nothing_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No name is resolved, nobody is waited for, and no configuration is found."""
    resolve = socket.getaddrinfo

    def only_numbers(host: t.Any, *given: t.Any, **named: t.Any) -> t.Any:
        if str(host) in ("127.0.0.1", "localhost"):
            return resolve("127.0.0.1", *given, **named)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", only_numbers)
    monkeypatch.setattr(refusal, "FIRST_CONTACT", 0.0)
    monkeypatch.setattr(bootstrap, "NAME_PATIENCE", 0.0)
    for name in [name for name in os.environ if name.startswith(("KAFKA_", "K8S_AUTH_", "KUBE", "PROMETHEUS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


class _SeenError(Exception):
    """What a module hands to its base."""


def module_of(name: str) -> t.Any:
    return importlib.import_module(f"ansible_collections.streamops.bluegreen.plugins.modules.{name}")


def specification(name: str, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """The module's own argument specification."""

    def caught(*given: t.Any, **named: t.Any) -> None:
        raise _SeenError(named["argument_spec"])

    module = module_of(name)
    with monkeypatch.context() as patched:
        patched.setattr(module, "Module", caught)
        with pytest.raises(_SeenError) as seen:
            module.main()
    return t.cast(Spec, seen.value.args[0])


class Draw:
    """One case. secrets: what was given to options that hide their value."""

    def __init__(self, name: str, number: int, spec: Spec) -> None:
        self._random = random.Random(f"{name} {number}")
        self._counted = itertools.count()
        self.secrets: list[str] = []
        self.options = json.loads(json.dumps(BASES[name]))
        self.touched = self._random.sample(sorted(spec), self._random.randint(1, 4))
        for option in self.touched:
            self.options[option] = self._value(spec[option], BASES[name].get(option))

    def _value(self, option: t.Mapping[str, t.Any], base: t.Any) -> t.Any:
        draw = self._random
        if option.get("no_log") and draw.random() < 0.7:
            self.secrets.append(secret := SECRET.format(next(self._counted)))
            kubeconfig = {"users": [{"name": "u", "user": {"token": secret}}]}
            return draw.choice((secret, kubeconfig, json.dumps(kubeconfig))) if option.get("type") == "raw" else secret
        if draw.random() < 0.3:
            return draw.choice(HOSTILE)
        if option.get("options"):
            inner = option["options"]
            made = dict(base or {}) if isinstance(base, dict) else {}
            for key in draw.sample(sorted(inner), draw.randint(1, min(3, len(inner)))):
                made[key] = self._value(inner[key], made.get(key))
            if draw.random() < 0.05:
                made[draw.choice(("unknown", "", "Name"))] = draw.choice(HOSTILE)
            if draw.random() < 0.2:
                return json.dumps(made)
            return [made] * draw.randint(0, 2) if option.get("type") == "list" else made
        if option.get("choices") and draw.random() < 0.8:
            return draw.choice(option["choices"])
        if option.get("type") == "list":
            return [draw.choice(HOSTILE) for _item in range(draw.randint(0, 3))]
        return draw.choice((*PLAUSIBLE[option.get("type", "str")], *HOSTILE))


def run(name: str, drawn: Draw, port: int, capfd: pytest.CaptureFixture[str]) -> dict[str, t.Any]:
    module = module_of(name)
    without_kafka = "bg_configmap_switch", "bg_metrics", "consumer_pause"
    connection: dict[str, t.Any] = {}
    if name not in without_kafka:
        connection |= {"bootstrap_servers": [f"127.0.0.1:{port}"], "default_api_timeout_ms": 2000}
    if name not in ("kafka_group_offsets_info", "kafka_lag_wait"):
        connection |= {"host": f"http://127.0.0.1:{port}", "api_key": "of-nobody", "api_server_timeout": 1.0}
    given = {**connection, **drawn.options, "_ansible_check_mode": bool(len(drawn.touched) % 2)}
    with patch_module_args(given):
        try:
            module.main()
        except SystemExit as ended:
            return {**seen_by_people(json.loads(capfd.readouterr().out)), "rc": ended.code}
        except BaseException:  # noqa: BLE001 - what Ansible would show as a traceback
            return {"traceback": traceback.format_exc()}
    return {"traceback": "it neither ended nor failed"}


def wrong(done: dict[str, t.Any], drawn: Draw, spec: Spec, seconds: float) -> str:
    """What is wrong with the end of a case, or empty."""
    if "traceback" in done or ("exception" in done and "Failed to import" not in done["msg"]):
        return f"traceback: {done.get('traceback') or done['exception']}"
    shown = json.dumps(done)
    leaked = [secret for secret in drawn.secrets if secret in shown]
    found = {
        f"it took {seconds:.1f} s": seconds > MOST_SECONDS,
        "it did not fail": (done["failed"], done["rc"], done.get("changed", False)) != (True, 1, False),
        f"it shows {leaked}": leaked,
        "it names no option": not names_one(done["msg"], names_in(spec))
        and not is_unreached(done)
        and not any(
            mask in done["msg"] for mask in ("*" * 8, "$REDACTED$")
        ),  # a secret of one letter leaves nothing to read
    }
    return "; ".join(fault for fault, is_so in found.items() if is_so)


def is_unreached(done: t.Mapping[str, t.Any]) -> bool:
    return any(words in done.get("msg", "") for words in UNREACHED)


def names_one(msg: str, names: t.Iterable[str]) -> bool:
    """Whether a message names one of the options. "to" is one, and a word of every second message."""
    words = {
        name: rf"(^|of |: |'){name}\b" if name == "to" else rf"(?<![A-Za-z0-9]){name}(?![A-Za-z0-9])" for name in names
    }
    return any(re.search(pattern, msg) for pattern in words.values())


def names_in(spec: Spec) -> set[str]:
    """Options and suboptions, by which a message may name what is wrong."""
    found = set(spec)
    for option in spec.values():
        found |= set(option.get("aliases", ())) | names_in(option.get("options") or {})
    return found


@pytest.mark.parametrize("name", sorted(BASES))
def test_it_ends_soon_with_a_message(
    name: str, closed_port: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    spec = specification(name, monkeypatch)
    slowest, unreached, faults = 0.0, 0, []
    for number in range(CASES):
        drawn = Draw(name, number, spec)
        began = time.monotonic()
        done = run(name, drawn, closed_port, capfd)
        seconds = time.monotonic() - began
        slowest = max(slowest, seconds)
        unreached += is_unreached(done)
        if fault := wrong(done, drawn, spec, seconds):
            given = {option: drawn.options[option] for option in drawn.touched}
            faults.append(
                f"case {number}: {fault[-1500:]}\n  given {str(given)[:600]}\n  msg {done.get('msg', '')[:600]}"
            )
    assert not faults, f"{len(faults)} of {CASES}:\n" + "\n".join(faults[:20])
    assert list(tmp_path.iterdir()) == [], "something was written"
    assert 0 < unreached < CASES, "cases that are right and cases that are wrong"
    if "ANY_INPUT" in os.environ:
        with capfd.disabled():
            print(f"\n{name}: {CASES} cases, {CASES - unreached} told as wrong, slowest {slowest:.2f} s")  # noqa: T201


def test_every_module_is_tried() -> None:
    names = {path.stem for path in (Path(__file__).parents[3] / "plugins/modules").glob("*.py")}
    assert names - set(BASES) == {"bg_report"}, "which is an action plugin, with a test of its own"
