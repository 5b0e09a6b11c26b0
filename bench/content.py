"""The messages that are sent, and how one is told from another."""

from typing import Protocol

SENDER = b"bench@example.org"
ID_HEADER = b"X-Bench-Id: "
ID_DIGITS = 12
MIN_CONTENT_OCTETS = 1024

_HEADERS = (
    b"From: Bench <%(author)b>\r\n"
    b"To: Reader <%(recipient)b>\r\n"
    b"Subject: An order, and what became of it\r\n"
    b"Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n"
    b"Message-ID: <%(id)b@bench.example.org>\r\n" + ID_HEADER + b"%(id)b\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=us-ascii\r\n"
    b"Content-Transfer-Encoding: 7bit\r\n"
    b"\r\n"
)
_LINE = b"It is on its way, and will be with you before the end of the coming week.\r\n"


def recipient_of(message_id: int) -> bytes:
    """A message's only recipient: one of 1000 in 20 domains."""
    return b"reader%d@receiver%d.example.net" % (message_id % 1000, message_id % 20)


class Maker(Protocol):
    """
    Makes messages; a value that can be handed to another process.

    Attributes:
        ahead: messages are made before the clock starts, since that takes long.
    """

    ahead: bool

    def content(self, message_id: int) -> bytes:
        """A message as DATA sends it, its closing dot included."""


class Contents:
    """
    Implements Maker: messages that differ in their ids alone.

    Args:
        octets: length of a message without the dot that ends it, to within a few octets;
            at least MIN_CONTENT_OCTETS.
        author: whose address is in the From field.
    """

    ahead = False

    def __init__(self, octets: int, author: bytes = SENDER) -> None:
        self._author = author
        body_octets = octets - len(self._headers(0))
        full_lines, rest = divmod(body_octets, len(_LINE))
        self._body = _LINE * full_lines + b"-" * max(rest - 2, 0) + b"\r\n.\r\n"

    def content(self, message_id: int) -> bytes:
        """A message as DATA sends it, its closing dot included."""
        return self._headers(message_id) + self._body

    def _headers(self, message_id: int) -> bytes:
        values = {
            b"author": self._author,
            b"recipient": recipient_of(message_id),
            b"id": b"%0*d" % (ID_DIGITS, message_id),
        }
        return _HEADERS % values
