# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications without the contract, which nothing but their replicas keeps quiet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from demo.environment import Environment
from tests.bed.playbooks.untidy import PlainApplication, Repeating, World, flat, other, says, staged_world, workload
from tests.unit.waiting import HANG

pytestmark = pytest.mark.bed

SCALER = "keda-operator"


class Assigning(PlainApplication):
    """Takes its partitions with assign(): one pod, and never a member of its group."""

    settings = {"PLAIN_ASSIGN": "1"}


@pytest.fixture(scope="module")
def plain(environment: Environment, bed: Mapping[str, str]) -> Iterator[World]:
    with staged_world(environment, bed, PlainApplication) as world:
        yield world


def test_keda_beside_a_colour_that_has_to_stop(plain: World) -> None:
    """B3: cold mode can't be proven beside it, so the run ends before anything is touched."""
    plain.wait_joined("blue")
    with plain.keda(), plain.applied(plain.scaled_object("blue")):
        before = plain.record()
        done = plain.attempt("switch", "-e", "bg_mode=cold", name="keda")
        assert done.code != 0
        says(flat(done.output), "NO-GO", "Nothing was changed", "ScaledObject", f"{workload('blue')}-lag", "pause")
        assert plain.record() == before
        assert (plain.sandbox.app.replicas("blue"), plain.sandbox.app.replicas("green")) == (2, 0)


def test_a_scaler_that_wakes_the_source(plain: World) -> None:
    """B3: somebody starts a colour again that has 0 replicas, and nothing else than its field manager tells of them.

    The run goes through with the source stopped for good, or ends with the source at work and the scaler named.
    """
    with plain.producing() as producer:
        source = plain.state()[0]
        plain.scale_as(SCALER, source, 1)
        plain.scale_as(SCALER, source, 2)
        plain.sandbox.app.wait_ready(source, HANG)
        plain.wait_joined(source)

        def wake() -> None:
            if plain.sandbox.app.replicas(source) == 0:
                plain.scale_as(SCALER, source, 1)

        with Repeating(wake):
            shorter = '{"bg_timeouts": {"start": 40}}'
            done = plain.attempt("switch", "-e", "bg_mode=cold", "-e", shorter, name="woken")
            says(flat(done.output), SCALER, workload(source))
            assert plain.state() == (other(source) if done.code == 0 else source, "stable")
            plain.at_work(plain.state()[0])
        plain.account(producer.stop(), "woken", changes=0 if done.code else 1)


def test_an_application_that_uses_assign(environment: Environment, bed: Mapping[str, str]) -> None:
    """T35: its group never has members. It is refused before anything is touched, or moved and proven by its commits."""
    with staged_world(environment, bed, Assigning, replicas=1) as world, world.producing() as producer:
        before = world.record()
        done = world.attempt("switch", "-e", "bg_mode=cold", name="assign")
        if done.code:
            says(flat(done.output), "NO-GO", "Nothing was changed", "assign()", world.group("blue"))
            assert world.record() == before
            assert world.sandbox.app.replicas("blue") == 1
        else:
            assert world.state() == ("green", "stable")
        world.at_work(world.state()[0])
        world.account(producer.stop(), "assign", changes=0 if done.code else 1)
