"""Bring the bed up, take it down, and say how it is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection
from pathlib import Path

from testbed import (
    cache,
    certificates,
    cgroups,
    containers,
    control_plane,
    faults,
    health,
    images,
    kafka,
    machine,
    monitoring,
    network,
    packages,
    plan,
    secured,
    settings,
    state,
    supervision,
    teardown,
)
from testbed.processes import CommandError, processor_seconds
from testbed.progress import Progress
from testbed.settings import Settings

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD_ESTIMATE = "about 10 min on two processors the first time"
STEPS = 9
MONITORING_STEPS = 2
EXTRAS = (monitoring.NAME,)
"""Parts that are started only when they are asked for."""
# Key in the environment of the directory that belongs in front of PATH.
PATH_ENTRY = "PATH"


class UnsupportedMachineError(Exception):
    """The machine lacks something; nothing was changed."""


class BedError(Exception):
    """The bed is not as the command needs it."""


def up(extra: Collection[str] = ()) -> dict[str, str]:
    """Bring the bed up, or find it healthy, and return its environment as ``env`` does.

    Args:
        extra: optional parts, of ``EXTRAS``; those that run already stay in any case.

    Raises:
        UnsupportedMachineError: before anything was changed.
    """
    chosen = settings.load()
    progress = Progress(STEPS)
    _require_machine(chosen)
    with cache.lock(settings.LOCK_FILE):
        record = state.load()
        if not _usable(record, chosen, progress):
            _prepare(progress)
            progress.step("removing what is left of an earlier bed" if teardown.traces() else "no earlier bed")
            teardown.remove(record)
            _start(chosen, progress)
            progress.line(f"The test bed is up after {progress.elapsed:.0f} s.")
        if monitoring.NAME in extra:
            monitoring.up(chosen, Progress(MONITORING_STEPS))
    return env()


def down() -> None:
    """Remove the bed with all its processes, links, mounts and files; the caches stay."""
    with cache.lock(settings.LOCK_FILE):
        teardown.remove(state.load())
        if left := teardown.traces():
            raise BedError("still there: " + "; ".join(left))


def env() -> dict[str, str]:
    """Environment variables of the bed for the programs that use it.

    ``PATH`` is the present one with the bed's kubectl in front, so the result can be merged into ``os.environ``.

    Raises:
        BedError: there is no complete bed.
    """
    return _with_path(recorded_environment())


def parts(chosen: Settings) -> list[health.Part]:
    """All parts that should run now, the optional ones that were started included."""
    return [*health.parts(chosen), *(monitoring.parts(chosen) if monitoring.present() else [])]


def broker_seconds() -> float:
    """Processor time of the broker that has had the least so far; 0.0 when one does not run.

    A Java process that started a moment ago spends most of it on compiling what it runs often.
    """
    running = supervision.running()
    parts = [running.get(f"kafka-{number}") for number in range(1, settings.BROKER_COUNT + 1)]
    return min(processor_seconds(part.pid) if part else 0.0 for part in parts)


def recorded_environment() -> dict[str, str]:
    """Environment of the bed as recorded; ``PATH`` is only the directory to put in front.

    Raises:
        BedError: there is no complete bed.
    """
    record = state.load()
    if record is None or not record.complete:
        raise BedError("the test bed is not up; run: python -m testbed up")
    added = monitoring.present()
    return {**record.environment, **(added.environment if added else {}), **_past_proxies(record.direct)}


def _past_proxies(direct: list[str]) -> dict[str, str]:
    """Variables that keep the bed's addresses away from a proxy, where this machine uses one."""
    present = {name.upper(): value for name, value in os.environ.items()}
    if "HTTP_PROXY" not in present and "HTTPS_PROXY" not in present:
        return {}
    text = ",".join([part for part in (present.get("NO_PROXY"),) if part] + direct)
    return {"NO_PROXY": text, "no_proxy": text}


def _with_path(recorded: dict[str, str]) -> dict[str, str]:
    return {**recorded, PATH_ENTRY: f"{recorded[PATH_ENTRY]}:{os.environ.get('PATH', '')}"}


def require_root() -> None:
    """Refuse commands that change the machine to anyone but root.

    Raises:
        UnsupportedMachineError: not root.
    """
    if os.geteuid() != 0:
        raise UnsupportedMachineError(machine.message(["root: the bed belongs to root (run with sudo)"]))


def _require_machine(chosen: Settings) -> None:
    built = [("kafka", kafka.jars_key()), ("kubernetes", control_plane.binary_key()), ("root", images.root_key())]
    cold = not all(cache.entry_path(name, key).is_dir() for name, key in built)
    found = machine.missing(machine.look(chosen, cold=cold, own_bed=bool(cgroups.exists())))
    if found:
        raise UnsupportedMachineError(machine.message(found))


def _usable(record: state.Record | None, chosen: Settings, progress: Progress) -> bool:
    """Whether the existing bed can be kept; repairs what a test may have done to it."""
    wanted = plan.config_hash(chosen)
    standing = state.standing(record, wanted, traces=bool(teardown.traces()))
    if standing is state.Standing.ABSENT or record is None:
        return False
    progress.line(f"{standing.value}, from {record.checkout}")
    if standing is not state.Standing.MATCHING:
        return False
    if unhealthy := _unhealthy(chosen):
        progress.line(f"not healthy: {', '.join(unhealthy)}; trying to repair it")
        try:
            faults.undo_all()
            for part in health.parts(chosen):
                health.wait(part.name, [part.check], timeout=60)
        except (health.UnhealthyError, supervision.SupervisionError, CommandError) as error:
            progress.line(f"that did not help ({error}), so it is replaced")
            return False
    progress.line(f"The test bed is up and healthy ({progress.elapsed:.1f} s).")
    return True


def _unhealthy(chosen: Settings) -> list[str]:
    return [result.part.name for result in health.check_all(health.parts(chosen)) if result.problem]


def _prepare(progress: Progress) -> None:
    """Everything that takes long and is kept: packages, jars, the Kubernetes binary, the root file system."""
    absent = packages.missing()
    progress.step(f"Debian packages: {' '.join(absent) or 'all there'}", "about 1 min" if absent else "")
    if absent:
        packages.install(absent, progress.note)
    cached = cache.entry_path("kafka", kafka.jars_key()).is_dir()
    progress.step(f"Kafka {settings.KAFKA_VERSION}", "cached" if cached else "about 30 s")
    kafka.jars()
    cached = cache.entry_path("kubernetes", control_plane.binary_key()).is_dir()
    progress.step(f"Kubernetes {settings.KUBERNETES_VERSION}", "cached" if cached else f"from source, {BUILD_ESTIMATE}")
    if not cached:
        control_plane.build(packages.go(progress.note), progress.note)
    cached = cache.entry_path("root", images.root_key()).is_dir()
    progress.step("root file system of images", "cached" if cached else "about 1 min")
    images.root_layer()


def _start(chosen: Settings, progress: Progress) -> None:
    """Start everything on a clean machine and wait until each part answered."""
    for directory in (settings.STATE_DIR, control_plane.CONFIG, supervision.LOGS, settings.RUN_DIR):
        directory.mkdir(parents=True, exist_ok=True)
    settings.STATE_DIR.chmod(0o711)
    record = state.Record(
        str(CHECKOUT),
        plan.config_hash(chosen),
        kernel_settings=state.read_kernel_settings(),
        new_directories=[str(path) for path in settings.FOREIGN_DIRECTORIES if not path.exists()],
    )
    record.save()
    progress.step("network and configuration")
    cgroups.create()
    network.create(chosen)
    record.links = network.leftovers()
    _write_configuration(chosen)
    _format_brokers()
    progress.step("starting processes")
    record.add_process(supervision.start())
    record.save()
    _wait_for_control_plane(progress)
    progress.step("images and node")
    _import_images(progress)
    health.wait("node", [health.check_node], timeout=120)
    control_plane.kubectl("apply", "--filename=-", text_input=plan.probe_manifest())
    progress.step("waiting until every part answers")
    for part in health.parts(chosen):
        health.wait(part.name, [part.check], timeout=120)
        progress.note(f"{part.name} answers")
    _complete(record, chosen)


def _write_configuration(chosen: Settings) -> None:
    certificates.create(chosen)
    secured.create(chosen)
    containers.write_config(images.PAUSE_NAME, chosen)
    control_plane.write_config(chosen)
    (control_plane.CONFIG / "log4j2.properties").write_text(kafka.log_config())
    for number in range(1, settings.BROKER_COUNT + 1):
        kafka.properties_file(number).write_text(kafka.server_properties(number, chosen))
    supervision.CONFIG_FILE.write_text(supervision.config(plan.programs(chosen)))


def _format_brokers() -> None:
    """Prepare the data directories; three Java programs, so all at once."""
    cluster_id = kafka.new_cluster_id()
    running = []
    for number in range(1, settings.BROKER_COUNT + 1):
        command = kafka.format_command(number, cluster_id)
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    for process in running:
        output, _ = process.communicate(timeout=120)
        if process.returncode != 0:
            raise CommandError(f"formatting a Kafka data directory failed: {output.strip()[-1000:]}")


def _wait_for_control_plane(progress: Progress) -> None:
    health.wait("API server", [health.check_api], timeout=180)
    progress.note("API server answers")
    for name in ("kube-controller-manager", "kube-scheduler", "kubelet"):
        supervision.start_part(name)
    health.wait("controller manager", [health.check_controllers], timeout=120)


def _import_images(progress: Progress) -> None:
    health.wait("containerd", [health.check_containerd], timeout=60)
    images.import_image(images.PAUSE_NAME, images.pause_image(), progress.note)
    images.import_image(images.BASE_NAME, images.base_image(), progress.note)


def _complete(record: state.Record, chosen: Settings) -> None:
    for part in supervision.running().values():
        if part.pid:
            record.add_process(part.pid)
    record.environment = {
        "KUBECONFIG": str(control_plane.kubeconfig_file("admin")),
        "KAFKA_BOOTSTRAP_SERVERS": chosen.bootstrap_servers,
        "KAFKA_TOOLS_CLASSPATH": kafka.classpath(),
        **secured.environment(chosen),
        PATH_ENTRY: str(control_plane.kubectl_directory()),
    }
    # Go programs understand the network, Python programs only single addresses.
    record.direct = [chosen.control_address, str(chosen.subnet)]
    record.complete = True
    record.save()
