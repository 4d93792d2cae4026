"""What Prometheus scrapes from ``GET /metrics``. Made anew for each answer from what the pod knows; nothing is kept between two."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from bgconsumer.config import Config
from bgconsumer.contract import ContractState
from bgconsumer.model import State

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class _Now(Collector):
    """One pod at one instant. The counters are those of the process: they grow from its start, and never go back."""

    def __init__(self, config: Config, now: ContractState) -> None:
        self._labels = {"app": config.app, "colour": config.colour, "consumergroup": config.group}
        self._now = now

    def collect(self) -> Iterator[Metric]:
        view, names = self._now.view, tuple(self._labels)
        own = tuple(self._labels.values())
        processed = CounterMetricFamily(
            "bg_consumer_records_processed_total",
            "Records that were processed, without those that failed.",
            labels=names,
        )
        processed.add_metric(own, view.succeeded_total)
        yield processed
        failed = CounterMetricFamily(
            "bg_consumer_records_failed_total", "Records that failed and were put aside.", labels=names
        )
        failed.add_metric(own, view.failed_total)
        yield failed
        in_flight = GaugeMetricFamily(
            "bg_consumer_records_in_flight", "Records that were fetched and are not committed yet.", labels=names
        )
        in_flight.add_metric(own, view.in_flight)
        yield in_flight
        epoch = GaugeMetricFamily(
            "bg_consumer_epoch", "Newest epoch that the pod has seen, in the active record or a command.", labels=names
        )
        epoch.add_metric(own, self._now.epoch)
        yield epoch
        state = GaugeMetricFamily(
            "bg_consumer_state", "1 for the state of the pod, 0 for the others.", labels=(*names, "state")
        )
        for each in State:
            state.add_metric((*own, each), 1 if each is self._now.state else 0)
        yield state


def text(config: Config, now: ContractState) -> str:
    """The answer to ``GET /metrics``, in Prometheus' text format."""
    return generate_latest(_Now(config, now)).decode()
