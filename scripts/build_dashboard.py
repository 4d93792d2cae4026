#!/usr/bin/env python3
"""Build monitoring/dashboard.json, the dashboard for Grafana.

Its figures are of one application, which is chosen at the top. Lag, replicas, errors and the active colour are read from the
series that monitoring/rules.yml records, so the dashboard is the same whatever exporters the rules are rendered for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TypeVar

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

TARGET = Path(__file__).resolve().parent.parent / "monitoring" / "dashboard.json"
DATASOURCE = common_models.DataSourceRef(type_val="prometheus", uid="${datasource}")
# Series of the application; the variables are Grafana's.
CHOSEN = 'namespace="$namespace",app="$app"'
OURS = f"{{{CHOSEN}}}"
COLOURS = ("blue", "green")

Query = tuple[str, str]
"""An expression, and what each of its series is called."""
Panel = TypeVar("Panel", stat.Panel, timeseries.Panel, heatmap.Panel, statetimeline.Panel)


def of_colour(colour: str) -> str:
    """Return the series that says how others call a colour."""
    return f'bg_colour_info{{{CHOSEN},colour="{colour}"}}'


def of_newest_run(metric: str, *own: str) -> str:
    """Return what the newest run says: several Pushgateways, or machines, each keep what they were told last.

    own: the labels that the series has besides those of a run.
    """
    matching = f"ignoring ({', '.join(own)}) " if own else ""
    return f"{metric}{OURS} and {matching}({newest('bg_epoch')})"


def newest(metric: str) -> str:
    """Return, of series whose value grows from run to run, the last one."""
    return f"{metric}{OURS} == on (namespace, app) group_left () max by (namespace, app) ({metric}{OURS})"


def replicas(what: str, colour: str) -> str:
    """Return how many pods of a colour are ready or wanted."""
    return f"sum(bg:workload:{what} and on (namespace, workload_kind, workload) {of_colour(colour)})"


def lag(colour: str) -> str:
    """Return the lag of each partition of a colour's group."""
    return f"bg:consumergroup_partition:lag and on (consumergroup) {of_colour(colour)}"


def words(**texts: tuple[str, str]) -> list[models.ValueMapping]:
    """Return what is shown for a number, as `_1=(text, colour)`."""
    options = {
        number.removeprefix("_"): models.ValueMappingResult(text=text, color=colour, index=index)
        for index, (number, (text, colour)) in enumerate(texts.items())
    }
    return [models.ValueMap(options=options)]


def limits(*steps: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Return from which figure on a panel has which colour; None is the beginning."""
    found = [models.Threshold(value=value, color=colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(found)


def fixed(colour: str) -> list[models.DynamicConfigValue]:
    """Return the setting of one colour."""
    return [models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})]


class Board:
    """The dashboard while it is filled from left to right and from top to bottom."""

    def __init__(self) -> None:
        self.dashboard = dashboard.Dashboard("Kafka blue/green")
        self._numbers = count(1)

    def row(self, title: str) -> None:
        """Begin a row."""
        self.dashboard.with_row(dashboard.Row(title).id(next(self._numbers)))

    def _laid(
        self,
        panel: Panel,
        asked: Sequence[Query],
        title: str,
        text: str,
        width: int,
        height: int,
        instant: bool = False,
    ) -> Panel:
        panel.id(next(self._numbers)).title(title).description(text).datasource(DATASOURCE).span(width).height(height)
        for letter, (expression, legend) in zip("ABCDEF", asked, strict=False):
            query = prometheus.Dataquery().ref_id(letter).expr(expression).legend_format(legend)
            panel.with_target(query.instant() if instant else query.range())
        return panel

    def figure(self, title: str, text: str, *asked: Query, width: int = 4, name_only: bool = False) -> stat.Panel:
        """Return a panel with the current value of each series, or with its name alone."""
        panel = self._laid(stat.Panel(), asked, title, text, width, 4, instant=True)
        panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        panel.graph_mode(common_models.BigValueGraphMode.NONE)
        if name_only:
            panel.text_mode(common_models.BigValueTextMode.NAME)
        for colour in COLOURS:
            panel.override_by_name(colour, fixed(colour))
        return panel

    def graph(self, title: str, text: str, *asked: Query, unit: str, width: int = 12) -> timeseries.Panel:
        """Return a panel with a line for each series."""
        panel = self._laid(timeseries.Panel(), asked, title, text, width, 8).unit(unit).min(0)
        panel.legend(common.VizLegendOptions().show_legend(True))
        for colour in COLOURS:
            panel.override_by_name(colour, fixed(colour))
        return panel

    def map(self, title: str, text: str, asked: Query) -> heatmap.Panel:
        """Return a panel with a line of cells for each series."""
        panel = self._laid(heatmap.Panel(), [asked], title, text, 12, 8)
        return panel.calculate(False).max_data_points(120)

    def time_line(self, title: str, text: str, *asked: Query) -> statetimeline.Panel:
        """Return a panel with a bar for each series, as long as it is there."""
        panel = self._laid(statetimeline.Panel(), asked, title, text, 24, 6)
        return panel.mappings(words(_1=("yes", "blue"), _0=("no", "transparent"))).fill_opacity(80)

    def add(self, *panels: stat.Panel | timeseries.Panel | heatmap.Panel | statetimeline.Panel) -> None:
        """Put panels beside each other."""
        for panel in panels:
            self.dashboard.with_panel(panel)


def status(board: Board) -> None:
    """What is active, what each colour has, and whether something is under way."""
    age = f"time() - max(bg:phase:since_timestamp_seconds{OURS})"
    board.row("Status")
    board.add(
        board.figure(
            "Active colour",
            "As last published, by the begin or the end of a run.",
            (f"bg:active_colour:info{OURS}", "{{colour}}"),
            name_only=True,
        ),
        *(
            board.figure(
                f"Pods of {colour}",
                "Ready, and wanted.",
                (replicas("ready", colour), "ready"),
                (replicas("wanted", colour), "wanted"),
            )
            for colour in COLOURS
        ),
        board.figure(
            "Phase",
            "As last published. stable: no hand-over is under way.",
            (f"bg:phase:since_timestamp_seconds{OURS}", "{{phase}}"),
            name_only=True,
        ),
        board.figure(
            "Run",
            "Whether a switch or a rollback has begun and not ended, as last published.",
            (f"max({of_newest_run('bg_switch_in_progress')})", "run"),
        ).mappings(words(_0=("none", "green"), _1=("under way", "orange"))),
        board.figure(
            "Age of the phase",
            "How long the record has been in this phase, as last published.",
            (age, "age"),
        ).unit("s"),
    )
    board.add(
        board.time_line(
            "Colours and phases",
            "Which colour was active, and the phases of runs. The lines across the graphs are ends of runs and alerts.",
            (f"max by (colour) (bg:active_colour:info{OURS})", "{{colour}} active"),
            (f'max by (phase) (bg:phase:since_timestamp_seconds{{{CHOSEN},phase!="stable"}}) > bool 0', "{{phase}}"),
        )
    )


def lags(board: Board) -> None:
    """How far each colour is behind."""
    board.row("Lag")
    board.add(
        board.graph(
            "Lag of blue and green",
            "Records that the group has not committed. It grows for the colour that is not active: that is no fault.",
            *((f"sum({lag(colour)})", colour) for colour in COLOURS),
            unit="short",
            width=24,
        )
    )
    board.add(
        *(
            board.map(
                f"Lag of {colour} by partition", "A line for each partition.", (lag(colour), "{{topic}}-{{partition}}")
            )
            for colour in COLOURS
        )
    )


def performance(board: Board) -> None:
    """What each colour does."""
    spring = [
        f"sum by (colour) (rate(spring_kafka_listener_seconds_{end}{OURS}[$__rate_interval]))"
        for end in ("sum", "count")
    ]
    board.row("Performance")
    board.add(
        board.graph(
            "Records per second",
            "Processed without a fault.",
            (f"bg:colour:processed_per_second{OURS}", "{{colour}}"),
            unit="cps",
        ),
        board.graph(
            "Error ratio",
            "Failed records of all records.",
            (f"bg:colour:error_ratio{OURS}", "{{colour}}"),
            unit="percentunit",
        ).thresholds(limits((None, "green"), (0.01, "red"))),
        board.graph(
            "Records in flight",
            "Taken from Kafka and not done yet.",
            (f"sum by (colour) (bg_consumer_records_in_flight{OURS})", "{{colour}}"),
            unit="short",
        ),
        board.graph(
            "Mean time of a record",
            "Only of applications with Spring's listener: its timer, sum through count.",
            (f"{spring[0]} / {spring[1]}", "{{colour}}"),
            unit="s",
        ),
    )


def rollback(board: Board) -> None:
    """Whether there is a way back, and what the last run did."""
    window = of_newest_run("bg_rollback_window_end_timestamp_seconds")
    snapshot = of_newest_run("bg_snapshot_timestamp_seconds")
    gates = of_newest_run("bg_gate", "stage", "gate")
    ended = f"max by (result) ({newest('bg_switch_last_timestamp_seconds')}) * 1000"
    no_go = f"min by (stage, gate) ({gates}) == 0"
    board.row("Way back")
    board.add(
        board.figure(
            "Rollback window",
            "How long a rollback is allowed yet.",
            (f"clamp_min(max({window}) - time(), 0)", "left"),
            width=6,
        )
        .unit("s")
        .no_value("no window")
        .thresholds(limits((None, "red"), (1, "orange"), (600, "green"))),
        board.figure(
            "Age of the snapshot",
            "When the offsets of the last hand-over were taken.",
            (f"time() - max({snapshot})", "age"),
            width=6,
        )
        .unit("s")
        .no_value("none"),
        board.figure(
            "Last run",
            "Its end and its result.",
            (ended, "{{result}}"),
            width=6,
        )
        .unit("dateTimeAsIso")
        .text_mode(common_models.BigValueTextMode.VALUE_AND_NAME),
        board.figure(
            "No-Go, as last published",
            "Gates that said No-Go at the end of the last run. The next begin, and status, publish only those of before.",
            (no_go, "{{stage}}: {{gate}}"),
            width=6,
            name_only=True,
        ).no_value("none"),
        board.graph(
            "Steps of the last run",
            "How long each step took; handover is the time from the pause of one colour to the start of the other.",
            (f"max by (step) ({of_newest_run('bg_switch_duration_seconds', 'step')})", "{{step}}"),
            unit="s",
        ),
        board.graph(
            "Partitions of the last hand-over",
            "Whose offsets were handed over, by topic.",
            (f"max by (topic) ({of_newest_run('bg_offsets_copied', 'topic')})", "{{topic}}"),
            unit="short",
        ),
    )


def marks(board: Board) -> None:
    """Mark on every graph when runs ended, when the record changed and when alerts fired."""
    for name, expression, title, colour, value_is_time in (
        (
            "Ends of runs",
            f"max by (result) (bg_switch_last_timestamp_seconds{OURS}) * 1000",
            "{{result}}",
            "blue",
            True,
        ),
        ("Transitions", f"changes(bg_epoch{OURS}[1m]) > 0", "epoch", "purple", False),
        ("Alerts", f'ALERTS{{{CHOSEN},alertstate="firing"}}', "{{alertname}}", "red", False),
    ):
        board.dashboard.annotation(
            dashboard.AnnotationQuery()
            .name(name)
            .datasource(DATASOURCE)
            .enable(True)
            .icon_color(colour)
            .expr(expression)
            .step("15s")
            .title_format(title)
            .text_format("{{namespace}}/{{app}} {{colour}}" if name == "Alerts" else "")
            .use_value_for_time(value_is_time)
        )


def variables(board: Board) -> None:
    """Let people choose where the figures come from and of which application they are."""
    board.dashboard.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    for name, label, query in (
        ("namespace", "Namespace", "label_values(bg_epoch, namespace)"),
        ("app", "Application", 'label_values(bg_epoch{namespace="$namespace"}, app)'),
    ):
        board.dashboard.with_variable(
            dashboard.QueryVariable(name)
            .label(label)
            .datasource(DATASOURCE)
            .query(query)
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(models.VariableSort.ALPHABETICAL_ASC)
        )


def build() -> str:
    """Return the dashboard as JSON."""
    board = Board()
    board.dashboard.uid("bluegreen").tags(["kafka", "blue/green"]).editable().refresh("10s").time("now-1h", "now")
    board.dashboard.tooltip(models.DashboardCursorSync.CROSSHAIR)
    board.dashboard.description(
        "Blue/green applications on Kafka. Needs the rules of streamops.bluegreen, which record its series."
    )
    variables(board)
    marks(board)
    status(board)
    lags(board)
    performance(board)
    rollback(board)
    return json.dumps(board.dashboard.build(), cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(build(), encoding="utf-8")
    print(TARGET)
