"""A small mail server for tests: it answers from a table and keeps what it was given."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.protocol import Protocol

from tests.tlspipes import certificate

REPLIES: Mapping[str, str] = {
    "": "220 mx.mailbox.example",
    "EHLO": "250-mx.mailbox.example\r\n250 PIPELINING",
    "HELO": "250 mx.mailbox.example",
    "STARTTLS": "220 go",
    "AUTH": "235 welcome",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go",
    ".": "250 ok",
    "RSET": "250 ok",
    "QUIT": "221 bye",
}
STARTTLS_OFFERED = {"EHLO": "250-mx.mailbox.example\r\n250-PIPELINING\r\n250 STARTTLS"}


class MailHost(Protocol):
    """
    One connection to the server.

    Args:
        replies: by verb, over `REPLIES`; "" is the greeting, "." the final dot. "hangup"
            closes the connection instead, "silence" does nothing.
        implicit_tls: TLS begins before the greeting.
    """

    def __init__(
        self, replies: Mapping[str, str] | None = None, *, implicit_tls: bool = False
    ) -> None:
        self.replies = {**REPLIES, **(replies or {})}
        self.verbs: list[str] = []
        self.messages: list[bytes] = []
        self.lost = False
        self._implicit_tls = implicit_tls
        self._received = b""
        self._in_content = False

    def connectionMade(self) -> None:
        if self._implicit_tls:
            self._start_tls()
        self._answer("")

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        while not self.lost:
            end, marker = (b"\r\n.\r\n", ".") if self._in_content else (b"\r\n", "")
            content = b"\r\n" if self._in_content else b""
            before, found, after = (content + self._received).partition(end)
            if not found:
                return
            self._received = after
            self._in_content = False
            if marker:
                self.messages.append(before[2:] + b"\r\n")
            self._answer(marker or before[:4].decode("latin-1").upper().strip())

    def connectionLost(self, reason: object = None) -> None:  # noqa: ARG002
        self.lost = True

    def _answer(self, verb: str) -> None:
        verb = {"STAR": "STARTTLS"}.get(verb, verb)
        self.verbs.append(verb)
        reply = self.replies.get(verb, "500 what?")
        assert self.transport is not None
        if reply == "hangup":
            self.transport.loseConnection()
        elif reply != "silence":
            self.transport.write(f"{reply}\r\n".encode())
            self._in_content = verb == "DATA" and reply.startswith("354")
            if verb == "STARTTLS" and reply.startswith("220"):
                self._start_tls()
            if verb == "QUIT" or reply.startswith("421"):
                self.transport.loseConnection()

    def _start_tls(self) -> None:
        self.transport.startTLS(certificate().options())  # type: ignore[union-attr]
