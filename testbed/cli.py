"""Command line of the test bed."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from testbed import bed, cgroups, health, images, plan, settings, state, supervision, teardown
from testbed.cgroups import CgroupError
from testbed.health import UnhealthyError
from testbed.processes import CommandError
from testbed.progress import Progress
from testbed.supervision import SupervisionError

# Unsupported machine or wrong usage; argparse uses the same number.
EXIT_UNSUPPORTED = 2
ERRORS = (
    bed.BedError,
    images.ImageError,
    settings.SettingsError,
    teardown.TeardownError,
    CgroupError,
    CommandError,
    SupervisionError,
    UnhealthyError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 done, 1 failed or unhealthy, 2 wrong usage or machine."""
    options = _parser().parse_args(arguments)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("testbed: interrupted; run the command again, it cleans up behind this one", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader, head for example, has seen enough; Python would complain once more when it closes the output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except bed.UnsupportedMachineError as error:
        print(error, file=sys.stderr)
        return EXIT_UNSUPPORTED
    except ERRORS as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m testbed", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, run: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    up = add("up", _up, "bring the bed up, or find it healthy")
    up.add_argument(
        "--with",
        dest="extra",
        action="append",
        choices=bed.EXTRAS,
        default=[],
        help="optional parts, which `up` alone neither starts nor stops",
    )
    add("down", _down, "remove the bed and everything it created, except caches")
    add("status", _status, "show each part, its process and whether it answers")
    add("env", _env, 'print shell variables: eval "$(python -m testbed env)"')
    logs = add("logs", _logs, "show the end of the logs")
    logs.add_argument("part", nargs="?", help="name of a part as status shows it; without it all of them")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
    logs.add_argument("-n", "--lines", type=int, default=40, help="number of lines (default %(default)s)")
    image = add("image", _image, "build a consumer image and give it to the bed")
    image.add_argument("context", type=Path, help="directory with requirements.txt and the sources")
    image.add_argument("name", help="name:tag")
    return parser


def _up(options: argparse.Namespace) -> int:
    bed.up(options.extra)
    return 0


def _down(_: argparse.Namespace) -> int:
    bed.require_root()
    bed.down()
    print("The test bed is down; nothing of it is left but caches.", file=sys.stderr)
    return 0


def _env(_: argparse.Namespace) -> int:
    for name, value in bed.recorded_environment().items():
        # The shell's own PATH at the time the line is evaluated counts, not the one of this program.
        rest = ":$PATH" if name == bed.PATH_ENTRY else ""
        print(f"export {name}={shlex.quote(value)}{rest}")
    return 0


def _status(_: argparse.Namespace) -> int:
    bed.require_root()
    record = state.load()
    if record is None:
        found = teardown.traces()
        print("down" if not found else "no record of a bed, but there is: " + "; ".join(found))
        return 1
    chosen = settings.load()
    same = record.config_hash == plan.config_hash(chosen)
    print(f"bed of {record.checkout}, configuration {record.config_hash} ({'same' if same else 'other'} as here)")
    results = health.check_all(bed.parts(chosen))
    rows = [("PART", "PID", "HEALTHY", "ADDRESS")]
    for result in results:
        rows.append((result.part.name, str(result.pid or "-"), "no" if result.problem else "yes", result.part.address))
    for name, pid, healthy, address in rows:
        print(f"{name:<26}{pid:<9}{healthy:<9}{address}")
    for result in results:
        if result.problem:
            print(f"{result.part.name}: {result.problem}")
    if (memory := cgroups.memory_bytes()) is not None:
        print(f"memory of the bed with its pods: {memory / 2**20:.0f} MiB")
    return 1 if any(result.problem for result in results) else 0


def _logs(options: argparse.Namespace) -> int:
    files = sorted(supervision.LOGS.glob("*.log"))
    if options.part:
        files = [file for file in files if file.stem == options.part]
    if not files:
        raise bed.BedError(f"no log of {options.part or 'any part'} in {supervision.LOGS}")
    sys.stdout.flush()
    follow = ["-F"] if options.follow else []
    os.execvp("tail", ["tail", *follow, "-n", str(options.lines), *map(str, files)])


def _image(options: argparse.Namespace) -> int:
    bed.require_root()
    bed.recorded_environment()
    images.build_and_import(options.context, options.name, Progress(1).note)
    return 0
