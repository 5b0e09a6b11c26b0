"""A client for single, unusual messages: many recipients, or much content."""

import smtplib
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from bench.content import SENDER
from bench.generator import client_context
from bench.load import Target

_ANSWER_SECONDS = 300.0


class Refused(Exception):
    """A reply was not the one that was wanted; the text says which."""


class Submitter:
    """
    A blocking session, logged in by AUTH PLAIN after STARTTLS, that pipelines.

    Args:
        target: where to submit.
    """

    def __init__(self, target: Target) -> None:
        self._client = smtplib.SMTP("127.0.0.1", target.port, timeout=_ANSWER_SECONDS)
        context: ssl.SSLContext = client_context()
        self._client.starttls(context=context)
        self._client.login(target.username, target.password)

    def submit(self, recipients: Sequence[bytes], content: bytes) -> None:
        """
        Hand over one message.

        Args:
            recipients: addresses.
            content: with its dots doubled, and the closing dot.

        Raises:
            Refused: it was not accepted for all of them.
        """
        commands = [
            b"MAIL FROM:<%b>" % SENDER,
            *(b"RCPT TO:<%b>" % recipient for recipient in recipients),
            b"DATA",
        ]
        self._client.send(b"\r\n".join([*commands, b""]))
        for command in commands:
            self._expect(354 if command == b"DATA" else 250)
        self._client.send(content)
        self._expect(250)

    def _expect(self, code: int) -> None:
        got, text = self._client.getreply()
        if got != code:
            raise Refused(f"{got} {text.decode('utf-8', 'replace')[:200]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._client.close()
