# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input ends before the first change, with one message that names the object, what was seen and what to do."""

from __future__ import annotations

import pytest
import yaml

from demo.application import APP
from demo.playbooks import Finished
from demo.sandbox import Sandbox
from tests.bed.playbooks.watching import RECORD, recap, said_of, written
from tests.unit.waiting import ended

pytestmark = pytest.mark.bed


CONFIRMED = {"bg_confirm": APP}
BAD_INPUT: dict[str, tuple[dict[str, object], list[str]]] = {
    "without-confirmation": ({}, ["Nothing was changed", f"-e bg_confirm={APP}"]),
    "wrong-confirmation": ({"bg_confirm": "other"}, ["Nothing was changed", f"-e bg_confirm={APP}", "other"]),
    "unknown-mode": ({**CONFIRMED, "bg_mode": "warp"}, ["mode 'warp' is unknown", "hot, cold"]),
    "unknown-colour": ({**CONFIRMED, "bg_target": "purple"}, ["colour 'purple' is unknown", "blue or green"]),
    "missing-group": ({**CONFIRMED, "bg_blue_group": ""}, ["blue.group is missing"]),
    "equal-groups": ({**CONFIRMED, "bg_blue_group": "same", "bg_green_group": "same"}, ["share the group same"]),
    "malformed-names": (
        {"bg_confirm": "Order_Consumer", "bg_app": "Order_Consumer", "bg_namespace": "no/where"},
        ["'Order_Consumer'", "'no/where'"],
    ),
    "malformed-topic": ({**CONFIRMED, "bg_topics": ["or der"]}, ["topic 'or der' is not a topic name"]),
    "several-faults": (
        {**CONFIRMED, "bg_mode": "warp", "bg_target": "purple", "bg_green_group": "", "bg_max_lag": "many"},
        ["4 fault(s)", "warp", "purple", "green.group is missing", "max_lag is 'many'"],
    ),
    "unknown-topic": ({**CONFIRMED, "bg_topics": ["no-such-topic"]}, ["no-such-topic", "create them"]),
    "unknown-namespace": ({**CONFIRMED, "bg_namespace": "no-such-namespace"}, ["no-such-namespace"]),
    "pods-without-contract": (
        {**CONFIRMED, "bg_endpoint": {"port": 9}},
        ["source pods speak bg/v1", "bg_mode=cold"],
    ),
}


@pytest.fixture(scope="module")
def refused(sandbox: Sandbox) -> tuple[Finished, dict[str, str]]:
    """One run over the application described badly in every way, each as a host of its own."""
    [described] = yaml.safe_load(sandbox.operator.inventory.read_text(encoding="utf-8"))["bluegreen"]["hosts"].values()
    hosts = {case: {**described, "bg_app": APP, **settings} for case, (settings, _expected) in BAD_INPUT.items()}
    inventory = sandbox.out / "bad-input.yml"
    inventory.write_text(yaml.safe_dump({"described_badly": {"hosts": hosts}}), encoding="utf-8")
    before = written(sandbox)
    done = sandbox.operator.attempt(
        "switch", "-i", str(inventory), "-e", "bg_hosts=described_badly", name="bad-input", env={"ANSIBLE_FORKS": "3"}
    )
    assert written(sandbox) == before, "a run that was refused has changed something"
    return done, said_of(done.output)


@pytest.mark.parametrize("case", BAD_INPUT)
def test_refused_before_any_change(refused: tuple[Finished, dict[str, str]], case: str) -> None:
    done, said = refused
    assert done.code != 0
    assert recap(done.output, case)["failed"] == 1
    for text in BAD_INPUT[case][1]:
        assert text in said[case], f"{text!r} is not said in:\n{said[case]}"
    assert "Traceback" not in done.output


def test_unknown_application(sandbox: Sandbox) -> None:
    done = sandbox.operator.attempt("switch", "--limit", "no-such-app", "-e", f"bg_confirm={APP}", name="bad-input")
    assert done.code != 0
    assert "no-such-app" in done.output


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9", "127.0.0.1:9"),
        ("K8S_AUTH_HOST", "https://127.0.0.1:9", "127.0.0.1:9"),
    ],
)
def test_service_that_is_down_is_named(sandbox: Sandbox, variable: str, value: str, expected: str) -> None:
    before = written(sandbox)
    attempt = lambda: sandbox.operator.attempt("switch", "-e", f"bg_confirm={APP}", name="down", env={variable: value})  # noqa: E731
    done = ended("a run", attempt)
    assert done.code != 0
    assert expected in done.output
    assert written(sandbox) == before


def test_every_missing_right_is_named(sandbox: Sandbox) -> None:
    weak = sandbox.app.service_account_kubeconfig("order-consumer", sandbox.out / "weak.kubeconfig")
    before = written(sandbox)
    env = {"KUBECONFIG": str(weak), "K8S_AUTH_KUBECONFIG": str(weak)}
    done = sandbox.operator.attempt("switch", "-e", f"bg_confirm={APP}", name="weak", env=env)
    flat = " ".join(done.output.split())
    assert done.code != 0
    for right in (
        f"update configmaps {RECORD}",
        "create configmaps",
        "patch deployments/scale.apps order-consumer-green",
        "create pods/proxy",
        "update leases.coordination.k8s.io order-consumer-bg-lock",
    ):
        assert right in flat, f"{right} is not named in:\n{done.output[-3000:]}"
    assert f"get configmaps {RECORD}" not in flat, "a right that is granted was called missing"
    assert written(sandbox) == before


def test_record_edited_into_nonsense(sandbox: Sandbox) -> None:
    good = sandbox.app.data(RECORD)
    assert good is not None
    sandbox.app.patch_data(RECORD, {"active": "mauve", "epoch": "-3", "phase": "asleep"})
    try:
        before = written(sandbox)
        done = sandbox.operator.attempt("switch", "-e", f"bg_confirm={APP}", name="nonsense")
        flat = " ".join(done.output.split())
        assert done.code != 0
        for text in ("3 fault(s)", RECORD, "'mauve'", "'-3'", "'asleep'"):
            assert text in flat
        assert written(sandbox) == before
    finally:
        sandbox.app.patch_data(RECORD, good)
