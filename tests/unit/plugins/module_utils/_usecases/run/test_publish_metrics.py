# Copyright (c) 2026, the streamops.bluegreen authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several places, and a state that changes while it is published."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

import pytest

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import StoredObject
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import (
    ClusterError,
    MetricsError,
    UnreadableMetricsError,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.record.active_record import ActiveRecord
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.run.application import parse_application
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.samples import Sample, in_order
from ansible_collections.streamops.bluegreen.plugins.module_utils._usecases.run.publish_metrics import publish_metrics
from ansible_collections.streamops.bluegreen.tests.unit.fakes.ports import World

APP = parse_application({"name": "app", "namespace": "n", "blue": {"group": "b"}, "green": {"group": "g"}})
NAME = "app-active-version"


@dataclass
class Place:
    """A place in memory. on_replace: what happens while it is written."""

    title: str = "the place"
    content: str = ""
    broken: str = ""
    on_replace: list[t.Callable[[], None]] = field(default_factory=list)
    writes: int = 0

    def name(self) -> str:
        return self.title

    def text(self, samples: t.Iterable[Sample]) -> str:
        return "".join(f"{one.name}{sorted(one.labels.items())} {one.value}\n" for one in in_order(samples))

    def read(self) -> str:
        if self.broken:
            raise MetricsError(self.broken)
        return self.content

    def replace(self, samples: t.Iterable[Sample]) -> None:
        self.content, self.writes = self.text(samples), self.writes + 1
        if self.on_replace:
            self.on_replace.pop(0)()


def store(world: World, record: ActiveRecord) -> None:
    world.cluster.maps[NAME] = StoredObject(NAME, record.to_data(), "1")


@pytest.fixture
def stable(world: World) -> World:
    store(world, ActiveRecord("blue", 3, 3))
    return world


def epoch(place: Place) -> str:
    return next(line for line in place.content.splitlines() if line.startswith("bg_epoch")).split()[-1]


def test_every_place_is_brought_up_to_date_and_then_left_alone(stable: World) -> None:
    new, known = Place("the new one"), Place("the known one")
    publish_metrics(stable.ports, APP, [known], {})
    done = publish_metrics(stable.ports, APP, [new, known], {})
    assert done["published"] == [
        {"place": "the new one", "changed": True},
        {"place": "the known one", "changed": False},
    ]
    assert (done["changed"], [one["before_header"] for one in done["diff"]]) == (True, ["the new one"])
    again = publish_metrics(stable.ports, APP, [new, known], {})
    assert (again["changed"], again["diff"], new.writes, known.writes) == (False, [], 1, 1)


def test_one_place_that_fails_does_not_keep_the_others_from_it(stable: World) -> None:
    broken, well = Place("a", broken="a is broken"), Place("b")
    other = Place("c", broken="c is broken, too")
    with pytest.raises(MetricsError, match=r"^a is broken\. c is broken, too$") as failed:
        publish_metrics(stable.ports, APP, [broken, well, other], {})
    assert (failed.value.result["changed"], well.writes) == (True, 1)
    assert failed.value.result["published"] == [{"place": "b", "changed": True}]


def test_a_place_that_can_not_be_read_is_written_unless_its_content_is_asked_for(stable: World) -> None:
    class Unreadable(Place):
        def read(self) -> str:
            raise UnreadableMetricsError("too long")

    place = Unreadable()
    done = publish_metrics(stable.ports, APP, [place], {})
    assert (done["changed"], place.writes, epoch(place)) == (True, 1, "3")
    assert "too long. It was replaced without a look at it" in done["warnings"][0]
    for asked in ({"check": True}, {"exact": True}):
        with pytest.raises(MetricsError, match="too long"):
            publish_metrics(stable.ports, APP, [place], {}, **asked)
    assert place.writes == 1


def test_a_state_that_changes_meanwhile_is_published_again(stable: World) -> None:
    """Of two who publish at once, the one that is last has seen the last state."""
    place = Place(on_replace=[lambda: store(stable, ActiveRecord("green", 5, 5))])
    done = publish_metrics(stable.ports, APP, [place], {})
    assert (epoch(place), place.writes) == ("5", 2)
    assert (done["diff"][0]["before"], done["diff"][0]["after"]) == ("", place.content)
    assert {one["name"]: one["value"] for one in done["metrics"]}["bg_epoch"] == 5


def test_a_state_that_never_rests_is_not_followed_for_ever(stable: World) -> None:
    changes = [lambda epoch=epoch: store(stable, ActiveRecord("blue", epoch, epoch)) for epoch in range(4, 20)]
    place = Place(on_replace=t.cast(t.Any, changes))
    publish_metrics(stable.ports, APP, [place], {})
    assert place.writes == 3


def test_an_api_server_that_goes_away_afterwards_undoes_nothing(stable: World) -> None:
    place = Place(on_replace=[lambda: setattr(stable.cluster, "down", True)])
    assert publish_metrics(stable.ports, APP, [place], {})["changed"] is True
    with pytest.raises(ClusterError):
        publish_metrics(stable.ports, APP, [place], {})


def test_check_mode_reads_once_and_writes_nothing(stable: World) -> None:
    place = Place()
    predicted = publish_metrics(stable.ports, APP, [place], {}, check=True)
    assert (predicted["changed"], place.writes) == (True, 0)
    done = publish_metrics(stable.ports, APP, [place], {})
    assert predicted == done


def test_a_snapshot_that_is_missing_is_told(stable: World) -> None:
    store(stable, replace(ActiveRecord("blue", 3, 3), snapshot="app-bg-snapshot-a"))
    done = publish_metrics(stable.ports, APP, [Place()], {})
    assert "The metrics of the last hand-over are left out: ConfigMap app-bg-snapshot-a does not exist" in str(
        done["warnings"]
    )
    assert "bg_snapshot_timestamp_seconds" not in str(done["metrics"])
