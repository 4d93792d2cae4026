"""Series as the role metrics, kube-state-metrics, an exporter and the example's pods write them."""

from __future__ import annotations

from tests.monitoring.promtool import INTERVAL, Labels, text

PER_MINUTE = 60 // INTERVAL
GATEWAY = {"job": "bluegreen"}
"""What a series of a Pushgateway has besides, when it is scraped with honor_labels."""

Series = dict[str, str]


def steps(*parts: tuple[float | str, float]) -> str:
    """Samples: each value for so many minutes. A value may be a difference to count on with: 0+5; none for no sample."""
    written = []
    for value, minutes in parts:
        samples = round(minutes * PER_MINUTE)
        value_ = "_" if value == "none" else f"{value}"
        written.append(f"{value_}x{samples - 1}" if value != "none" else f"_x{samples}")
    return " ".join(written)


def always(value: float, minutes: float = 60) -> str:
    """One value."""
    return steps((value, minutes))


def counting(per_second: float, minutes: float = 60, start: float = 0) -> str:
    """A counter that grows."""
    return f"{start:g}+{per_second * INTERVAL:g}x{round(minutes * PER_MINUTE)}"


def colour_of(
    colour: str, app: str = "order-consumer", namespace: str = "orders", kind: str = "Deployment", group: str = ""
) -> Labels:
    """The labels of an alert about a colour that has a group."""
    return {
        "app": app,
        "colour": colour,
        "consumergroup": f"{group or app}-{colour}",
        "namespace": namespace,
        "workload": f"{app}-{colour}",
        "workload_kind": kind,
    }


def application(
    active: str = "green",
    app: str = "order-consumer",
    namespace: str = "orders",
    kind: str = "Deployment",
    epoch: str | float = 3,
    source: Labels = GATEWAY,
    minutes: float = 60,
    group: str = "",
) -> Series:
    """What a run leaves in a Pushgateway: the epoch, the active colour and the names of both colours."""
    whose = source | {"app": app, "namespace": namespace}
    made = {"bg_epoch" + text(whose): epoch if isinstance(epoch, str) else always(epoch, minutes)}
    for colour in ("blue", "green"):
        value = 1 if colour == active else 0
        made["bg_active_version" + text(whose | {"colour": colour})] = always(value, minutes)
        made["bg_colour_info" + text(source | colour_of(colour, app, namespace, kind, group))] = always(1, minutes)
    return made


def phase(
    name: str,
    since: str | float,
    app: str = "order-consumer",
    namespace: str = "orders",
    source: Labels = GATEWAY,
    minutes: float = 60,
) -> Series:
    """A phase of the record, and since which second; as text: the samples."""
    labels = source | {"app": app, "namespace": namespace, "phase": name}
    values = since if isinstance(since, str) else always(since, minutes)
    return {"bg_phase_since_timestamp_seconds" + text(labels): values}


def of_run(
    metric: str, values: str, app: str = "order-consumer", namespace: str = "orders", source: Labels = GATEWAY
) -> Series:
    """Another series of a run."""
    return {metric + text(source | {"app": app, "namespace": namespace}): values}


def lag(group: str, values: dict[int, str], topic: str = "order-events", exporter: str = "exporter:9308") -> Series:
    """Partitions of a group at kafka_exporter, whose pod has a namespace of its own."""
    where = {"instance": exporter, "job": "kafka-exporter", "namespace": "monitoring"}
    return {
        "kafka_consumergroup_lag"
        + text(where | {"consumergroup": group, "partition": str(number), "topic": topic}): value
        for number, value in values.items()
    }


def replicas(
    workload: str, ready: str, wanted: str | None = None, namespace: str = "orders", kind: str = "Deployment"
) -> Series:
    """A workload at kube-state-metrics."""
    where = {"instance": "ksm:8080", "job": "kube-state-metrics", "namespace": namespace, kind.lower(): workload}
    names = {
        "Deployment": ("kube_deployment_status_replicas_ready", "kube_deployment_spec_replicas"),
        "StatefulSet": ("kube_statefulset_status_replicas_ready", "kube_statefulset_replicas"),
    }[kind]
    made = {names[0] + text(where): ready}
    if wanted is not None:
        made[names[1] + text(where)] = wanted
    return made


def record(app: str = "order-consumer", namespace: str = "orders", values: str = always(1)) -> Series:
    """The record's ConfigMap at kube-state-metrics."""
    where = {"configmap": f"{app}-active-version", "instance": "ksm:8080", "job": "kube-state-metrics"}
    return {"kube_configmap_info" + text(where | {"namespace": namespace}): values}


def pod(
    metric: str,
    values: str,
    colour: str,
    app: str = "order-consumer",
    name: str = "0",
    namespace: str = "orders",
    **more: str,
) -> Series:
    """A series of one pod of the example."""
    labels = {
        "app": app,
        "colour": colour,
        "consumergroup": f"{app}-{colour}",
        "job": "consumers",
        "namespace": namespace,
        "pod": f"{app}-{colour}-{name}",
    }
    return {metric + text(labels | more): values}
