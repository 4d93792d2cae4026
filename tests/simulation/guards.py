"""What the guards are for: each is taken out of the code by itself, in a copy, and something has to notice.

``python -m tests.simulation.guards --schedules 2000 --workers 2`` prints the table of docs/guards.md. A guard that nothing
misses is either not needed or not proven.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import re
import shutil
import subprocess
import sys
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE = "plugins/module_utils/_usecases"
CORE = "plugins/module_utils/_core"
KIT = "consumers/python/bgconsumer"
NAMED_TESTS = (
    "pytest",
    "-x",
    "-q",
    "tests/simulation",
    "--ignore=tests/simulation/test_weather.py",
    "--ignore=tests/simulation/test_guards.py",
)
UNIT_TESTS = ("pytest", "-x", "-q", "tests/unit", "tests/consumers")


@dataclass(frozen=True)
class Guard:
    """A piece of code that keeps a promise. old is replaced by new in the file at path, where it stands once."""

    promise: str
    path: str
    old: str
    new: str


GUARDS = (
    # --- the record
    Guard(
        "Pods that start while the source is being proven quiet stand by: the record is armed",
        f"{CORE}/record/active_record.py",
        "return replace(self, phase=phase_of(direction), epoch=self.epoch + 1, run_id=run_id)",
        "return replace(self, epoch=self.epoch + 1, run_id=run_id)",
    ),
    Guard(
        "The flip names the snapshot",
        f"{ENGINE}/run/hand_over.py",
        "return record.flip(run.direction, now, snapshot=name)",
        "return record.flip(run.direction, now, snapshot=name[:0])",
    ),
    Guard(
        "A write that lost the race is not taken for ours",
        f"{ENGINE}/record/store.py",
        "if found is not None and dict(found.data) == dict(data):",
        "if found is not None:",
    ),
    Guard(
        "The record changes colour only at the end of a hand-over",
        f"{ENGINE}/record/set_active.py",
        "    if jump and (wanted",
        "    if False and (wanted",
    ),
    Guard(
        "A record that is made again is newer than what pods have seen",
        f"{ENGINE}/record/set_active.py",
        "least = max(1 + store.newest_epoch(runs), request.epoch or 1)",
        "least = request.epoch or 1",
    ),
    Guard(
        "A record that is made again names what its colour was handed",
        f"{ENGINE}/record/set_active.py",
        "mine = [(slot, snapshot.epoch) for slot, snapshot in handed if snapshot.target == request.active]",
        "mine: list[tuple[str, int]] = []",
    ),
    Guard(
        "A record that is made again is not made for the colour that was left",
        f"{ENGINE}/record/set_active.py",
        'doubt = "" if request.force else _doubt(name, request.active, handed, runs)',
        'doubt = ""',
    ),
    # --- two operators
    Guard(
        "A run is bound to the epoch that its operator saw",
        f"{ENGINE}/run/context.py",
        "if expected is None or record.epoch == expected:",
        "if True:",
    ),
    Guard(
        "Who lost the lock stops",
        f"{ENGINE}/record/run_lock.py",
        "if lease is None or lease.holder != self._run_id or not self._put(lease):",
        "if False:",
    ),
    Guard(
        "What a sleeping run has read is old before another undoes it",
        f"{ENGINE}/run/abort.py",
        "elif ctx.run.run_id != run_id:",
        "elif False:",
    ),
    Guard(
        "Who finds the record moved on gives nothing up",
        f"{ENGINE}/run/abort.py",
        "if record.active != ctx.source:",
        "if False:",
    ),
    # --- hot: the source is quiet
    Guard(
        "Every pod says that it is drained",
        f"{CORE}/run/quiet.py",
        "        if not status.drained:",
        "        if False:",
    ),
    Guard(
        "Pods and broker agree on who owns what",
        f"{CORE}/run/quiet.py",
        "    reasons += _ownership(statuses, group, partitions)",
        "",
    ),
    Guard(
        "A pod that does not answer is not quiet",
        f"{CORE}/run/quiet.py",
        'reasons = [f"pod {pod.name} has not answered since it was paused" for pod in pods if pod.name not in statuses]',
        "reasons: list[str] = []",
    ),
    Guard(
        "Only two equal lists prove that all pods were told",
        f"{ENGINE}/run/drive.py",
        "if not reasons and _uids(listed) == _uids(told) and (present or look is not None):",
        "if not reasons and (present or look is not None):",
    ),
    Guard(
        "Seeds of a group that stands by are older than every reign",
        f"{CORE}/run/handoff.py",
        "return {tp: committed._replace(metadata=_SEED) for tp, committed in offsets.items()}",
        "return dict(offsets)",
    ),
    Guard(
        "What the source was handed and has not processed is handed on",
        f"{CORE}/run/handoff.py",
        "if tp in inherited and (commit is None or is_older(commit, activated_epoch)):",
        "if tp in inherited and commit is None:",
    ),
    # --- cold: the source is gone
    Guard(
        "Offsets are read when no pod is left and the group is empty",
        f"{ENGINE}/run/cold.py",
        "    wait_stopped(ctx, ctx.source)\n",
        "",
    ),
    Guard(
        "Nobody started the source again before the flip",
        f"{ENGINE}/run/hand_over.py",
        "            cold.still_stopped(ctx)\n",
        "",
    ),
    Guard(
        "A member that is not known as a pod of the colour is not evicted",
        f"{ENGINE}/run/waits.py",
        "return clock.monotonic() > evict_from and is_pod_of(member, known, name)",
        "return clock.monotonic() > evict_from",
    ),
    Guard(
        "After an eviction a group is believed empty only when it stays so",
        f"{ENGINE}/kafka/empty_group.py",
        "return not self.evicted or now - self._empty_since >= EMPTY_LASTS",
        "return True",
    ),
    Guard(
        "The lock is looked at right before an eviction",
        f"{ENGINE}/kafka/empty_group.py",
        "            hold()  # a process that stood still since it looked would evict members that have joined meanwhile\n",
        "",
    ),
    Guard(
        "The target is stopped before its offsets are set",
        f"{ENGINE}/run/prepare.py",
        "            ctx.scale(ctx.target, 0)\n            wait_stopped(ctx, ctx.target)\n",
        "            pass\n",
    ),
    # --- preflight
    Guard(
        "A stranger in the source's group is found before anything is touched",
        f"{ENGINE}/run/preflight.py",
        '        _members(app, mode, "source", seen, source),\n',
        "",
    ),
    Guard(
        "A stranger in the target's group is found before anything is touched",
        f"{ENGINE}/run/preflight.py",
        '        _members(app, "cold", "target", seen, target),\n',
        "",
    ),
    Guard(
        "The source owns exactly the partitions that are moved",
        f"{ENGINE}/run/preflight.py",
        '        gates.ownership_gate("source", source.group, seen.partitions, stopped),\n',
        "",
    ),
    Guard(
        "What would scale a colour up during a cold run is named",
        f"{ENGINE}/run/preflight.py",
        "        gates.scalers_gate(mode, around.scalers),\n",
        "",
    ),
    Guard(
        "A target that already runs is not started again in cold mode",
        f"{ENGINE}/run/preflight.py",
        "        rows.append(gates.running_target_gate(target.pods, target.statuses, target.group))\n",
        "        pass\n",
    ),
    # --- undoing
    Guard(
        "Whatever interrupts the critical section, the run is undone",
        f"{ENGINE}/run/hand_over.py",
        "except Exception as error:  # noqa: BLE001  whatever interrupts it, the source must not be left paused",
        "except NotReadyError as error:",
    ),
    Guard(
        "It is tried again while the API server is away",
        f"{ENGINE}/run/abort.py",
        "if ctx.ports.clock.monotonic() >= deadline:\n                end = (",
        "if True:\n                end = (",
    ),
    Guard(
        "The record is given back before anything else",
        f"{ENGINE}/run/abort.py",
        "    if record.armed:\n",
        "    if False:\n",
    ),
    Guard(
        "A colour at work is never scaled down",
        f"{ENGINE}/run/abort.py",
        "if ctx.workload(ctx.source).replicas < 1:",
        "if True:",
    ),
    Guard(
        "Replicas from before a run that died are remembered",
        f"{ENGINE}/run/prepare.py",
        "saved = {**saved, **before.saved}",
        "saved = dict(saved)",
    ),
    # --- the consumer
    Guard(
        "Before every record a pod asks whether its lease holds",
        f"{KIT}/contract.py",
        "return self._desired.serial == serial and self._clock() < self._lease_until",
        "return self._desired.serial == serial",
    ),
    Guard(
        "A pod starts after a read of the record that began after its assignment",
        f"{KIT}/contract.py",
        "return self._desired.serial == serial and self._confirmed_at >= self._assigned_at",
        "return self._desired.serial == serial",
    ),
    Guard(
        "A pod that sees the other colour active steps down",
        f"{KIT}/contract.py",
        "if target is State.ACTIVE or (target is State.DRAINED and record.epoch > self._desired.epoch):",
        "if False:",
    ),
    Guard(
        "A pod refuses commands of an older epoch",
        f"{KIT}/contract.py",
        "            if command.epoch < self._epoch:\n",
        "            if False:\n",
    ),
    Guard(
        "A commit of an older reign does not count before the snapshot",
        f"{KIT}/model.py",
        "return committed is not None and (committed.epoch is None or committed.epoch >= reign)",
        "return committed is not None",
    ),
)


def apply(guard: Guard, root: Path) -> None:
    """Take the guard out of the checkout at root."""
    path = root / guard.path
    path.write_text(without(guard, path.read_text(encoding="utf-8")), encoding="utf-8")


def without(guard: Guard, text: str) -> str:
    """The file's text without the guard. Raises ValueError when it does not stand there once."""
    if text.count(guard.old) != 1:
        raise ValueError(f"{guard.path} has {text.count(guard.old)} times, not once: {guard.old}")
    return text.replace(guard.old, guard.new)


def caught(guard: Guard, schedules: int) -> str:
    """A row of the table: the promise, what random weather says without the guard, and the first test of a name that fails."""
    with tempfile.TemporaryDirectory(prefix="guards-") as name:
        root = Path(name)
        _copy(root)
        apply(guard, root)
        weather = "not asked"
        if schedules:
            sweep = ("tests.simulation.sweep", f"--count={schedules}", "--workers=1", "--fail-fast")
            weather = _of_the_sweep(_run(root, sys.executable, "-m", *sweep)) or f"nothing in {schedules}"
        test = _failed(_run(root, sys.executable, "-m", *NAMED_TESTS)) or _failed(
            _run(root, sys.executable, "-m", *UNIT_TESTS)
        )
    return f"| {guard.promise} | `{Path(guard.path).name}` | {weather} | {f'`{test}`' if test else 'none'} |"


def _copy(root: Path) -> None:
    """Everything that belongs to the checkout, and the collections beside it."""
    listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    collections = root / ".cache/collections/ansible_collections"
    (collections / "streamops").mkdir(parents=True)
    (collections / "streamops/bluegreen").symlink_to(root)
    for other in (ROOT / ".cache/collections/ansible_collections").iterdir():
        if other.name != "streamops":
            (collections / other.name).symlink_to(other)


def _run(root: Path, *command: str) -> str:
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=3600, check=False)
    return ended.stdout + ended.stderr


def _of_the_sweep(output: str) -> str:
    """Its first failure: after how many schedules, and what was wrong."""
    failed = re.search(r"--schedule (\S+) .*?\n.*?\n?\s*\[(.*)\]", output)
    ended = re.search(r"^(\d+) schedules in", output, re.MULTILINE)
    if not failed or not ended:
        return ""
    wrong = re.sub(r"order-(consumer|events|retries)-?", "", failed[2].split("', ")[0].strip("'\""))
    return f"after {ended[1]}: {wrong[:90]}"


def _failed(output: str) -> str:
    found = re.search(r"^(?:FAILED|ERROR) \S*/(test_\w+\.py::\w+)", output, re.MULTILINE)
    return found[1] if found else ""


def main(arguments: t.Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--schedules", type=int, default=2000, help="random schedules without each guard (default 2000); 0: none"
    )
    parser.add_argument("--workers", type=int, default=2, help="guards at a time (default 2)")
    parser.add_argument("--only", default="", help="a word of the promise")
    wanted = parser.parse_args(arguments)
    guards = [guard for guard in GUARDS if wanted.only in guard.promise]
    print("| promise | in | random weather without it | first test that fails |\n|---|---|---|---|")  # noqa: T201
    with concurrent.futures.ThreadPoolExecutor(wanted.workers) as pool:
        for row in pool.map(lambda guard: caught(guard, wanted.schedules), guards):
            print(row, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
