"""Run other programs, and recognise a process again by its pid and start time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# What talks to the bed talks directly, also on a machine that reaches everything else through a proxy.
NO_PROXY = {"NO_PROXY": "*", "no_proxy": "*"}


class CommandError(Exception):
    """A program the bed needs ended with an error."""


def run(
    command: Sequence[str | Path],
    *,
    timeout: float = 60,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    text_input: str | None = None,
    check: bool = True,
) -> str:
    """Run ``command`` to its end and return its standard output.

    Args:
        timeout: seconds after which the program is killed.
        environment: variables added to the present ones.
        text_input: text for its standard input; without it the standard input is empty.
        check: raise when the exit code is not 0.

    Raises:
        CommandError: it failed, was not found or took too long; the message holds the end of its output.
    """
    shown = " ".join(str(part) for part in command)
    try:
        done = subprocess.run(
            [str(part) for part in command],
            env={**os.environ, **(environment or {})},
            cwd=directory,
            input=text_input or "",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandError(f"{shown}: {error.filename} was not found") from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{shown}: not finished after {timeout:.0f} s") from error
    if check and done.returncode != 0:
        raise CommandError(f"{shown}: exit code {done.returncode}\n{(done.stderr + done.stdout).strip()[-2000:]}")
    return done.stdout


def start_time(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot, or None when there is no such process (or only a zombie).

    A pid alone proves nothing, because the kernel gives it out again; pid and start time together do.
    """
    fields = _fields(pid)
    return int(fields[19]) if fields else None


def processor_seconds(pid: int) -> float:
    """Processor time that a process has had so far, 0.0 when there is no such process (or only a zombie)."""
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _fields(pid: int) -> list[str] | None:
    """What the kernel says about a process, from its state on (proc_pid_stat(5), field 3)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name of the program comes before, in parentheses, and may hold anything.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields
