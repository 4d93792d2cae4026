"""What each alert has to say, and what the seed's own expression says instead."""

from __future__ import annotations

from tests.monitoring.promtool import Case, Labels
from tests.monitoring.series import (
    always,
    application,
    colour_of,
    counting,
    lag,
    of_run,
    phase,
    pod,
    record,
    replicas,
    steps,
)

CRITICAL = {"severity": "critical"}
WARNING = {"severity": "warning"}
INFO = {"severity": "info"}
ROLLBACK = {"severity": "critical", "bg_action": "rollback"}
APP = {"app": "order-consumer", "namespace": "orders"}
GREEN, BLUE = colour_of("green"), colour_of("blue")
A, B = {"gateway": "a", "job": "bluegreen"}, {"gateway": "b", "job": "bluegreen"}
SEED_LAG, SEED_RUNNING = "SeedKafkaHighConsumerLag", "SeedGreenConsumerNotRunning"


def seed_group(colour: str) -> Labels:
    return {"consumergroup": f"order-consumer-{colour}"}


LAG = [
    Case(
        "fires for the active colour after five minutes, over all topics; the seed's metric has no exporter",
        "KafkaHighConsumerLag",
        application()
        | lag("order-consumer-green", {0: steps((0, 2), (600, 20))})
        | lag("order-consumer-green", {0: steps((0, 2), (600, 20))}, topic="returns"),
        {"6m45s": [], "7m": [CRITICAL | GREEN]},
        seed={"SeedKafkaConsumerLagHigh": {"8m": []}},
        equals={("sum(bg:active_colour:lag)", "7m"): {"{}": 1200}},
    ),
    Case(
        "1000 are not more than 1000",
        "KafkaHighConsumerLag",
        application() | lag("order-consumer-green", {0: always(1000)}),
        {"10m": []},
    ),
    Case(
        "-1 is no commit and not a lag; the SOP takes it off the sum",
        "KafkaHighConsumerLag",
        application() | lag("order-consumer-green", {0: always(1001), 1: always(-1), 2: always(-1)}),
        {"5m": [CRITICAL | GREEN]},
        seed={SEED_LAG: {"10m": []}},
    ),
    Case(
        "silent for the idle colour and for strangers; the SOP fires for both, for as long as the old colour is kept",
        "KafkaHighConsumerLag",
        application()
        | lag("order-consumer-green", {0: always(3)})
        | lag("order-consumer-blue", {0: counting(10)})
        | lag("nightly-report", {0: always(9000)}),
        {"10m": []},
        seed={SEED_LAG: {"10m": [seed_group("blue"), {"consumergroup": "nightly-report"}]}},
        equals={("count(bg:consumergroup_partition:lag)", "10m"): {"{}": 2}},
    ),
    Case(
        "a KIP-848 group has no members for the exporter, and is no empty group",
        "KafkaHighConsumerLag",
        application()
        | lag("order-consumer-green", {0: always(5000)})
        | {'kafka_consumergroup_members{consumergroup="order-consumer-green"}': always(0)},
        {"5m": [CRITICAL | GREEN]},
        equals={('kafka_consumergroup_members{consumergroup="order-consumer-green"} > 0', "5m"): {}},
    ),
    Case(
        "a group that is paused for a hand-over and catches up",
        "KafkaHighConsumerLag",
        application() | lag("order-consumer-green", {0: steps((0, 2), (5000, 4.5), (0, 20))}),
        {"6m": [], "7m": [], "8m": []},
    ),
    Case(
        "two exporters of one cluster say the same twice; the SOP counts it twice",
        "KafkaHighConsumerLag",
        application()
        | lag("order-consumer-green", {0: always(600)}, exporter="a:9308")
        | lag("order-consumer-green", {0: always(600)}, exporter="b:9308"),
        {"10m": []},
        seed={SEED_LAG: {"10m": [seed_group("green")]}},
    ),
    Case(
        "an older Pushgateway names the other colour",
        "KafkaHighConsumerLag",
        application("blue", epoch=2, source=A)
        | application("green", epoch=3, source=B)
        | lag("order-consumer-blue", {0: always(9000)})
        | lag("order-consumer-green", {0: always(2000)}),
        {"10m": [CRITICAL | GREEN]},
    ),
    Case(
        "two Pushgateways that say the same",
        "KafkaHighConsumerLag",
        application(source=A) | application(source=B) | lag("order-consumer-green", {0: always(2000)}),
        {"10m": [CRITICAL | GREEN]},
    ),
    Case(
        "two applications with one name of a group, on two clusters whose exporters are both read",
        "KafkaHighConsumerLag",
        application() | application(namespace="staging") | lag("order-consumer-green", {0: always(2000)}),
        {"10m": [CRITICAL | GREEN, CRITICAL | colour_of("green", namespace="staging")]},
    ),
    Case(
        "the other colour's minutes do not count after a switch",
        "KafkaHighConsumerLag",
        application("blue", epoch=2, source=A)
        | application("green", epoch=steps(("none", 5), (3, 30)), source=B)
        | lag("order-consumer-blue", {0: always(2000)})
        | lag("order-consumer-green", {0: always(2000)}),
        {"4m45s": [], "9m45s": [], "10m": [CRITICAL | GREEN]},
    ),
]

UNKNOWN = [
    Case(
        "fires when pods run and no series has the lag; an exporter of another cluster that is up says nothing",
        "ActiveColourLagUnknown",
        application()
        | replicas("order-consumer-green", always(3), always(3))
        | lag("payments", {0: always(0)})
        | {'up{job="kafka-exporter",instance="other-cluster:9308"}': always(1)},
        {"14m45s": [], "15m": [WARNING | GREEN]},
        seed={"SeedKafkaExporterDown": {"15m": []}, SEED_LAG: {"15m": []}},
    ),
    Case(
        "a partition without a commit is known",
        "ActiveColourLagUnknown",
        application() | replicas("order-consumer-green", always(3)) | lag("order-consumer-green", {0: always(-1)}),
        {"16m": []},
    ),
    Case(
        "silent for a colour without pods, such as that of a deleted application",
        "ActiveColourLagUnknown",
        application() | replicas("order-consumer-green", always(0), always(0)),
        {"16m": []},
    ),
    Case(
        "silent for the idle colour",
        "ActiveColourLagUnknown",
        application()
        | replicas("order-consumer-green", always(3))
        | replicas("order-consumer-blue", always(3))
        | lag("order-consumer-green", {0: always(0)}),
        {"16m": []},
    ),
    Case(
        "silent for the same workload in another namespace",
        "ActiveColourLagUnknown",
        application()
        | application(namespace="staging", group="staging")
        | replicas("order-consumer-green", always(3))
        | replicas("order-consumer-green", always(0), namespace="staging")
        | lag("order-consumer-green", {0: always(0)}),
        {"16m": []},
    ),
]

EXPORTER = [
    Case(
        "fires when the exporter does not answer for two minutes",
        "KafkaExporterDown",
        {'up{job="kafka-exporter",instance="a:9308"}': steps((1, 2), (0, 10))},
        {"3m45s": [], "4m": [CRITICAL | {"job": "kafka-exporter", "instance": "a:9308"}]},
        seed={"SeedKafkaExporterDown": {"4m": [{"job": "kafka-exporter", "instance": "a:9308"}]}},
    ),
    Case(
        "fires when it is no target any more; the SOP's expression then has nothing to compare",
        "KafkaExporterDown",
        {'up{job="kafka-exporter",instance="a:9308"}': "1x7 stale"} | {'up{job="other"}': always(1)},
        {"3m45s": [], "4m": [CRITICAL | {"job": "kafka-exporter"}]},
        seed={"SeedKafkaExporterDown": {"5m": []}},
    ),
    Case(
        "silent while it answers, and when it was restarted",
        "KafkaExporterDown",
        {'up{job="kafka-exporter",instance="a:9308"}': steps((1, 5), (0, 1.75), (1, 10))},
        {"4m": [], "6m": [], "7m": [], "9m": []},
    ),
]

BOTH_READY = replicas("order-consumer-blue", always(3), always(3)) | replicas(
    "order-consumer-green", always(3), always(3)
)
CRASHED = replicas("order-consumer-blue", always(3), always(3)) | replicas(
    "order-consumer-green", steps((3, 5), (0, 20)), always(3)
)

RUNNING = [
    Case(
        "fires when no pod of the active colour has been ready for five minutes",
        "ActiveColourNotRunning",
        application() | phase("stable", 0) | CRASHED,
        {"9m45s": [], "10m": [ROLLBACK | GREEN]},
    ),
    Case(
        "a pod that crashes, and is ready for half a minute in each two, is not running",
        "ActiveColourNotRunning",
        application() | replicas("order-consumer-green", "3x19" + " 0x5 1x1" * 20, always(3)),
        {"9m45s": [], "10m": [ROLLBACK | GREEN], "20m": [ROLLBACK | GREEN]},
    ),
    Case(
        "silent when a start takes as long as a run waits for it",
        "ActiveColourNotRunning",
        application() | replicas("order-consumer-green", steps((3, 5), (0, 2), (3, 20)), always(3)),
        {"7m": [], "9m": [], "10m": [], "12m": []},
    ),
    Case(
        "silent when an autoscaler took the pods and the series of wanted ones is missing",
        "ActiveColourNotRunning",
        application() | replicas("order-consumer-green", always(0)) | lag("order-consumer-green", {0: always(0)}),
        {"10m": []},
    ),
    Case(
        "fires when the last push of a run never came, once that is too long ago",
        "ActiveColourNotRunning",
        application() | phase("switching", 60) | replicas("order-consumer-green", always(0), always(3)),
        {"15m45s": [], "16m": [ROLLBACK | GREEN]},
    ),
    Case(
        "silent for another application's colour; the seed fires for it",
        "ActiveColourNotRunning",
        application("blue")
        | application("green", app="payment")
        | replicas("order-consumer-blue", always(3), always(3))
        | replicas("order-consumer-green", always(0), always(3))
        | replicas("payment-green", always(2), always(2))
        | {'kafka_consumer_active_version{app="payment",version="green"}': always(1)},
        {"7m": []},
        seed={
            SEED_RUNNING: {
                "4m": [
                    {
                        "deployment": "order-consumer-green",
                        "instance": "ksm:8080",
                        "job": "kube-state-metrics",
                        "namespace": "orders",
                    }
                ]
            }
        },
    ),
    Case(
        "no series are recorded of workloads that are nobody's colour",
        "ActiveColourNotRunning",
        application() | replicas("order-consumer-green", always(3)) | replicas("nginx", always(0)),
        {"5m": []},
        equals={("count(bg:workload:ready)", "5m"): {"{}": 1}},
    ),
    Case(
        "silent for the same names in another namespace",
        "ActiveColourNotRunning",
        application("green")
        | application("blue", namespace="staging")
        | BOTH_READY
        | replicas("order-consumer-green", always(0), always(3), namespace="staging")
        | replicas("order-consumer-blue", always(3), always(3), namespace="staging"),
        {"7m": []},
    ),
    Case(
        "a StatefulSet; the seed looks at no other name than its own",
        "ActiveColourNotRunning",
        application(kind="StatefulSet")
        | replicas("order-consumer-green", always(0), always(3), kind="StatefulSet")
        | replicas("order-consumer-green", always(3), always(3), kind="Deployment")
        | {'kafka_consumer_active_version{app="order-consumer",version="green"}': always(1)},
        {"6m": [ROLLBACK | colour_of("green", kind="StatefulSet")]},
        seed={SEED_RUNNING: {"6m": []}},
    ),
    Case(
        "silent for a Deployment with the name of the StatefulSet",
        "ActiveColourNotRunning",
        application(kind="StatefulSet")
        | replicas("order-consumer-green", always(3), always(3), kind="StatefulSet")
        | replicas("order-consumer-green", always(0), always(3), kind="Deployment"),
        {"7m": []},
    ),
    Case(
        "fires when the workload is gone, without a rollback; the seed compares what is not there",
        "ActiveColourNotRunning",
        application() | record() | {'kafka_consumer_active_version{version="green"}': always(1)},
        {"45s": [], "1m": [CRITICAL | GREEN]},
        seed={SEED_RUNNING: {"7m": []}},
    ),
    Case(
        "the other colour's workload shows as well that the application is there",
        "ActiveColourNotRunning",
        application() | replicas("order-consumer-blue", always(3)),
        {"1m": [CRITICAL | GREEN]},
    ),
    Case(
        "silent for an application that was deleted and whose series stayed in the Pushgateway",
        "ActiveColourNotRunning",
        application()
        | application(app="payment")
        | record("payment")
        | replicas("payment-green", always(3), always(3))
        | record(namespace="staging"),
        {"7m": []},
    ),
    Case(
        "silent when kube-state-metrics is down: no rollback of everything",
        "ActiveColourNotRunning",
        application() | application(app="payment"),
        {"7m": []},
    ),
    Case(
        "silent when an autoscaler took the pods because there is nothing to do",
        "ActiveColourNotRunning",
        application()
        | replicas("order-consumer-green", always(0), always(0))
        | lag("order-consumer-green", {0: always(0)})
        | {'kafka_consumer_active_version{version="green"}': always(1)},
        {"7m": []},
        seed={
            SEED_RUNNING: {
                "4m": [
                    {
                        "deployment": "order-consumer-green",
                        "instance": "ksm:8080",
                        "job": "kube-state-metrics",
                        "namespace": "orders",
                    }
                ]
            }
        },
    ),
    Case(
        "fires when somebody scaled it to 0 and records wait, without a rollback",
        "ActiveColourNotRunning",
        application()
        | replicas("order-consumer-green", always(0), always(0))
        | lag("order-consumer-green", {0: always(1)}),
        {"1m": [CRITICAL | GREEN]},
    ),
    Case(
        "fires when it is scaled to 0 and its lag is not known",
        "ActiveColourNotRunning",
        application() | replicas("order-consumer-green", always(0), always(0)),
        {"1m": [CRITICAL | GREEN]},
    ),
    Case(
        "silent while a cold hand-over stops the source, and fires when the target does not start after it",
        "ActiveColourNotRunning",
        application()
        | phase("switching", steps((30, 5), ("none", 0.25)))
        | phase("verifying", steps(("none", 5), (300, 20)))
        | replicas("order-consumer-green", steps((0, 25)), always(3)),
        # The series of a phase that has passed is seen for another five minutes, and an older one does not count.
        {"4m": [], "9m": [], "19m45s": [], "20m": [ROLLBACK | GREEN]},
    ),
    Case(
        "silent while the source of a cold hand-over is scaled to 0, and not for ever",
        "ActiveColourNotRunning",
        application()
        | phase("rolling-back", always(30))
        | replicas("order-consumer-green", always(0), always(0))
        | lag("order-consumer-green", {0: always(50)}),
        {"4m": [], "11m15s": [], "11m30s": [CRITICAL | GREEN]},
    ),
    Case(
        "an older Pushgateway's phase and colour do not count",
        "ActiveColourNotRunning",
        application("blue", epoch=2, source=A)
        | application("green", epoch=3, source=B)
        | phase("switching", 10, source=A)
        | phase("stable", 20, source=B)
        | replicas("order-consumer-blue", always(0), always(0))
        | replicas("order-consumer-green", always(0), always(3)),
        {"7m": [ROLLBACK | GREEN]},
    ),
    Case(
        "a KIP-848 group has no members for the exporter, and its pods work",
        "ActiveColourNotRunning",
        application() | BOTH_READY | {'kafka_consumergroup_members{consumergroup="order-consumer-green"}': always(0)},
        {"7m": []},
    ),
]


def records(colour: str, processed: float | None, failed: float | None, **more: str) -> dict[str, str]:
    """Counters of a pod, in records per second."""
    made: dict[str, str] = {}
    if processed is not None:
        made |= pod("bg_consumer_records_processed_total", counting(processed), colour, **more)
    if failed is not None:
        made |= pod("bg_consumer_records_failed_total", counting(failed), colour, **more)
    return made


def state(name: str, values: str, colour: str, pod_name: str = "0", **more: str) -> dict[str, str]:
    return pod("bg_consumer_state", values, colour, name=pod_name, state=name, **more)


FAILED = ROLLBACK | APP | {"colour": "green"}
SEED_ERRORS = 'kafka_consumer_errors_total{service="order-consumer"}'
FAILING = [
    Case(
        "fires at 2 % after half a minute",
        "BGActiveColourFailing",
        application()
        | pod("bg_consumer_records_processed_total", counting(49), "green")
        | pod("bg_consumer_records_failed_total", "0x20 0+15x100", "green"),
        # 15 in 15 s: 1 % of the records of two minutes are reached half a minute after the first failure.
        {"5m": [], "7m": [FAILED], "6m45s": [FAILED]},
        equals={
            ("round(bg:colour:error_ratio, 0.0001)", "9m"): {
                '{app="order-consumer",colour="green",namespace="orders"}': 0.02
            }
        },
    ),
    Case(
        "for half a minute",
        "BGActiveColourFailing",
        application(epoch=steps(("none", 5), (3, 30))) | records("green", 9, 1),
        {"5m15s": [], "5m30s": [FAILED]},
    ),
    Case(
        "1 % is not below 1 %",
        "BGActiveColourFailing",
        application() | records("green", 99, 1),
        {"4m": [FAILED]},
    ),
    Case(
        "silent below it; the seed takes errors per second for a ratio",
        "BGActiveColourFailing",
        application() | records("green", 19.9, 0.1) | {SEED_ERRORS: counting(0.1)},
        {"4m": []},
        seed={"SeedErrorRate": {"4m": [{"service": "order-consumer"}]}},
    ),
    Case(
        "a few records are no sample",
        "BGActiveColourFailing",
        application() | records("green", 0.6, 0.2),
        {"4m": []},
    ),
    Case(
        "enough records are one", "BGActiveColourFailing", application() | records("green", 0.6, 0.3), {"4m": [FAILED]}
    ),
    Case(
        "silent for the idle colour, and for pods of this name elsewhere",
        "BGActiveColourFailing",
        application()
        | records("green", 20, 0)
        | records("blue", 1, 19)
        | records("green", 1, 19, namespace="staging")
        | records("green", 1, 19, app="payment"),
        {"4m": []},
    ),
    Case(
        "fires for a colour whose pods are at work, while the other one is published from before the run",
        "BGActiveColourFailing",
        application("blue")
        | records("green", 49, 1)
        | state("ACTIVE", always(1), "green")
        | state("ACTIVE", always(0), "blue"),
        {"4m": [FAILED]},
    ),
    Case(
        "silent for a colour whose pods are not at work, whatever was published",
        "BGActiveColourFailing",
        application("green")
        | records("green", 49, 1)
        | state("ACTIVE", always(0), "green")
        | state("ACTIVE", always(1), "blue"),
        {"4m": []},
    ),
    Case(
        "needs no Pushgateway where the pods tell their state",
        "BGActiveColourFailing",
        records("green", 49, 1) | state("ACTIVE", always(1), "green"),
        {"4m": [FAILED]},
    ),
    Case(
        "fires when every record fails and the other counter is not there yet",
        "BGActiveColourFailing",
        application() | records("green", None, 20),
        {"4m": [FAILED]},
    ),
    Case(
        "silent when none failed and the counter is not there yet",
        "BGActiveColourFailing",
        application() | records("green", 20, None),
        {"4m": []},
        equals={
            ("bg:colour:error_ratio", "4m"): {
                'bg:colour:error_ratio{app="order-consumer",colour="green",namespace="orders"}': 0
            }
        },
    ),
    Case("an idle topic has no ratio", "BGActiveColourFailing", application() | records("green", 0, 0), {"4m": []}),
    Case(
        "a pod is no colour: one of four fails 3 % of its records",
        "BGActiveColourFailing",
        application()
        | records("green", 97, 3, name="0")
        | records("green", 100, 0, name="1")
        | records("green", 100, 0, name="2")
        | records("green", 100, 0, name="3"),
        {"4m": []},
    ),
    Case(
        "two of four fail 3 % of theirs, which is 1.5 % of all",
        "BGActiveColourFailing",
        application()
        | records("green", 97, 3, name="0")
        | records("green", 97, 3, name="1")
        | records("green", 100, 0, name="2")
        | records("green", 100, 0, name="3"),
        {"4m": [FAILED]},
    ),
    Case(
        "a pod that is started again counts from 0",
        "BGActiveColourFailing",
        application()
        | pod("bg_consumer_records_processed_total", "0+300x20 0+300x60", "green")
        | pod("bg_consumer_records_failed_total", "5000x20 0x60", "green"),
        {"5m": [], "5m30s": [], "6m": [], "10m": []},
    ),
]


BOTH = [
    Case(
        "fires when pods of both colours have processed for a minute; the record cannot show it",
        "BGBothColoursActive",
        application()
        | state("ACTIVE", always(1), "green")
        | state("ACTIVE", steps((0, 5), (1, 20)), "blue")
        | state("ACTIVE", always(0), "blue", pod_name="1"),
        {"5m45s": [], "6m": [CRITICAL | APP]},
        equals={("sum by (app) (bg_active_version) > 1", "6m"): {}},
    ),
    Case(
        "needs no Pushgateway",
        "BGBothColoursActive",
        state("ACTIVE", always(1), "green") | state("ACTIVE", always(1), "blue"),
        {"1m": [CRITICAL | APP]},
    ),
    Case(
        "silent for a pod that stood by and is told to end, which pauses first",
        "BGBothColoursActive",
        state("ACTIVE", always(1), "green") | state("ACTIVE", always(0), "blue") | state("PAUSING", always(1), "blue"),
        {"4m": []},
    ),
    Case(
        "silent for an application whose pods do not tell",
        "BGBothColoursActive",
        application("green"),
        {"4m": []},
    ),
    Case(
        "silent after a switch, while the pods of the source were seen last before it",
        "BGBothColoursActive",
        state("ACTIVE", steps((1, 5), (0, 20)), "blue")
        | state("DRAINED", steps((0, 5), (1, 20)), "blue")
        | state("ACTIVE", steps((0, 4.25), (1, 20)), "green"),
        {"4m45s": [], "5m": [], "10m": []},
    ),
    Case(
        "silent for standby pods of the other colour",
        "BGBothColoursActive",
        state("ACTIVE", always(1), "green")
        | state("ACTIVE", always(0), "blue")
        | state("STANDBY", always(1), "blue")
        | state("ACTIVATING", always(1), "blue", pod_name="1"),
        {"4m": []},
    ),
    Case(
        "silent for two pods of one colour",
        "BGBothColoursActive",
        state("ACTIVE", always(1), "green") | state("ACTIVE", always(1), "green", pod_name="1"),
        {"4m": []},
    ),
    Case(
        "silent for colours of two applications or namespaces",
        "BGBothColoursActive",
        state("ACTIVE", always(1), "green")
        | state("ACTIVE", always(1), "blue", app="payment")
        | state("ACTIVE", always(1), "blue", namespace="staging"),
        {"4m": []},
    ),
]

DURATION = 'bg_switch_duration_seconds{app="order-consumer",namespace="orders",step="total"}'
TOO_LONG = [
    Case(
        "fires after two minutes in one phase and clears itself; the seed knows a duration only when it is over",
        "BGSwitchTooLong",
        phase("switching", "_x4 60x36") | phase("stable", "_x41 615x60"),
        {"3m": [], "3m15s": [WARNING | APP | {"phase": "switching"}], "10m15s": [], "12m": []},
        seed={"SeedBGSwitchTooLong": {"10m": []}},
    ),
    Case(
        "silent after a switch of 75 s; the seed fires until the next one",
        "BGSwitchTooLong",
        phase("stable", 75) | {DURATION: always(75)},
        {"2m": [], "10m": []},
        seed={"SeedBGSwitchTooLong": {"2m": [APP | {"step": "total"}], "10m": [APP | {"step": "total"}]}},
    ),
    Case(
        "waiting for the verdict is a phase as well",
        "BGSwitchTooLong",
        phase("verifying", 60),
        {"5m": [WARNING | APP | {"phase": "verifying"}]},
    ),
    Case(
        "what an older Pushgateway was told last does not count",
        "BGSwitchTooLong",
        phase("switching", 10, source=A) | phase("stable", 40, source=B),
        {"8m": []},
    ),
    Case(
        "another application's phase does not count",
        "BGSwitchTooLong",
        phase("switching", 10) | phase("stable", 400, app="payment") | phase("stable", 400, namespace="staging"),
        {"10m": [WARNING | APP | {"phase": "switching"}]},
    ),
]


def in_progress(values: str, **more: str) -> dict[str, str]:
    return of_run("bg_switch_in_progress", values, **more)


ABANDONED = [
    Case(
        "fires when a run died in the middle; the seed has no duration of it",
        "BGRunAbandoned",
        application() | phase("switching", 60) | in_progress(always(1)),
        {"13m": [], "13m15s": [CRITICAL | APP | {"phase": "switching"}]},
        seed={"SeedBGSwitchTooLong": {"14m": []}},
    ),
    Case(
        "fires when a run died before it armed, and the record is stable as before",
        "BGRunAbandoned",
        application() | phase("stable", 0) | in_progress(steps((0, 5), (1, 30))),
        {"14m45s": [], "15m": [CRITICAL | APP | {"phase": "stable"}]},
    ),
    Case(
        "silent for a long run that moves",
        "BGRunAbandoned",
        application()
        | phase("switching", "_x4 60x31 stale")
        | phase("verifying", "_x36 540x39 stale")
        | phase("stable", "_x76 1140x80")
        | in_progress(steps((0, 1), (1, 18), (0, 20))),
        {"9m": [], "14m": [], "19m": [], "35m": []},
    ),
    Case(
        "begins anew when somebody tried again",
        "BGRunAbandoned",
        application() | phase("switching", "60x39 600x100") | in_progress(always(1)),
        {"13m15s": [], "22m": [], "22m15s": [CRITICAL | APP | {"phase": "switching"}]},
    ),
    Case(
        "silent when no run is under way",
        "BGRunAbandoned",
        application() | phase("stable", 0) | in_progress(always(0)),
        {"20m": []},
    ),
    Case(
        "silent for what an older Pushgateway was told",
        "BGRunAbandoned",
        application(epoch=2, source=A)
        | application(epoch=3, source=B)
        | phase("switching", 10, source=A)
        | phase("stable", 40, source=B)
        | in_progress(always(1), source=A)
        | in_progress(always(0), source=B),
        {"20m": []},
    ),
    Case(
        "silent for applications beside it",
        "BGRunAbandoned",
        application()
        | phase("switching", 60)
        | in_progress(always(1))
        | application(app="payment")
        | phase("stable", 0, app="payment")
        | in_progress(always(0), app="payment")
        | application(namespace="staging")
        | phase("stable", 0, namespace="staging"),
        {"20m": [CRITICAL | APP | {"phase": "switching"}]},
    ),
]

WINDOW = "bg_rollback_window_end_timestamp_seconds"
CLOSING = [
    Case(
        "fires in the last ten minutes of the window and ends with it",
        "BGRollbackWindowClosing",
        application() | of_run(WINDOW, always(900)),
        {"5m": [], "5m15s": [INFO | APP], "14m45s": [INFO | APP], "15m": [], "18m": []},
    ),
    Case("silent without a window", "BGRollbackWindowClosing", application(), {"5m15s": []}),
    Case(
        "silent when a newer run took the window away, of which an older Pushgateway was not told",
        "BGRollbackWindowClosing",
        application(epoch=2, source=A) | application(epoch=3, source=B) | of_run(WINDOW, always(900), source=A),
        {"10m": []},
    ),
    Case(
        "one alert when two Pushgateways say the same",
        "BGRollbackWindowClosing",
        application(source=A)
        | application(source=B)
        | of_run(WINDOW, always(900), source=A)
        | of_run(WINDOW, always(900), source=B),
        {"10m": [INFO | APP]},
    ),
]


def knows(epoch: str, colour: str = "green", **more: str) -> dict[str, str]:
    return pod("bg_consumer_epoch", epoch, colour, **more)


STALE = [
    Case(
        "fires when pods know a newer epoch for five minutes",
        "BGMetricsStale",
        application(epoch=3) | knows(steps((3, 2), (5, 30))) | knows(always(0), name="1"),
        {"6m45s": [], "7m": [CRITICAL | APP]},
    ),
    Case(
        "fires when a Pushgateway was started again and is empty",
        "BGMetricsStale",
        knows(always(3)) | application(app="payment") | application(namespace="staging"),
        {"5m": [CRITICAL | APP]},
    ),
    Case(
        "silent while a run is young, which publishes at its end, and fires when that never comes",
        "BGMetricsStale",
        application(epoch=3) | phase("switching", 60) | knows(steps((3, 2), (4, 30))),
        {"10m": [], "15m45s": [], "16m": [CRITICAL | APP]},
    ),
    Case(
        "silent while a run goes on and when pods know the same, or less",
        "BGMetricsStale",
        application(epoch=steps((3, 2), (4, 30)))
        | knows(steps((3, 6), (4, 20)))
        | knows(always(3), "blue")
        | application(epoch=9, app="payment")
        | knows(always(9), app="payment"),
        {"6m": [], "12m": []},
    ),
    Case(
        "silent for one with an older Pushgateway beside the right one",
        "BGMetricsStale",
        application(epoch=2, source=A) | application(epoch=3, source=B) | knows(always(3)),
        {"12m": []},
    ),
]

CASES = [*LAG, *UNKNOWN, *EXPORTER, *RUNNING, *FAILING, *BOTH, *TOO_LONG, *ABANDONED, *CLOSING, *STALE]
