"""What the commands have in common that run servers."""

import argparse
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

from bench.machine import cores_missing, filesystem_type, pinned
from bench.server import ServerFailed
from bench.worker import WorkerFailed


def run(name: str, cores: Iterable[int], measure: Callable[[], int]) -> int:
    """
    Measure, and leave nothing behind, whatever ends it.

    Args:
        name: of the command, for what it has to say.
        cores: where all runs that is not pinned elsewhere.
        measure: gives the exit status.
    """
    signal.signal(signal.SIGTERM, _end)
    if cores_missing():
        print(f"{name} needs two cores, 0 and 1", file=sys.stderr)
        return 1
    try:
        with pinned(*cores):
            return measure()
    except (ServerFailed, WorkerFailed) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted; all is stopped and removed", file=sys.stderr)
        return 130


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """The options of commands that measure this service and Postfix."""
    add = parser.add_argument
    add("--rounds", type=int, metavar="N", help="figures are medians over so many (default 3)")
    add("--only", choices=["postfix", "smtpeter"], help="measure one server, without ratios")
    add("--json", type=Path, metavar="FILE", help="also write all figures there")
    add("--dir", type=Path, metavar="DIR", help="where the servers keep their queues")
    add("--profile", type=Path, metavar="FILE", help="run smtpeter under cProfile, result there")
    add(
        "--postfix-set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a line for main.cf, for example in_flow_delay=0",
    )


def surroundings(server: str, base: Path, **others: str) -> dict[str, str]:
    """
    What the figures depend on, for the report.

    Args:
        server: what was measured.
        base: where it had its files.
        others: what else there is to say.
    """
    return {
        "server": server,
        "machine": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
        "file system": filesystem_type(base),
        **others,
        "when": time.strftime("%Y-%m-%d %H:%M %z"),
    }


def _end(_signal_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
