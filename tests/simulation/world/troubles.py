"""What can happen to pods and to the network between them and the operator."""

from __future__ import annotations

import random
import typing as t

from tests.simulation.world.cluster import SimPod
from tests.simulation.world.ports import Mishap
from tests.simulation.world.world import World

Trouble = t.Callable[[World, str, random.Random], None]
"""Strikes a pod of a colour, chosen by chance."""


def of_a_pod(act: t.Callable[[World, SimPod], t.Any]) -> Trouble:
    """Trouble of one pod of a colour, chosen by chance when it strikes."""

    def trouble(world: World, colour: str, chance: random.Random) -> None:
        pods = sorted(world.cluster.pods_of(colour), key=lambda pod: pod.name)
        if pods:
            act(world, chance.choice(pods))

    return trouble


def hang(seconds: float) -> Trouble:
    """The process stands still and goes on."""

    def act(world: World, pod: SimPod) -> None:
        container = pod.container
        if container is not None and container.alive and not container.frozen:
            container.freeze()
            world.scheduler.after(seconds, container.thaw)

    return of_a_pod(act)


def mishap(**what: t.Any) -> Trouble:
    """The next command for the pod goes astray."""
    return of_a_pod(lambda world, pod: world.mishaps.update({pod.name: Mishap(**what)}))


def one_more(world: World, colour: str, chance: random.Random) -> None:
    """Somebody scales the workload up."""
    workload = world.app.colours[colour].workload
    world.cluster.workloads[workload].start_delay = chance.choice(((0.0, 0.05), (0.2, 0.5)))
    world.cluster.scale(workload, world.replicas(colour) + 1)


def blind(world: World, pod: SimPod) -> None:
    """The pod can't read the record for longer than its lease."""
    if pod.container is not None:
        name = pod.container.name
        world.cluster.unreadable_for.add(name)
        world.scheduler.after(8.0, lambda: world.cluster.unreadable_for.discard(name))


# Trouble of a colour, and how many seconds it may last.
TROUBLES: dict[str, tuple[Trouble, float]] = {
    "crash": (of_a_pod(lambda world, pod: world.cluster.crash(pod)), 0),
    "delete": (of_a_pod(lambda world, pod: world.cluster.delete_pod(pod)), 0),
    "lose": (of_a_pod(lambda world, pod: world.cluster.lose_pod(pod)), 6),
    "hang shortly": (hang(2.0), 2),
    "hang past the session": (hang(9.0), 9),
    "hang past every timeout": (hang(25.0), 25),
    "cannot read the record": (of_a_pod(blind), 9),
    "rebalance": (lambda world, colour, chance: world.broker.group(world.group(colour)).prepare_rebalance(), 1),
    "one more pod": (one_more, 2),
    "request lost": (mishap(lose_request=True), 0),
    "answer lost": (mishap(lose_answer=True), 0),
    "request held up": (mishap(delay=3.0), 3),
    "request held up for long": (mishap(delay=12.0), 12),
}
