"""Kubernetes in memory: stored objects with versions, Deployments that make and remove pods, kubelets that lag behind."""

from __future__ import annotations

import random
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.streamops.bluegreen.plugins.module_utils._core.cluster import (
    LeaseState,
    Pod,
    Scaler,
    StoredObject,
    Workload,
)
from ansible_collections.streamops.bluegreen.plugins.module_utils._core.errors import ClusterError, ConflictError
from tests.simulation.world.scheduler import Process, Scheduler

if t.TYPE_CHECKING:
    from tests.simulation.world.pods import Container

CONTROLLER_DELAY = 0.05
GRACE = 3.0
RESTART_DELAY = 0.2
REPORT_LAG = 0.15
"""Longest time until a kubelet has told the API server what its pod does."""
OUR_FIELD_MANAGER = "streamops.bluegreen"


@dataclass
class SimPod:
    """A pod. shown is what the API server knows of it, which may be old; unreported is what its kubelet knows beside that.

    ended: why it failed; it stays listed, without a process.
    """

    name: str
    uid: str
    colour: str
    shown: Pod
    ip: str
    container: Container | None = None
    restarts: int = 0
    gone: bool = False
    ended: str = ""
    unreported: dict[str, t.Any] = field(default_factory=dict)


@dataclass
class SimWorkload:
    """A Deployment of one colour."""

    name: str
    colour: str
    replicas: int
    good_image: bool = True
    start_delay: tuple[float, float] = (0.2, 0.5)
    scaled_by: tuple[str, ...] = ()


class ApiServer:
    """One namespace."""

    def __init__(
        self,
        scheduler: Scheduler,
        rng: random.Random,
        make_container: t.Callable[[str, str], Container],
    ) -> None:
        self.scheduler = scheduler
        self.rng = rng
        self.make_container = make_container
        self.config_maps: dict[str, StoredObject] = {}
        self.immutable: set[str] = set()
        self.leases: dict[str, LeaseState] = {}
        self.workloads: dict[str, SimWorkload] = {}
        self.pods: dict[str, SimPod] = {}
        self.record_name = ""
        self.unreadable_for: set[str] = set()
        self.denied: list[str] = []
        self.report_lag = REPORT_LAG
        self.down_until = 0.0
        self.scalers: list[Scaler] = []
        self._version = 0
        self._serial = 0

    # --- is it there? ------------------------------------------------------------------------------------------------

    def go_away(self, seconds: float) -> None:
        """The API server is away: for operators, for pods that read the record, for controllers and kubelets."""
        self.down_until = max(self.down_until, self.scheduler.now + seconds)

    @property
    def away(self) -> bool:
        return self.scheduler.now < self.down_until

    def check_up(self) -> None:
        """Raises ClusterError while it is away."""
        if self.away:
            raise ClusterError("the API server does not answer: connection refused")

    def _after(self, delay: float, what: t.Callable[[], t.Any]) -> None:
        """What a controller or a kubelet does, as soon as the API server is there."""

        def due() -> None:
            if self.away:
                self.scheduler.after(self.down_until - self.scheduler.now + delay, due)
            else:
                what()

        self.scheduler.after(delay, due)

    # --- stored objects ----------------------------------------------------------------------------------------------

    def next_version(self) -> str:
        self._version += 1
        return str(self._version)

    def create(self, name: str, data: t.Mapping[str, str], immutable: bool = False) -> StoredObject:
        """Raises ConflictError when it exists."""
        if name in self.config_maps:
            raise ConflictError(f"ConfigMap {name} exists already")
        if immutable:
            self.immutable.add(name)
        self.config_maps[name] = StoredObject(name, dict(data), self.next_version())
        return self.config_maps[name]

    def replace(self, name: str, data: t.Mapping[str, str], version: str) -> StoredObject:
        """Raises ConflictError unless the object is still at that version."""
        found = self.config_maps.get(name)
        if found is None or found.resource_version != version:
            raise ConflictError(f"ConfigMap {name} was changed by somebody else")
        assert name not in self.immutable, f"{name} is immutable"
        # The API server does not store an update that changes nothing.
        if dict(found.data) != dict(data):
            self.config_maps[name] = StoredObject(name, dict(data), self.next_version())
        return self.config_maps[name]

    def put_lease(self, name: str, holder: str, duration: int, version: str | None) -> LeaseState:
        """Raises ConflictError unless the Lease is as it was read."""
        found = self.leases.get(name)
        if (found.resource_version if found else None) != version:
            raise ConflictError(f"Lease {name} was changed by somebody else")
        renewed = f"{self.scheduler.now:.6f}"
        self.leases[name] = LeaseState(name, holder, duration, renewed, self.next_version())
        return self.leases[name]

    def read_record_as(self, process: Process) -> t.Mapping[str, str] | None:
        """A pod reads the record; None when it can't."""
        return self.read_config_map_as(process, self.record_name)

    def read_config_map_as(self, process: Process, name: str) -> t.Mapping[str, str] | None:
        """A pod reads a ConfigMap; None when it can't."""
        self.scheduler.sleep(0.001 + self.rng.random() * 0.004)
        blind = process.name in self.unreadable_for or self.away
        stored = None if blind else self.config_maps.get(name)
        self.scheduler.sleep(0.001 + self.rng.random() * 0.004)
        return stored.data if stored else None

    # --- workloads ---------------------------------------------------------------------------------------------------

    def workload(self, name: str) -> Workload | None:
        found = self.workloads.get(name)
        if found is None:
            return None
        return Workload("Deployment", name, f"uid-{name}", found.replicas, grace=int(GRACE), scaled_by=found.scaled_by)

    def pods_of(self, colour: str) -> list[SimPod]:
        """Pods that have or may get a process."""
        return [pod for pod in self.pods.values() if pod.colour == colour and not pod.ended]

    def ended_pods(self, colour: str) -> list[str]:
        return [f"{pod.name} ({pod.ended})" for pod in self.pods.values() if pod.colour == colour and pod.ended]

    def containers(self, colour: str | None = None) -> list[Container]:
        """Every living process of a colour, or of both."""
        return [
            pod.container
            for pod in self.pods.values()
            if pod.container is not None and pod.container.alive and colour in (None, pod.colour)
        ]

    def scale(self, name: str, replicas: int) -> None:
        self.workloads[name].replicas = replicas
        self._reconcile_soon(name)

    def _reconcile_soon(self, name: str) -> None:
        self._after(self.rng.uniform(0.01, CONTROLLER_DELAY), lambda: self._reconcile(self.workloads[name]))

    def _reconcile(self, workload: SimWorkload) -> None:
        live = [pod for pod in self.pods_of(workload.colour) if not pod.shown.terminating]
        for _missing in range(workload.replicas - len(live)):
            self._create_pod(workload)
        for pod in live[workload.replicas :]:
            self.delete_pod(pod)

    def _create_pod(self, workload: SimWorkload) -> None:
        self._serial += 1
        name = f"{workload.name}-{self._serial}"
        uid, ip = f"uid-{self._serial}", f"10.0.{self._serial // 250}.{self._serial % 250 + 1}"
        pod = SimPod(name, uid, workload.colour, Pod(name, uid, phase="Pending"), ip)
        self.pods[name] = pod
        if workload.good_image:
            self._after(self.rng.uniform(*workload.start_delay), lambda: self.start_container(pod))
        else:
            self._show(pod, problem="ErrImagePull: no such image")
            self.scheduler.after(0.5, lambda: self._show(pod, problem="ImagePullBackOff: no such image"))

    def start_container(self, pod: SimPod) -> None:
        """The kubelet starts the process; the API server hears of it a little later."""
        if pod.gone or pod.ended or pod.shown.terminating:
            return
        pod.container = self.make_container(pod.colour, f"{pod.name}.{pod.restarts}")
        pod.container.member.host = pod.ip
        pod.shown = replace(pod.shown, ip=pod.ip)  # known before its first container runs
        pod.container.boot()
        self._show(pod, phase="Running", problem="")

    def _show(self, pod: SimPod, **changes: t.Any) -> None:
        """The kubelet reports what changed, a little later, and then as it is by then."""
        pod.unreported.update(changes)

        def tell() -> None:
            if not pod.gone and not pod.ended:
                pod.shown, pod.unreported = replace(pod.shown, **pod.unreported), {}

        self._after(self.rng.random() * self.report_lag, tell)

    # --- what happens to pods ----------------------------------------------------------------------------------------

    def _pod_of(self, container: Container) -> SimPod | None:
        return next((pod for pod in self.pods.values() if pod.container is container), None)

    def container_ready(self, container: Container) -> None:
        pod = self._pod_of(container)
        if pod is not None:
            self._show(pod, ready=True)

    def container_exited(self, container: Container) -> None:
        """The process ended by itself: the end of a pod that terminates, a restart otherwise."""
        pod = self._pod_of(container)
        if pod is None or pod.ended:
            return
        if pod.shown.terminating:
            self._after(self.rng.random() * self.report_lag, lambda: self._remove(pod))
        else:
            self._restart(pod)

    def crash(self, pod: SimPod) -> None:
        """The container is killed (out of memory); the kubelet starts it again."""
        if pod.container is not None and pod.container.alive:
            pod.container.kill()
            if pod.shown.terminating:
                self._remove(pod)
            else:
                self._restart(pod)

    def _restart(self, pod: SimPod) -> None:
        pod.restarts += 1
        problem = "CrashLoopBackOff: back-off restarting" if pod.restarts > 1 else ""
        self._show(pod, ready=False, problem=problem, restarts=pod.restarts)
        self.scheduler.after(RESTART_DELAY * pod.restarts, lambda: self.start_container(pod))

    def delete_pod(self, pod: SimPod) -> None:
        """Deletion with grace: SIGTERM now, SIGKILL later; a Deployment replaces it at once."""
        if pod.gone or pod.ended or pod.shown.terminating:
            return
        pod.shown = replace(pod.shown, terminating=True, ready=False)
        if pod.container is None or not pod.container.alive:
            self._after(self.rng.random() * self.report_lag, lambda: self._remove(pod))
        else:
            container = pod.container
            if container.frozen:
                container.deferred_termination = True
            else:
                container.terminate()
            self._after(GRACE, lambda: self._remove(pod))
        self._replace(pod)

    def evict(self, pod: SimPod, reason: str = "Evicted") -> None:
        """The node is short of something: the process is ended, the pod is Failed and stays listed; another one is made."""
        if pod.gone or pod.ended or pod.shown.terminating:
            return
        if pod.container is not None and pod.container.alive:
            pod.container.kill()
        pod.ended = reason
        pod.shown = replace(pod.shown, phase="Failed", ready=False)
        self._replace(pod)

    def lose_pod(self, pod: SimPod) -> None:
        """The pod is gone with its process (force deletion of a dead node's pod)."""
        self._remove(pod)
        self._replace(pod)

    def _replace(self, pod: SimPod) -> None:
        name = next(name for name, workload in self.workloads.items() if workload.colour == pod.colour)
        self._reconcile_soon(name)

    def _remove(self, pod: SimPod) -> None:
        if pod.gone:
            return
        pod.gone = True
        if pod.container is not None and pod.container.alive:
            pod.container.kill()
        self.pods.pop(pod.name, None)
