"""
A process that stores submissions and tells of each that is safe; somebody kills it.

Run as `python -m tests.store.submitter URL FIRST_KEY`; prints the key of each submission
that was acknowledged, on a line of its own, until it is killed or its input ends.
"""

from __future__ import annotations

import sys
import threading

from smtpeter.store import messages
from smtpeter.store.database import Database
from smtpeter.store.writer import GroupCommitWriter
from tests.store.cases import CONTENT, CallsFromThreads, message, parcel

IN_FLIGHT = 20


def main(url: str, first_key: int) -> None:
    """Keep some submissions in flight."""
    reactor = CallsFromThreads()
    writer = GroupCommitWriter(Database.open(url), reactor)
    writer.start()
    key = first_key
    ended = threading.Event()
    threading.Thread(target=wait_for_the_end, args=(ended,), daemon=True).start()

    def submit() -> None:
        nonlocal key
        key += 1
        new = message(of=parcel(key=key))
        done = writer.commit(messages.additions(new.parcel, CONTENT, [new]))
        done.addCallback(lambda _, stored: acknowledge(stored), key)

    def acknowledge(stored: int) -> None:
        sys.stdout.write(f"{stored}\n")
        sys.stdout.flush()
        if not ended.is_set():
            submit()

    for _ in range(IN_FLIGHT):
        submit()
    while not ended.is_set():
        reactor.run_one()
    writer.stop()
    writer.join()
    reactor.run_all()


def wait_for_the_end(ended: threading.Event) -> None:
    """Read until the input ends."""
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
