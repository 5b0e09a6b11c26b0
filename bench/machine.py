"""What the kernel says about cores, processes and file systems. Linux only."""

import os
import socket
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SERVER_CORE = 0
LOAD_CORE = 1

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_OCTETS = os.sysconf("SC_PAGE_SIZE")
_IDLE_FIELDS = slice(3, 5)  # idle and iowait, in a cpu line of /proc/stat


@dataclass(frozen=True)
class Places:
    """
    Who runs where.

    Args:
        servers: the cores of the servers and all their processes.
        load: those of generator and sink.
    """

    servers: frozenset[int]
    load: frozenset[int]


APART = Places(frozenset({SERVER_CORE}), frozenset({LOAD_CORE}))
TOGETHER = Places(APART.servers | APART.load, APART.servers | APART.load)


@contextmanager
def pinned(*cores: int) -> Iterator[None]:
    """Keep this thread, and all processes that it starts meanwhile, on some cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cores_missing() -> set[int]:
    """Those of the two cores that we may not use."""
    return {SERVER_CORE, LOAD_CORE} - os.sched_getaffinity(0)


def busy_seconds(cores: Collection[int]) -> float:
    """Time since boot in which cores were not idle, whoever used them; in ticks (10 ms), added."""
    names = {f"cpu{core}" for core in cores}
    seconds = 0.0
    for line in Path("/proc/stat").read_text("ascii").splitlines():
        name, *ticks = line.split()
        if name in names:
            names.remove(name)
            counts = [int(tick) for tick in ticks[:8]]  # guest time is part of user time
            seconds += (sum(counts) - sum(counts[_IDLE_FIELDS])) / _TICKS_PER_SECOND
    if names:
        raise LookupError(f"/proc/stat knows no {', '.join(sorted(names))}")
    return seconds


def _stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on (the second may hold spaces), if PID lives."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()


def _tree(root_pid: int) -> dict[int, list[str]]:
    """PID to stat fields, of a process and everything that descends from it."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    found = {pid: fields for pid in pids if (fields := _stat_fields(pid)) is not None}
    children: dict[int, list[int]] = {}
    for pid, fields in found.items():
        children.setdefault(int(fields[1]), []).append(pid)
    tree: dict[int, list[str]] = {}
    waiting = [root_pid]
    while waiting:
        pid = waiting.pop()
        if pid in found:
            tree[pid] = found[pid]
            waiting += children.get(pid, [])
    return tree


def tree_pids(root_pid: int) -> list[int]:
    return list(_tree(root_pid))


def tree_cpu_seconds(root_pid: int) -> float:
    """
    CPU time used so far by a process, its descendants, and those of them that have ended.

    The living ones are read to the nanosecond: Postfix has dozens of processes, and each that is
    rounded down to a tick (10 ms) would flatter it. The ended ones are counted by their parents,
    since both servers wait for their children.
    """
    # A child that ends between the reading of its parent's file and of its own is missed by one
    # look, not by two.
    return max(_cpu_seconds_of(_tree(root_pid)) for _look in range(2))


def _cpu_seconds_of(tree: dict[int, list[str]]) -> float:
    total = 0.0
    for pid, fields in tree.items():
        total += (int(fields[13]) + int(fields[14])) / _TICKS_PER_SECOND  # cutime, cstime
        # clock_getcpuclockid(3): the complement of the PID, and 2 for the scheduler's own clock
        with suppress(OSError):  # it has just ended
            total += time.clock_gettime((~pid << 3) | 2)
    return total


def tree_resident_octets(root_pid: int) -> int:
    """Resident memory of a process and its descendants; pages they share count for each."""
    return sum(int(fields[21]) for fields in _tree(root_pid).values()) * _PAGE_OCTETS


def status_octets(pid: int, key: str) -> int:
    """A size from /proc/PID/status: VmRSS is resident memory now, VmHWM its peak."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) * 1024
    raise LookupError(f"/proc/{pid}/status has no {key}")


def reset_peak_memory(pid: int) -> None:
    """Let VmHWM of a process begin anew from what is resident now (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")


def filesystem_type(directory: Path) -> str:
    """For example "ext4"; "tmpfs" means that flushing to disk costs nothing."""
    best_mount, best_type = "", "unknown"
    for line in Path("/proc/mounts").read_text("utf-8", "replace").splitlines():
        _device, mount, kind = line.split()[:3]
        if directory.resolve().is_relative_to(mount) and len(mount) >= len(best_mount):
            best_mount, best_type = mount, kind
    return best_type


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
