"""What implements a port has each of its methods, with the same parameters; only what is named here may lack some."""

from __future__ import annotations

import inspect

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils import _ports
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kafka.adapter import KafkaAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.kubernetes.adapter import KubernetesAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.pods import PodsAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.prometheus import PrometheusAdapter
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.pushgateway import Pushgateway
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.system import SystemClock, ThreadParallel
from ansible_collections.streamops.bluegreen.plugins.module_utils._adapters.textfile import Textfile
from tests.simulation.world.ports import SimClock, SimCluster, SimConsumers, SimKafka, SimMetrics, SimParallel
from tests.unit.fakes.kafka import FakeKafka

IMPLEMENTED = [
    (_ports.Kafka, KafkaAdapter, ()),
    (_ports.Cluster, KubernetesAdapter, ()),
    (_ports.Consumers, PodsAdapter, ()),
    (_ports.Metrics, PrometheusAdapter, ()),
    (_ports.Clock, SystemClock, ()),
    (_ports.Parallel, ThreadParallel, ()),
    (_ports.MetricsPlace, Pushgateway, ()),
    (_ports.MetricsPlace, Textfile, ()),
    # No use case of a run calls these.
    (_ports.Kafka, SimKafka, ("offsets_retention", "transactions_beside", "delete_group")),
    (_ports.Cluster, SimCluster, ("secret",)),
    (_ports.Consumers, SimConsumers, ()),
    (_ports.Metrics, SimMetrics, ()),
    (_ports.Clock, SimClock, ()),
    (_ports.Parallel, SimParallel, ()),
    (_ports.Kafka, FakeKafka, ("min_insync_replicas",)),
]


def methods(port: type) -> dict[str, object]:
    return {name: method for name, method in vars(port).items() if callable(method) and not name.startswith("_")}


def parameters(method: object) -> list[tuple[str, object]]:
    """Names and defaults; a fake may leave the annotations out."""
    return [(one.name, one.default) for one in inspect.signature(method).parameters.values()]


@pytest.mark.parametrize(("port", "made", "lacks"), IMPLEMENTED, ids=lambda one: getattr(one, "__name__", ""))
def test_every_method_with_the_same_parameters(port: type, made: type, lacks: tuple[str, ...]) -> None:
    wanted = methods(port)
    assert wanted, "no port"
    for name, method in wanted.items():
        found = getattr(made, name, None)
        if name in lacks:
            continue
        assert found is not None, f"{made.__name__} lacks {name}"
        assert parameters(found) == parameters(method), f"{made.__name__}.{name}"
    assert set(lacks) <= set(wanted), "a port has less than it is said to"
