"""All parts of the bed run under one supervisord with its own configuration and socket."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]

from testbed import cgroups, settings
from testbed.processes import NO_PROXY, start_time

CONFIG_FILE = settings.STATE_DIR / "config" / "supervisord.conf"
LOGS = settings.STATE_DIR / "logs"
SOCKET = settings.RUN_DIR / "supervisor.sock"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class SupervisionError(Exception):
    """The supervisor does not start or does not answer."""


@dataclass(frozen=True)
class Program:
    """A part of the bed.

    Attributes:
        name: its name in ``status`` and ``logs``.
        command: program and arguments.
        at_once: start it together with the supervisor; the others wait for the API server.
    """

    name: str
    command: Sequence[str]
    at_once: bool = True


@dataclass(frozen=True)
class Running:
    """What the supervisor says about a part: its state in the supervisor's words and its pid, 0 when it has none."""

    state: str
    pid: int


def config(programs: Sequence[Program]) -> str:
    """Text of supervisord's configuration."""
    variables = ",".join(f'{name}="{value}"' for name, value in {"PATH": SYSTEM_PATH, **NO_PROXY}.items())
    text = f"""[unix_http_server]
file={SOCKET}
chmod=0700

[supervisord]
nodaemon=true
logfile={LOGS / "supervisord.log"}
logfile_maxbytes=5MB
logfile_backups=0
pidfile={settings.RUN_DIR / "supervisord.pid"}
childlogdir={LOGS}
user=root
environment={variables}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    return text + "".join(_section(program) for program in programs)


def _section(program: Program) -> str:
    command = " ".join(_quoted(word) for word in program.command)
    return f"""
[program:{program.name}]
command={command}
autostart={str(program.at_once).lower()}
autorestart=true
startsecs=1
startretries=20
stopwaitsecs=20
redirect_stderr=true
stdout_logfile={log_file(program.name)}
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=1
"""


def _quoted(word: str) -> str:
    # supervisord splits like a shell and expands %(name)s, so a percent sign is doubled.
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'


def log_file(name: str) -> Path:
    """Where the output of a part goes."""
    return LOGS / f"{name}.log"


def start() -> int:
    """Start supervisord inside the bed's control group and return its pid.

    Raises:
        SupervisionError: it ended at once or does not answer within ten seconds.
    """
    output = (LOGS / "supervisord.out").open("w")
    command = cgroups.entering([sys.executable, "-m", "supervisor.supervisord", "-c", str(CONFIG_FILE)])
    with output:
        # A session of its own, so that closing the terminal does not end the bed.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
        )
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = (LOGS / "supervisord.out").read_text()[-1000:]
            raise SupervisionError(f"supervisord ended with exit code {process.returncode}: {said}")
        if answers():
            return process.pid
        time.sleep(0.1)
    raise SupervisionError(f"supervisord (pid {process.pid}) does not answer at {SOCKET}; see {LOGS}")


def answers() -> bool:
    """Whether a supervisor of the bed is there and answers."""
    try:
        return bool(_call("getState"))
    except (OSError, xmlrpc.client.Error):
        return False


def running() -> dict[str, Running]:
    """State of every part by name, empty when no supervisor answers."""
    try:
        rows: list[dict[str, Any]] = _call("getAllProcessInfo")
    except (OSError, xmlrpc.client.Error):
        return {}
    return {str(row["name"]): Running(str(row["statename"]), int(row["pid"])) for row in rows}


def start_part(name: str) -> None:
    """Start a part that is not running; do nothing when it runs."""
    if running().get(name, Running("UNKNOWN", 0)).state not in ("RUNNING", "STARTING", "BACKOFF"):
        _call("startProcess", name, False)


def add_parts(names: Sequence[str]) -> None:
    """Start parts that were added to the configuration file while the supervisor ran."""
    _call("reloadConfig")
    for name in names:
        _call("addProcessGroup", name)


def remove_parts(names: Sequence[str]) -> None:
    """Stop parts and forget them; nothing happens to one that the supervisor does not know."""
    for name in names:
        if name in running():
            _call("stopProcessGroup", name)
            _call("removeProcessGroup", name)


def signal_part(name: str, number: int) -> int:
    """Send a signal to a part and return its pid.

    Raises:
        SupervisionError: the part does not run.
    """
    part = running().get(name)
    if part is None or part.pid == 0 or start_time(part.pid) is None:
        raise SupervisionError(f"part {name} does not run ({part.state if part else 'no such part'})")
    os.kill(part.pid, number)
    return part.pid


def _call(method: str, *arguments: Any) -> Any:
    transport = SupervisorTransport(None, None, f"unix://{SOCKET}")
    # The address is never used, but the library wants one.
    with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as server:
        return getattr(server.supervisor, method)(*arguments)
