"""What was found by reading and by trial in worlds that are not tidy: each schedule by itself, against what was wanted.

The random schedules of ``test_weather.py`` draw from the same weather; here each has a name and a reason.
"""

from dataclasses import replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    BlueGreenError,
    InvalidSettingsError,
    NoGoError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.kafka.values import (
    CommittedOffset,
    TopicPartition,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.pods import bg_v1
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import other_colour
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.journal import journal_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.run_lock import lock_name
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.record.set_active import (
    RecordRequest,
    set_active,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.preflight import preflight
from tests.simulation.world import invariants
from tests.simulation.world.example import ExamplePod, virtual_time
from tests.simulation.world.faults import ApiAway, Both, Happen, Kill, Raise, interrupted
from tests.simulation.world.neighbours import (
    FAST_HEARTBEAT,
    SLOW_HEARTBEAT,
    AssignPod,
    GitOps,
    Hpa,
    Keda,
    let_in,
    send_away,
    side_group,
)
from tests.simulation.world.playbook import play
from tests.simulation.world.pods import ModelPod
from tests.simulation.world.ports import AFTER, BEFORE
from tests.simulation.world.scenario import SCENARIOS, Scenario, attempt, judge, recover, sample
from tests.simulation.world.world import TOPIC

SWITCHES = [scenario for scenario in SCENARIOS if scenario.direction == "switch"]
COLD_SWITCHES = [scenario for scenario in SWITCHES if scenario.mode == "cold"]
BEFORE_ANYTHING = (NoGoError, InvalidSettingsError)
RETRIES = "order-retries"


@pytest.fixture(autouse=True)
def _in_virtual_time(monkeypatch):
    virtual_time(monkeypatch)


def refused(world, run, *words, active="blue"):
    """The run ends before anything was touched, and its message names what is in the way; the work goes on."""
    operator = world.operator("refused")
    writes = len(world.writes)
    outcome = attempt(world, operator, run)
    assert isinstance(outcome.error, BEFORE_ANYTHING), str(outcome)
    for word in words:
        assert word in outcome.error.message, outcome.error.message
    assert [write.call.name for write in world.writes[writes:]] == []
    assert invariants.strangers_undisturbed(world) == []
    assert world.record.active == active
    return outcome


def goes_well(world, run, colour, changed=None):
    """The run succeeds, and everything was processed once."""
    outcome = attempt(world, world.operator("run"), run)
    assert outcome.result is not None, str(outcome)
    if changed is not None:
        assert outcome.result["changed"] is changed
    assert without_replicas(judge(world, colour)) == []
    assert invariants.never_scaled_down(world) == []
    assert invariants.strangers_undisturbed(world) == []


def without_replicas(broken):
    """Others scale in these worlds."""
    return [fault for fault in broken if "replicas" not in fault]


def gates_of(world, scenario):
    """Preflight's rows, by name."""
    operator = world.operator("look")
    plan = world.run(operator, lambda: preflight(operator.ports, world.app, scenario.mode, scenario.direction))
    return plan.gates


def warned(world, scenario, *words):
    """Some row of preflight is a warning that names all of the words."""
    rows = [gate for gate in gates_of(world, scenario) if gate.verdict == "WARN"]
    said = [f"{gate.value} {gate.advice}" for gate in rows]
    assert any(all(word in text for word in words) for text in said), said


def swaps_of(calls):
    """The run's changes of the record."""
    return [c for c in calls if c.name == "replace_config_map" and "active" in c.arguments[1]]


# --- pods ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pod", [ModelPod, ExamplePod])
def test_b1_a_pod_that_slept_through_an_aborted_run_begins_at_its_groups_commit(pod):
    """Its hand-off is of the epoch before; whoever was born since has committed with a later one."""
    scenario = Scenario("hot", "rollback")
    arm = swaps_of(scenario.undisturbed())[0]
    world = scenario.world(pod=pod)
    killed = world.operator("killed")
    killed.faults[arm.number] = Kill(AFTER)
    assert attempt(world, killed, scenario.play).died
    world.pass_time(5.0)
    assert recover(world, lambda operator: play(operator, "switch", "hot", "green")).result is not None
    green = world.app.colours["green"].workload
    for replicas in (3, 2, 4, 2):
        world.cluster.scale(green, replicas)
        world.pass_time(6.0)
    assert without_replicas(judge(world, "green")) == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_b2_t30_a_pod_that_failed_and_stayed_is_no_pod(scenario):
    world = scenario.world()
    for colour in ("blue", "green"):
        for pod in world.cluster.pods_of(colour)[:1]:
            world.cluster.evict(pod)
    world.pass_time(8.0)
    goes_well(world, scenario.play, scenario.target)
    goes_well(world, lambda operator: play(operator, "switch", scenario.mode, scenario.source), scenario.source)


@pytest.mark.parametrize("scenario", COLD_SWITCHES, ids=str)
def test_b3_what_wakes_the_source_from_nothing_stops_a_cold_run(scenario):
    world = scenario.world()
    keda = Keda(world, "blue")
    refused(world, scenario.play, str(keda.seen.name))
    keda.stop()
    Keda(world, "blue", paused=True)
    goes_well(world, scenario.play, "green")


def test_b3_in_a_hot_run_it_is_a_warning():
    """Its lag makes the standby colour grow; that disturbs the next run, and nobody processes twice."""
    scenario = Scenario("hot", "switch")
    world = scenario.world()
    keda = Keda(world, "blue", least=3)
    warned(world, scenario, keda.seen.name)
    goes_well(world, scenario.play, "green")


@pytest.mark.parametrize("scenario", COLD_SWITCHES, ids=str)
def test_b3_the_source_is_woken_all_the_same_before_the_flip(scenario):
    """By somebody whom nobody announced: seen before the flip, or the contract keeps it from processing."""
    calls = scenario.undisturbed()
    stop = next(c for c in calls if c.name == "scale" and c.arguments == ("order-consumer-blue", 0)).number
    flip = swaps_of(calls)[1].number
    for number in range(stop + 4, flip, 3):
        world = scenario.world()
        operator = world.operator("run")
        operator.faults[number] = Happen(lambda w=world: w.cluster.scale("order-consumer-blue", 1))
        attempt(world, operator, scenario.play)
        world.pass_time(12.0)
        if not scenario.contract and world.record.active == "green":
            world.cluster.scale("order-consumer-blue", 0)
        world.drain()
        flipped_before = world.record.active == "green" and number >= flip - 2
        assert flipped_before or invariants.one_active(world) == [], number


# --- the source's group ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", SWITCHES, ids=str)
def test_b4_t33_a_topic_that_the_inventory_forgot(scenario):
    world = scenario.world(beside=(RETRIES,), named=(TOPIC,))
    refused(world, scenario.play, RETRIES)
    world.app = replace(world.app, topics=(TOPIC, RETRIES))
    goes_well(world, scenario.play, "green")


@pytest.mark.parametrize("scenario", SWITCHES, ids=str)
def test_b4_an_inventory_without_topics_takes_all_that_the_group_reads(scenario):
    world = scenario.world(beside=(RETRIES,), named=())
    goes_well(world, scenario.play, "green")


@pytest.mark.parametrize("heartbeat", [FAST_HEARTBEAT, SLOW_HEARTBEAT])
@pytest.mark.parametrize("scenario", SWITCHES, ids=str)
def test_b5_t32_a_stranger_in_the_group_of_the_source(scenario, heartbeat):
    world = scenario.world()
    stranger = let_in(world, "blue", heartbeat)
    world.pass_time(3.0)
    refused(world, scenario.play, stranger.member.member_id, stranger.member.host)
    send_away(world)
    world.pass_time(3.0)
    goes_well(world, scenario.play, "green")


@pytest.mark.parametrize("heartbeat", [FAST_HEARTBEAT, SLOW_HEARTBEAT])
@pytest.mark.parametrize("scenario", COLD_SWITCHES, ids=str)
def test_b5_a_stranger_that_comes_during_the_run(scenario, heartbeat):
    """It lives: it is not thrown out, and what it says of the group is believed."""
    calls = scenario.undisturbed()
    stop = next(c for c in calls if c.name == "scale" and c.arguments == ("order-consumer-blue", 0)).number
    for number in (stop - 2, stop, stop + 6):
        world = scenario.world(rate=20.0)
        operator = world.operator("run")
        operator.faults[number] = Happen(lambda w=world: let_in(w, "blue", heartbeat))
        outcome = attempt(world, operator, scenario.play)
        assert outcome.result is None
        assert invariants.strangers_undisturbed(world) == []
        assert world.record.active == "blue", str(outcome)
        world.pass_time(8.0)
        world.drain()
        assert invariants.exactly_once(world) == []


def grow(world, colour):
    """The colour is given one more pod, which takes long to come up: not all of its pods are Ready, and none is ill."""
    workload = world.app.colours[colour].workload
    world.cluster.workloads[workload].start_delay = (600.0, 600.0)
    world.cluster.scale(workload, 3)
    world.pass_time(1.0)


@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_b6_a_group_that_was_renamed_in_the_application_and_not_in_the_inventory(scenario, grows):
    """Its old commits are still there. A rollback from a healthy colour is no reason to believe them either (w1:4013553)."""
    world = scenario.world()
    if grows:
        grow(world, scenario.source)
    source = scenario.source
    named = f"{world.group(source)}_v0"
    world.broker.group(named).offsets = dict(world.broker.group(world.group(source)).offsets)
    colours = {**world.app.colours, source: replace(world.app.colours[source], group=named)}
    world.app = replace(world.app, colours=colours)
    world.pass_time(3.0)
    refused(world, scenario.play, named, active=source)


@pytest.mark.parametrize("heartbeat", [FAST_HEARTBEAT, SLOW_HEARTBEAT])
@pytest.mark.parametrize("scenario", SWITCHES, ids=str)
def test_t31_a_stranger_in_the_group_of_the_target(scenario, heartbeat):
    world = scenario.world()
    stranger = let_in(world, "green", heartbeat)
    world.pass_time(3.0)
    refused(world, scenario.play, stranger.member.member_id, stranger.member.host)
    assert stranger.member.member_id in world.broker.group(world.group("green")).members


def test_t31_a_static_stranger_is_no_pod_either():
    scenario = Scenario("cold", "switch")
    world = scenario.world()
    stranger = let_in(world, "green", SLOW_HEARTBEAT, static=True)
    world.pass_time(3.0)
    refused(world, scenario.play, stranger.member.instance_id, stranger.member.host)


@pytest.mark.parametrize("scenario", COLD_SWITCHES, ids=str)
def test_t32_a_run_that_could_not_be_proven_stays_unproven(scenario):
    """Whatever was tried after it, and refused."""
    start = next(c for c in scenario.undisturbed() if c.name == "scale" and c.arguments[0] == "order-consumer-green")
    world = scenario.world()
    operator = world.operator("run")
    operator.faults[start.number] = Happen(lambda: let_in(world, "blue"))
    outcome = attempt(world, operator, scenario.play)
    assert outcome.result is None
    assert (world.record.active, world.record.phase) == ("green", "verifying")
    for direction, target in (("rollback", ""), ("switch", "green"), ("switch", "blue")):
        again = attempt(
            world, world.operator(f"{direction} {target}"), lambda o, d=direction, to=target: play(o, d, "cold", to)
        )
        assert again.result is None, str(again)
        assert (world.record.active, world.record.phase) == ("green", "verifying"), f"{direction} {target}"
    assert invariants.strangers_undisturbed(world) == []


@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_t34_commits_on_a_topic_that_nobody_reads_any_more(scenario, grows):
    """In both directions, and while the colour grows: what nobody reads can't be proven afterwards (w1:3009401)."""
    world = scenario.world(named=())
    if grows:
        grow(world, scenario.source)
    world.broker.create_topic("order-old", 2, 0.0, first=7)
    old = {TopicPartition("order-old", p): CommittedOffset(7) for p in (0, 1)}
    world.broker.group(world.group(scenario.source)).offsets.update(old)
    refused(world, scenario.play, "order-old", active=scenario.source)
    world.app = replace(world.app, topics=(TOPIC,))
    if grows:
        return
    goes_well(world, scenario.play, scenario.target)


def test_t35_an_application_that_assigns_itself():
    """Nobody is seen in its group, so nobody can tell who reads what: refused before anything is touched."""
    scenario = Scenario("cold", "switch", contract=False)
    world = scenario.world(pod=AssignPod, replicas=1)
    refused(world, scenario.play, world.group("blue"))


@pytest.mark.parametrize("scenario", SWITCHES, ids=str)
def test_t36_a_second_group_of_the_same_pods_is_named(scenario):
    world = scenario.world()
    group = side_group(world, "blue")
    warned(world, scenario, group, world.cluster.pods_of("blue")[0].name[: len("order-consumer-blue")])
    offsets = dict(world.broker.group(group).offsets)
    goes_well(world, scenario.play, "green")
    assert world.broker.group(group).offsets == offsets
    assert world.broker.group(group).evicted == []


# --- whatever interrupts a run -----------------------------------------------------------------------------------------------


def critical(scenario):
    """Numbers of the calls between the arm and the flip."""
    calls = scenario.undisturbed()
    arm, flip = (swap.number for swap in swaps_of(calls)[:2])
    return [call.number for call in calls if arm < call.number < flip]


@pytest.mark.parametrize("error", [lambda: ValueError("no JSON"), lambda: OSError(28, "No space left"), interrupted])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_m1_whatever_is_raised_in_the_critical_section_the_source_goes_on(scenario, error):
    for number in sample(critical(scenario), 5):
        for moment in (BEFORE, AFTER):
            world = scenario.world()
            operator = world.operator("interrupted")
            operator.faults[number] = Raise(error, moment)
            outcome = attempt(world, operator, scenario.play)
            assert outcome.result is None
            where = f"{moment} call {number} {operator.calls[number - 1].name}: {outcome}"
            assert without_replicas(judge(world, scenario.source, calm=4.0)) == [], where


@pytest.mark.parametrize("seconds", [8.0, 30.0, 100.0])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_m1_the_api_server_is_away_in_the_critical_section(scenario, seconds):
    """The process that can undo it does, as soon as it can; nobody has to come."""
    for number in sample(critical(scenario), 3):
        world = scenario.world(rate=2.0)
        operator = world.operator("alone")
        operator.faults[number] = ApiAway(seconds)
        outcome = attempt(world, operator, scenario.play)
        where = f"call {number} {operator.calls[number - 1].name}: {outcome}"
        colour = scenario.target if outcome.result is not None else scenario.source
        assert without_replicas(judge(world, colour, calm=8.0)) == [], where
        assert invariants.nobody_waited(world, 40.0) == [], where


# --- the record --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pod", [ModelPod, ExamplePod])
def test_m2_the_play_that_made_the_record_is_run_once_more(pod):
    """Within the rollback window: it says active=blue, and that is no order to move the work."""
    scenario = Scenario("hot", "switch")
    world = scenario.world(pod=pod)
    assert attempt(world, world.operator("run"), scenario.play).result is not None
    world.pass_time(30.0)
    operator = world.operator("bootstrap")
    request = RecordRequest(world.app.name, "bootstrap", active="blue")
    outcome = attempt(world, operator, lambda o: set_active(o.ports, request))
    assert isinstance(outcome.error, BlueGreenError), outcome.result
    world.pass_time(6.0)
    assert judge(world, "green") == []


@pytest.mark.parametrize("pod", [ModelPod, ExamplePod])
@pytest.mark.parametrize("mode", ["hot", "cold"])
def test_m3_a_record_that_was_deleted_and_made_again(pod, mode):
    """Pods have seen epoch 3: it begins after that, the pods go on, and the next hand-overs meet no snapshot of before."""
    scenario = Scenario(mode, "rollback")
    world = scenario.world(pod=pod)
    before = world.record.epoch
    del world.cluster.config_maps[world.cluster.record_name]
    world.excuse(world.scheduler.now, world.scheduler.now + 20.0, "there is no record")
    world.pass_time(1.0)
    outcome = attempt(
        world,
        world.operator("again"),
        lambda o: set_active(o.ports, RecordRequest(world.app.name, o.run_id, active="green")),
    )
    assert outcome.result is not None, str(outcome)
    assert world.record.epoch > before
    world.pass_time(3.0)
    assert invariants.at_work(world, "green") == []
    for colour in ("blue", "green"):
        goes_well(world, lambda o, to=colour: play(o, "switch", mode, to), colour)


@pytest.mark.parametrize("pod", [ModelPod, ExamplePod])
@pytest.mark.parametrize("paused", ["blue", "green"])
def test_m6_a_pause_by_hand_has_a_way_back(pod, paused):
    """Of the colour at work: it goes on at the same epoch. Of the one that stands by: the next switch is not refused."""
    scenario = Scenario("hot", "switch")
    world = scenario.world(pod=pod, standby=2)

    def by_hand(command):
        def tell(operator):
            workload = operator.ports.cluster.workload("Deployment", world.app.colours[paused].workload)
            told = command(world.record.epoch, 0.5)
            return operator.ports.consumers.send(operator.ports.cluster.pods(workload), told, 2.0)

        operator = world.operator(command.__name__)
        replies = attempt(world, operator, lambda o: {"replies": tell(o)}).result["replies"]
        assert replies
        assert all(reply.status in (200, 202) for reply in replies.values()), replies

    by_hand(bg_v1.pause)
    world.excuse(world.scheduler.now, world.scheduler.now + 8.0, "paused by hand")
    world.pass_time(2.0)
    if paused == "blue":
        refused(world, scenario.play, "consumer_pause, state: running")
        by_hand(bg_v1.resume)
        world.pass_time(2.0)
        assert invariants.at_work(world, "blue") == []
    goes_well(world, scenario.play, "green")


# --- whoever scales ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", SWITCHES, ids=str)
def test_m4_t37_an_autoscaler_wants_more_pods_of_the_target_than_the_source_had(scenario):
    world = scenario.world()
    hpa = Hpa(world, "green", least=3)
    named = [gate for gate in gates_of(world, scenario) if hpa.seen.name in f"{gate.value} {gate.advice}"]
    assert named, "it is named before"
    goes_well(world, scenario.play, "green")
    assert world.replicas("green") == 3
    goes_well(world, scenario.play, "green", changed=False)
    assert world.replicas("green") == 3


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_m4_a_run_that_is_given_up_does_not_cry_wolf_over_more_pods(scenario):
    """The source is scaled up while the run goes wrong: it works on with what it has."""
    flip = swaps_of(scenario.undisturbed())[1].number
    world = scenario.world()
    Hpa(world, scenario.source, least=3)
    operator = world.operator("run")
    operator.faults[flip - 1] = Raise(lambda: BlueGreenError("no room"))
    outcome = attempt(world, operator, scenario.play)
    assert "seen at work yet" not in str(outcome)
    assert "continues" in str(outcome)
    assert without_replicas(judge(world, scenario.source, calm=6.0)) == []


@pytest.mark.parametrize("scenario", [s for s in SWITCHES if s.contract], ids=str)
def test_m5_a_colour_that_grew_since_a_run_died_keeps_its_pods(scenario):
    calls = scenario.undisturbed()
    arm = swaps_of(calls)[0]
    world = scenario.world()
    killed = world.operator("killed")
    killed.faults[arm.number] = Kill(BEFORE)
    assert attempt(world, killed, scenario.play).died
    world.cluster.scale("order-consumer-blue", 5)
    world.pass_time(60.0)
    outcome = attempt(world, world.operator("back"), lambda o: play(o, "switch", scenario.mode, "blue"))
    assert outcome.result is not None, str(outcome)
    assert world.replicas("blue") == 5
    assert without_replicas(judge(world, "blue")) == []


@pytest.mark.parametrize("scenario", SWITCHES, ids=str)
def test_t38_somebody_puts_the_replicas_back_every_three_seconds(scenario):
    """Named before, named during; when it is stopped, the next run ends well. (Pods here start six times as fast.)"""
    world = scenario.world()
    gitops = GitOps(world, {"blue": 2, "green": 0}, period=0.5)
    named = [gate for gate in gates_of(world, scenario) if "argocd-controller" in f"{gate.value} {gate.advice}"]
    assert named, "it is named before"
    operator = world.operator("run")
    outcome = attempt(world, operator, scenario.play)
    if outcome.result is None:
        assert "argocd-controller" in str(outcome)
    gitops.stop()
    if not scenario.contract:
        # Nothing in such an application knows which colour is active: whoever starts a colour has it process.
        return
    if scenario.mode == "cold" and world.record.active == "green":
        world.cluster.scale("order-consumer-blue", 0)  # as the run says, whose own doing it is not
    last = recover(world, lambda o: play(o, "switch", scenario.mode, "green"), tries=3)
    assert last.result is not None, str(last)
    assert without_replicas(judge(world, "green")) == []


@pytest.mark.parametrize("mode", ["hot", "cold"])
def test_t38_settled_is_said_only_of_a_colour_that_has_pods_at_work(mode):
    """Both Deployments were applied as they were before the switch."""
    scenario = Scenario(mode, "switch")
    world = scenario.world()
    assert attempt(world, world.operator("run"), scenario.play).result is not None
    world.cluster.scale("order-consumer-blue", 2)
    world.cluster.scale("order-consumer-green", 0)
    world.pass_time(6.0)
    outcome = attempt(world, world.operator("again"), scenario.play)
    assert outcome.error is not None, "nobody is at work"
    assert "order-consumer-green" in outcome.error.message


# --- the log -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", [True, False], ids=["contract", "plain"])
def test_m7_retention_passes_the_commit_of_a_colour_that_is_stuck(contract):
    """The rollback is possible, and says how many records are gone."""
    scenario = Scenario("cold", "rollback", contract=contract)
    world = scenario.world(rate=20.0)
    for container in world.cluster.containers("green"):
        container.freeze()
    world.pass_time(3.0)
    tp = TopicPartition(TOPIC, 1)
    committed = world.broker.group(world.group("green")).offsets[tp].offset
    world.broker.log(tp).trim(committed + 5, world.scheduler.now)
    outcome = attempt(world, world.operator("rollback"), scenario.play)
    assert outcome.result is not None, str(outcome)
    assert without_replicas(judge(world, "blue")) == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_m7_t5_a_marker_is_no_record(scenario):
    """Nothing but the end of a transaction lies between the commit and the log's start."""
    world = scenario.world()
    tp = TopicPartition(TOPIC, 1)
    log = world.broker.log(tp)
    log.stopped = world.scheduler.now
    world.pass_time(3.0)
    log.mark(world.scheduler.now)
    log.trim(log.end(world.scheduler.now), world.scheduler.now)
    goes_well(world, scenario.play, scenario.target)


# --- people ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("scenario", SWITCHES, ids=str)
def test_t2_two_people_press_the_same_button(scenario, share):
    """Without a colour. What the second one saw is not so any more when it gets the lock: it changes nothing."""
    world = scenario.world()
    first, second = world.operator("first"), world.operator("second")
    tasks = [world.start(first, lambda: play(first, "switch", scenario.mode, fused=scenario.fused))]
    # While the first one is under way: after it, it is a command of its own. A run takes seconds of virtual time.
    calls = scenario.undisturbed()
    world.pass_time(share * (calls[-1].when - calls[0].when))
    assert not tasks[0].done
    tasks.append(world.start(second, lambda: play(second, "switch", scenario.mode, fused=scenario.fused)))
    world.finish(*tasks)
    assert all(task.error is None or isinstance(task.error, BlueGreenError) for task in tasks)
    assert tasks[0].error is None
    flips = [
        write for write in world.writes if write.call.name == "replace_config_map" and write.call.operator == "second"
    ]
    assert world.record.active == "green", f"{tasks[1].error or tasks[1].result}, {len(flips)} changes"
    assert judge(world, "green") == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_preflight_that_a_run_overtakes_is_not_told_that_the_record_was_put_back(scenario):
    """It reads the record, the run arms, and then it asks the pods: they have seen a later epoch, and rightly so."""
    arm = swaps_of(scenario.undisturbed())[0].number
    for delay in range(12):
        world = scenario.world()
        first, second = world.operator("first"), world.operator("second")
        tasks = []

        def begin(world=world, second=second, tasks=tasks):
            tasks.append(world.start(second, lambda: play(second, "switch", scenario.mode, scenario.target)))
            tasks[0].on_end = lambda: None

        first.faults[arm - delay] = Happen(begin)
        attempt(world, first, scenario.play)
        world.finish(*tasks)
        assert "put back or created again" not in str(getattr(tasks[0].error, "message", "")), delay


# --- found by random weather ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_forgotten_topic_is_not_overlooked_while_the_group_rebalances(scenario):
    """Nobody can tell then who owns what; a rollback forgives much, but not that something is unknown (w1:20615)."""
    world = scenario.world(beside=(RETRIES,))
    world.app = replace(world.app, topics=(TOPIC,))
    world.broker.group(world.group(scenario.source)).prepare_rebalance()
    refused(world, scenario.play, RETRIES, active=scenario.source)


@pytest.mark.parametrize("scenario", [s for s in SWITCHES if s.contract], ids=str)
def test_pods_that_have_not_begun_after_a_rebalance_are_waited_for(scenario):
    """Their group is stable by then: the pods learn that last, and read where to begin. On a new test bed it was a No-Go."""
    world = scenario.world()
    pods = world.cluster.containers(scenario.source)
    for container in pods:
        read = container.member.committed

        def slowly(assigned, read=read):
            world.scheduler.sleep(3.0)
            return read(assigned)

        container.member.committed = slowly
    group = world.broker.group(world.group(scenario.source))
    group.prepare_rebalance()
    while group.state != "Stable":
        world.pass_time(0.05)
    assert {pod.member_state for pod in pods} == {"rebalancing"}
    goes_well(world, scenario.play, scenario.target)


@pytest.mark.parametrize("pod", [ModelPod, ExamplePod])
@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.contract], ids=str)
def test_a_topic_is_created_again_in_the_critical_section(scenario, pod):
    """What a pod commits of the new topic while it is paused is no commit of an older reign (w1:20031)."""
    for number in sample(critical(scenario), 6):
        world = scenario.world(pod=pod)
        operator = world.operator("run")
        operator.faults[number] = Happen(lambda w=world: w.broker.create_topic(TOPIC, 4, 8.0))
        outcome = attempt(world, operator, scenario.play)
        world.pass_time(3.0)
        last = recover(world, scenario.again, tries=4)
        where = f"call {number} {operator.calls[number - 1].name}: {str(outcome)[:120]}, then {last}"
        assert last.result is not None, where
        assert invariants.settled(world, scenario.target) + invariants.at_work(world, scenario.target) == [], where


@pytest.mark.parametrize("pod", [ModelPod, ExamplePod])
@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.contract], ids=str)
def test_a_record_is_deleted_right_after_the_flip_and_made_again(scenario, pod):
    """What the target was handed is still stored; its pods have not begun, and their group has only seeds (w1:1000241)."""
    flip = swaps_of(scenario.undisturbed(pod=pod))[1].number
    for ahead in (0, 1, 2):
        world = scenario.world(pod=pod)
        operator = world.operator("run")
        operator.faults[flip + ahead] = Both(
            Happen(lambda w=world: w.cluster.config_maps.pop(w.cluster.record_name)), Kill(AFTER)
        )
        attempt(world, operator, scenario.play)
        attempt(
            world,
            world.operator("bootstrap"),
            lambda o: set_active(o.ports, RecordRequest("order-consumer", o.run_id, active=scenario.target)),
        )
        world.pass_time(3.0)
        last = recover(world, scenario.again, tries=4)
        assert last.result is not None, str(last)
        assert without_replicas(judge(world, scenario.target)) == [], ahead


@pytest.mark.parametrize("direction", ["rollback", "switch"])
@pytest.mark.parametrize("contract", [True, False])
def test_nobody_knows_how_many_pods_a_stopped_colour_had(direction, contract):
    """Its run died and the journal is gone: a person has to say it, is told so at once, and nothing is flipped meanwhile."""
    scenario = Scenario("cold", "switch", contract=contract)
    world = scenario.world()
    source = world.app.colours[world.record.active].workload
    stop = next(c for c in scenario.undisturbed() if c.name == "scale" and c.arguments[-2:] == (source, 0))
    killed = world.operator("killed")
    killed.faults[stop.number] = Kill(AFTER)
    assert attempt(world, killed, scenario.play).died
    world.pass_time(8.0)
    del world.cluster.config_maps[journal_name(world.app.name)]
    began, active = world.scheduler.now, world.record.active
    for _twice in range(2):
        told = attempt(world, world.operator("told"), lambda o: play(o, direction, "cold", ""))
        assert told.error is not None
        assert "bg_replicas" in told.error.message, str(told)
        assert world.record.active == active
    assert world.scheduler.now - began < 90  # and not for as long as an undo is tried
    world.app = replace(world.app, replicas=2)
    assert recover(world, lambda o: play(o, "switch", "cold", "green")).result is not None
    world.excuse(0.0, world.scheduler.now + 15.0, "nobody knew")
    assert without_replicas(judge(world, "green")) == []


def test_an_undo_that_nobody_can_finish_ends_at_once():
    """The colour that was active had no pods before the run either: only a person knows how many it needs."""
    scenario = Scenario("cold", "rollback")

    def begin():
        world = scenario.world()
        for colour, replicas in ((world.record.active, 0), (other_colour(world.record.active), 2)):
            world.cluster.scale(world.app.colours[colour].workload, replicas)
        world.pass_time(12.0)
        return world, world.operator("run")

    world, operator = begin()
    assert attempt(world, operator, scenario.play).result is not None
    copy = next(call.number for call in operator.calls if call.name == "commit")
    world, operator = begin()
    operator.faults[copy] = Raise(lambda: ValueError("no JSON"), BEFORE)
    began = world.scheduler.now
    told = attempt(world, operator, scenario.play)
    assert told.error is not None
    assert "no JSON" in told.error.message
    assert "Set bg_replicas, and run the rollback playbook" in told.error.message, str(told)
    assert world.scheduler.now - began < 120, "it tried for as long as an undo is tried"
    assert world.cluster.leases[lock_name(world.app.name)].holder == "", "whoever comes next need not wait"
    world.app = replace(world.app, replicas=2)
    assert recover(world, lambda o: play(o, "rollback", "cold")).result is not None
    assert world.replicas(world.record.active) == 2
