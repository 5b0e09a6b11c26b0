"""Capture mode: every message is "delivered" into a Maildir, and none leaves the machine."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smtpeter.delivery.carrier import Allowance, Carried, ICarrier, nothing_to_release
from smtpeter.delivery.route import Way
from smtpeter.message.content import Content
from smtpeter.message.envelope import Envelope
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.message.reply import Reply
from smtpeter.smtp.peer import Peer

RECEIVER = "capture"

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")

InThread = Callable[..., Deferred[Any]]


@implementer(ICarrier)
class CaptureCarrier:
    """
    Writes messages into a Maildir.

    Args:
        maildir: is made when it is missing, with `tmp`, `new` and `cur` in it.
        in_thread: calls a function with its arguments in a thread.
    """

    _log = Logger()

    def __init__(self, maildir: Path, in_thread: InThread) -> None:
        self._maildir = maildir
        self._in_thread = in_thread

    def destination_of(self, domain_key: str) -> str:  # noqa: ARG002
        return RECEIVER

    def way_to(self, destination: str) -> Deferred[Way]:
        return succeed(Way(destination, destination, ()))

    def carry(
        self,
        way: Way,  # noqa: ARG002
        allowance: Allowance,  # noqa: ARG002
        envelope: Envelope,
        content: Content,
        message_id: str,
    ) -> Deferred[Carried]:
        number = len(envelope.recipients)
        written = self._in_thread(write, self._maildir, envelope, content, message_id)
        written.addCallbacks(self._delivered, self._not_written, errbackArgs=(message_id,))
        return written.addCallback(lambda each: Carried((each,) * number, nothing_to_release))

    def idle_close(self) -> None:
        pass

    def shutdown(self) -> Deferred[None]:
        return succeed(None)

    def _delivered(self, path: Path) -> Outcome:
        reply = Reply(250, "2.0.0", f"written to {path}")
        return evolve(Peer(RECEIVER).delivered(reply, dsn_passed_on=False), final=True)

    def _not_written(self, failure: Failure, message_id: str) -> Outcome:
        self._log.failure("{message_id} was not captured", failure, message_id=message_id)
        text = f"the message could not be written: {failure.getErrorMessage()}"
        return Peer(RECEIVER).ended(Verdict.DEFERRED, "error", "process", "4.3.0", text)


def write(maildir: Path, envelope: Envelope, content: Content, message_id: str) -> Path:
    """
    Write one message; blocks until it is on the disk.

    The same message id gives the same file name, so a message that is captured twice
    is still there once.

    Raises:
        OSError: it could not be written.
    """
    for folder in ("tmp", "new", "cur"):
        (maildir / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{_UNSAFE.sub('_', message_id)}.smtpeter"
    temporary, final = maildir / "tmp" / name, maildir / "new" / name
    with temporary.open("wb") as file:
        file.write(_trace(envelope))
        file.writelines(content.blocks)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(final)
    _sync_directory(maildir / "new")
    return final


def _trace(envelope: Envelope) -> bytes:
    """What a final delivery adds (RFC 5321 section 4.4), and for whom it was."""
    lines = [f"Return-Path: <{envelope.sender or ''}>\r\n"]
    lines += [f"Delivered-To: {recipient.mailbox}\r\n" for recipient in envelope.recipients]
    return "".join(lines).encode()


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
