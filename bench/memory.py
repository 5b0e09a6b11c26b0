"""
Measures how much memory this service uses.

    python bench/memory.py [--only rest|queue|large] [--json FILE]

rest: resident memory after the start. queue: with 100 000 messages that wait for a smart host that
is down, and after a restart with them; also how long that start took until the first greeting.
large: the peak while one message of 50 MiB is received, stored and delivered. MiB are 2**20 octets,
of the daemon and all processes it started.
"""

import argparse
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.certificate import write_certificate
from bench.content import Contents
from bench.daemon import Daemon
from bench.figures import Figures
from bench.machine import (
    LOAD_CORE,
    cores_missing,
    free_port,
    pinned,
    reset_peak_memory,
    status_octets,
    tree_pids,
    tree_resident_octets,
)
from bench.server import ServerFailed
from bench.submitter import Refused, Submitter
from bench.worker import SinkWorker, WorkerFailed

_MIB = 1024 * 1024
_SETTLE_SECONDS = 5.0
_DELIVERY_SECONDS = 120.0
_SMALL_OCTETS = 4096
_LARGE_OCTETS = 50 * _MIB - 1024  # the default limit is 50 MiB


def at_rest(base: Path) -> Figures:
    with _daemon(base, free_port()) as daemon:
        time.sleep(_SETTLE_SECONDS)
        return {"resident_at_rest_mib": _resident_mib(daemon)}


def with_queue(base: Path, messages: int, recipients: int) -> Figures:
    """
    Fill the queue, look, start again, look again.

    Args:
        base: an empty directory.
        messages: how many are submitted.
        recipients: of each, all in different domains; the same ones for every message.
    """
    addresses = [b"reader@receiver%d.example.net" % number for number in range(recipients)]
    content = Contents(_SMALL_OCTETS).content
    with _daemon(base, free_port()) as daemon:
        waiting = daemon.queue_depth()  # asked twice: a tool that cannot tell shows at once
        began_at = time.monotonic()
        with Submitter(daemon.target) as submitter:
            for number in range(messages):
                submitter.submit(addresses, content(number))
        submitting_seconds = time.monotonic() - began_at
        time.sleep(_SETTLE_SECONDS)
        full_mib = _resident_mib(daemon)
        waiting = daemon.queue_depth() - waiting
        daemon.stop()
        began_at = time.monotonic()
        daemon.start()
        starting_seconds = time.monotonic() - began_at
        started_mib = _resident_mib(daemon)
        time.sleep(_SETTLE_SECONDS)
        return {
            "submitted_recipients": messages * recipients,
            "waiting": waiting,
            "recipients_per_second": messages * recipients / submitting_seconds,
            "resident_with_queue_mib": full_mib,
            "start_to_greeting_seconds": starting_seconds,
            "resident_at_greeting_mib": started_mib,
            "resident_after_restart_mib": _resident_mib(daemon),
        }


def with_large_message(base: Path) -> Figures:
    """From the first octet of the message to the last one at the sink."""
    with SinkWorker() as sink, _daemon(base, sink.port) as daemon:
        with Submitter(daemon.target) as submitter:
            # one small message first: what is loaded and connected once is not this one's
            submitter.submit([b"reader@example.net"], Contents(_SMALL_OCTETS).content(1))
            _await_arrivals(sink, 1)
            time.sleep(1)
            content = Contents(_LARGE_OCTETS).content(2)
            before_mib = _resident_mib(daemon)
            for pid in tree_pids(daemon.root_pid()):
                reset_peak_memory(pid)
            began_at = time.monotonic()
            submitter.submit([b"reader@example.net"], content)
            accepted_seconds = time.monotonic() - began_at
            _await_arrivals(sink, 2)
            delivered_seconds = time.monotonic() - began_at
        peak_mib = sum(status_octets(pid, "VmHWM") for pid in tree_pids(daemon.root_pid())) / _MIB
    message_mib = len(content) / _MIB
    return {
        "message_mib": message_mib,
        "resident_before_mib": before_mib,
        "peak_mib": peak_mib,
        "peak_to_message_ratio": peak_mib / message_mib,
        "growth_to_message_ratio": (peak_mib - before_mib) / message_mib,
        "accepted_after_seconds": accepted_seconds,
        "delivered_after_seconds": delivered_seconds,
    }


@contextlib.contextmanager
def _daemon(base: Path, sink_port: int) -> Iterator[Daemon]:
    daemon = Daemon(base / "smtpeter", write_certificate(base), sink_port)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()


def _resident_mib(daemon: Daemon) -> float:
    return tree_resident_octets(daemon.root_pid()) / _MIB


def _await_arrivals(sink: SinkWorker, total: int) -> None:
    if not sink.await_arrivals(total, _DELIVERY_SECONDS):
        raise ServerFailed(f"nothing arrived at the sink in {_DELIVERY_SECONDS:.0f} s")


def _end(_signal_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _measure(options: argparse.Namespace) -> Figures:
    parts: dict[str, Callable[[Path], Figures]] = {
        "rest": at_rest,
        "queue": lambda base: with_queue(base, options.messages, options.recipients),
        "large": with_large_message,
    }
    figures: Figures = {}
    for name, part in parts.items():
        if options.only in {None, name}:
            print(f"{name} ...", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory(prefix="smtpeter-bench-", dir=options.dir) as base:
                found = part(Path(base))
            for key, value in found.items():
                print(f"{key.replace('_', ' '):<30}{value:>12.3f}".rstrip("0").rstrip("."))
            figures |= found
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures the memory that this service uses.")
    add = parser.add_argument
    add("--only", choices=["rest", "queue", "large"], help="one part of it")
    add("--messages", type=int, default=100, help="for the queue (default 100)")
    add("--recipients", type=int, default=1000, help="of each of them (default 1000)")
    add("--json", type=Path, metavar="FILE", help="also write all figures there")
    add("--dir", type=Path, metavar="DIR", help="where the daemon keeps its state")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    if cores_missing():
        print("memory.py needs two cores, 0 and 1", file=sys.stderr)
        return 1
    try:
        with pinned(LOAD_CORE):
            figures = _measure(options)
    except (ServerFailed, WorkerFailed, Refused) as error:
        print(f"memory.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("memory.py: interrupted; all is stopped and removed", file=sys.stderr)
        return 130
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    expected = figures.get("submitted_recipients", 0)
    if figures.get("waiting", expected) != expected:
        print("FAULT: not every message that was accepted waits in the queue")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
