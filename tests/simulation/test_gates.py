"""What preflight sees of a whole application before a run, and what a run does with it."""

import datetime
from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.transactions import OpenTransaction
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import TopicPartition
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import record_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.preflight import preflight
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.verify import verify
from tests.simulation.world.faults import Fail
from tests.simulation.world.playbook import play
from tests.simulation.world.ports import BEFORE
from tests.simulation.world.scenario import SCENARIOS, Scenario, attempt, judge, untouched
from tests.simulation.world.world import APP, TOPIC

HANGING, OWNERS = "open transactions on the input", "active record's owners"
START = int(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).timestamp() * 1000)
"""When the world begins, in milliseconds since 1970."""
FLUX = {
    "managedFields": [
        {"manager": "kustomize-controller", "operation": "Apply", "fieldsV1": {"f:data": {"f:active": {}}}},
    ]
}
BY_HAND = {
    "managedFields": [
        {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:data": {"f:active": {}}}},
        {"manager": "streamops.bluegreen", "operation": "Update", "fieldsV1": {"f:data": {"f:epoch": {}}}},
    ]
}


def hang(world, seconds):
    """A producer wrote its last record so many seconds before the world began, and never ended its transaction."""
    one = OpenTransaction(TopicPartition(TOPIC, 1), 4001, 7, 120, START - seconds * 1000)
    world.broker.transactions.append(one)


def row(world, scenario, name, **changed):
    """One row of preflight, and the calls it took to see everything."""
    operator = world.operator("look")
    app = replace(world.app, **changed)
    plan = world.run(operator, lambda: preflight(operator.ports, app, scenario.mode, scenario.direction))
    (found,) = [gate for gate in plan.gates if gate.name == name]
    return found, operator.calls


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_transaction_that_hangs_stops_a_switch_and_warns_a_rollback(scenario):
    world = scenario.world()
    found, _calls = row(world, scenario, HANGING)
    assert (found.verdict, found.value, found.threshold) == ("GO", "none", "none older than 900 s")
    hang(world, 1200)
    found, calls = row(world, scenario, HANGING)
    assert found.verdict == ("NO-GO" if scenario.direction == "switch" else "WARN")
    assert found.value.startswith("1, the oldest 12")
    assert f"{TOPIC}-1: producer id 4001 (epoch 7), open since offset 120, last record 12" in found.advice
    assert f"abort --topic {TOPIC} --partition 1 --start-offset 120" in found.advice
    assert [call.name for call in calls].count("open_transactions") == 1
    outcome = attempt(world, world.operator("run"), scenario.play)
    if scenario.direction == "switch":
        assert HANGING in str(outcome)
        assert untouched(world, scenario.source) == []
    else:
        assert outcome.result is not None
        assert judge(world, scenario.target, scenario.again) == []


@pytest.mark.parametrize("age", [600, 899])
def test_a_transaction_at_work_is_go(age):
    scenario = Scenario("hot", "switch")
    world = scenario.world()
    hang(world, 10)
    found, _calls = row(world, scenario, HANGING)
    assert (found.verdict, found.advice) == ("GO", "")
    assert found.value.startswith("1, the oldest 1")
    found, _calls = row(world, scenario, HANGING, max_transaction_age=5)
    assert found.verdict == "NO-GO"


def test_transactions_that_may_not_be_seen_are_no_go():
    """And the rest of the table is shown all the same."""
    for scenario, verdict in ((Scenario("hot", "switch"), "NO-GO"), (Scenario("hot", "rollback"), "WARN")):
        world = scenario.world()
        _found, calls = row(world, scenario, HANGING)
        (number,) = [call.number for call in calls if call.name == "open_transactions"]
        operator = world.operator("denied")
        operator.every_call = OnlyAt("open_transactions")
        plan = world.run(
            operator, lambda o=operator, w=world, s=scenario: preflight(o.ports, w.app, s.mode, s.direction)
        )
        (found,) = [gate for gate in plan.gates if gate.name == HANGING]
        assert number
        assert (found.verdict, found.value) == (verdict, "unknown")
        assert found.advice
        assert [gate.name for gate in plan.gates if gate.verdict == "NO-GO" and gate is not found] == []


class OnlyAt:
    """Every call of one name fails."""

    def __init__(self, name):
        self.name = name

    def strike(self, operator, moment, call):
        if call.name == self.name:
            Fail(BEFORE).strike(operator, moment, call)


def test_a_proof_after_the_hand_over_does_not_ask_for_transactions():
    """They are no matter of which colour works, and each look costs a request to every leader."""
    scenario = Scenario("hot", "switch")
    world = scenario.world()
    assert attempt(world, world.operator("run"), scenario.play).result is not None
    hang(world, 1200)
    operator = world.operator("verify")
    _seen, rows = world.run(operator, lambda: verify(operator.ports, world.app, "hot", 5.0))
    assert HANGING not in [gate.name for gate in rows]
    assert "open_transactions" not in [call.name for call in operator.calls]


@pytest.mark.parametrize("scenario", SCENARIOS[:2], ids=str)
def test_who_else_owns_the_record_is_a_warning(scenario):
    world = scenario.world()
    found, _calls = row(world, scenario, OWNERS)
    assert (found.verdict, found.value, found.advice) == ("GO", "none", "")
    name = record_name(APP)
    world.cluster.config_maps[name] = replace(world.cluster.config_maps[name], metadata=FLUX)
    found, _calls = row(world, scenario, OWNERS)
    assert (found.verdict, found.value) == ("WARN", "field manager kustomize-controller")
    assert f"ConfigMap {name} is managed by field manager kustomize-controller too (it declares active)" in found.advice
    assert attempt(world, world.operator("run"), scenario.play).result is not None, "a warning stops nobody"
    world.cluster.config_maps[name] = replace(world.cluster.config_maps[name], metadata=BY_HAND)
    assert row(world, scenario, OWNERS)[0].verdict == "GO", "who typed something once does not write it again"


def forbid(world):
    """Somebody sets rollback-allowed to false with kubectl."""
    name = record_name(APP)
    stored = world.cluster.config_maps[name]
    world.cluster.config_maps[name] = replace(
        stored, data={**stored.data, "rollback-allowed": "false"}, resource_version=world.cluster.next_version()
    )


@pytest.mark.parametrize("mode", ["hot", "cold"])
def test_a_rollback_that_somebody_forbade_is_refused(mode):
    scenario = Scenario(mode, "rollback")
    world = scenario.world()
    forbid(world)
    refused = attempt(world, world.operator("run"), scenario.play)
    assert refused.refused
    assert "switch run-before made green active, and since then somebody set rollback-allowed to false" in str(refused)
    assert untouched(world, "green") == []
    switched = attempt(world, world.operator("switch"), lambda operator: play(operator, "switch", mode, "blue"))
    assert switched.result is not None, "as the message advises"
    assert judge(world, "blue") == []


@pytest.mark.parametrize("mode", ["hot", "cold"])
def test_a_rollback_after_a_rollback_is_nothing_to_do(mode):
    scenario = Scenario(mode, "rollback")
    world = scenario.world()
    assert attempt(world, world.operator("run"), scenario.play).result["changed"] is True
    assert world.record.rollback_allowed is False
    again = attempt(world, world.operator("again"), scenario.play)
    assert (again.result["decision"], again.result["changed"]) == ("nothing", False)
    assert judge(world, "blue", scenario.again) == []
