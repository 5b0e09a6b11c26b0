"""Octets from a client: cut into command lines, or gathered as content. Knows no transport."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable

from smtpeter.message.content import BLOCK_OCTETS, has_lone_newline

COMMAND_OCTETS = 512  # RFC 5321 section 4.5.3.1.4, CRLF included
AUTH_OCTETS = 12288  # RFC 4954 section 4

# What the extensions that we offer add to a command (their own sections on limits).
EXTENDED_OCTETS = {
    # SIZE 26, BODY 17, AUTH 500, RET and ENVID 107, SMTPUTF8 10
    b"MAIL": COMMAND_OCTETS + 26 + 17 + 500 + 107 + 10,
    b"RCPT": COMMAND_OCTETS + 500,  # NOTIFY and ORCPT
    b"AUTH": AUTH_OCTETS,
}

# Octets read and dropped of a line that is too long before the client is given up.
OVERLONG_OCTETS = 64 * 1024

_END_OF_CONTENT = b"\r\n.\r\n"
_LONE = re.compile(rb"\r\n|\r|\n")


class BareNewline(ValueError):
    """A CR or LF stood alone in a command line."""


class LineTooLong(ValueError):
    """A command line was longer than it may be; it has been dropped."""


class Flood(ValueError):
    """A line that is too long does not end: nothing sensible will follow."""


class LineReader:
    """
    Cuts received octets into command lines.

    A line ends with CRLF and with nothing else (RFC 5321 section 2.3.8).
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._dropping = 0

    def feed(self, octets: bytes) -> None:
        self._pending += octets

    @property
    def pending_octets(self) -> int:
        """Octets received and not yet taken."""
        return len(self._pending)

    def next_line(self, response: bool = False) -> bytes | None:  # noqa: FBT001, FBT002
        """
        Take one line, without its CRLF; None asks for more octets.

        Args:
            response: the line answers a challenge of AUTH, which may be long.

        Raises:
            BareNewline: a CR or LF stood alone in the line, which has been dropped.
            LineTooLong: the line passed its limit and has been dropped.
            Flood: such a line goes on and on.
        """
        pending = self._pending
        limit = AUTH_OCTETS if response else self._limit()
        end = pending.find(b"\r\n")
        if self._dropping or end + 2 > limit or (end < 0 and len(pending) >= limit):
            self._drop(end)
            return None
        if end < 0:
            return None
        line = bytes(pending[:end])
        del pending[: end + 2]
        if b"\r" in line or b"\n" in line:
            raise BareNewline
        return line

    def _limit(self) -> int:
        return EXTENDED_OCTETS.get(bytes(self._pending[:4]).upper(), COMMAND_OCTETS)

    def _drop(self, end: int) -> None:
        if end >= 0:
            del self._pending[: end + 2]
            self._dropping = 0
            raise LineTooLong
        kept = 1 if self._pending.endswith(b"\r") else 0
        self._dropping += len(self._pending) - kept
        del self._pending[: len(self._pending) - kept]
        if self._dropping > OVERLONG_OCTETS:
            raise Flood

    def take_rest(self) -> bytes:
        """Take everything that is left, as it came: content follows the commands."""
        rest = bytes(self._pending)
        self._pending.clear()
        return rest


class Fault(enum.Enum):
    """Why content cannot be accepted. It is read to its end all the same."""

    TOO_BIG = "too big"
    LINE_TOO_LONG = "line too long"
    BARE_NEWLINE = "bare newline"
    NO_ROOM = "no room"


class ContentReader:
    """
    Gathers the content of one message: finds its end, takes the transparency dots out.

    The end is CRLF.CRLF and nothing else. Work is done on whole chunks, never line by line.

    Args:
        limit_octets: the greatest size, dots removed.
        line_octets: the longest line, CRLF included.
        reserve: asks for room for further octets in memory; False refuses.
        normalise: turn a lone CR or LF into CRLF instead of refusing it.
    """

    def __init__(
        self,
        limit_octets: int,
        line_octets: int,
        reserve: Callable[[int], bool],
        *,
        normalise: bool = False,
    ) -> None:
        self._limit_octets = limit_octets
        self._line_limit = line_octets
        self._reserve = reserve
        self._normalise = normalise
        # The first line counts as standing behind a CRLF, which is not content.
        self._held = b"\r\n"
        self._first = True
        self._line_octets = 0
        self._pieces: list[bytes] = []
        self._pieces_octets = 0
        self._blocks: list[bytes] = []
        self.fault: Fault | None = None
        self.octets = 0
        self.reserved_octets = 0

    def feed(self, octets: bytes) -> bytes | None:
        """Take octets; None asks for more, otherwise the octets that follow the end."""
        work = self._held + octets if self._held else octets
        end = work.find(_END_OF_CONTENT)
        if end >= 0:
            self._take(work[: end + 2])
            self._held = b""
            return work[end + len(_END_OF_CONTENT) :]
        cut = _cut(work)
        self._held = work[cut:]
        if cut:
            self._take(work[:cut])
        return None

    def blocks(self) -> tuple[bytes, ...]:
        """The content, once its end was found and `fault` is None."""
        self._close_block()
        return tuple(self._blocks)

    def _take(self, chunk: bytes) -> None:
        if self.fault is None:
            self.fault = self._fault_of(chunk)
        if self.fault is None or self.fault is Fault.TOO_BIG:
            self.octets += len(chunk)
        if self.fault is not None:
            self._pieces.clear()
            self._blocks.clear()
            return
        if b"\r\n." in chunk:
            chunk = chunk.replace(b"\r\n.", b"\r\n")
        if self._normalise and has_lone_newline(chunk):
            chunk = _LONE.sub(b"\r\n", chunk)
        if self._first:
            self._first = False
            chunk = chunk[2:]
        self._add(chunk)

    def _fault_of(self, chunk: bytes) -> Fault | None:
        if not self._normalise and has_lone_newline(chunk):
            return Fault.BARE_NEWLINE
        if self._has_long_line(chunk):
            return Fault.LINE_TOO_LONG
        if self.octets + len(chunk) > self._limit_octets + 2:
            return Fault.TOO_BIG
        if not self._reserve(len(chunk)):
            return Fault.NO_ROOM
        self.reserved_octets += len(chunk)
        return None

    def _has_long_line(self, chunk: bytes) -> bool:
        """Leap from line end to line end, as far as one line may reach at a time."""
        position = -self._line_octets
        while len(chunk) - position > self._line_limit:
            end = chunk.rfind(b"\n", max(position, 0), max(position + self._line_limit, 0))
            if end < 0:
                return True
            position = end + 1
        last = chunk.rfind(b"\n")
        self._line_octets = len(chunk) - last - 1 if last >= 0 else self._line_octets + len(chunk)
        return False

    def _add(self, chunk: bytes) -> None:
        self._pieces.append(chunk)
        self._pieces_octets += len(chunk)
        if self._pieces_octets >= BLOCK_OCTETS:
            self._close_block()

    def _close_block(self) -> None:
        block = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        if block:
            self._blocks.append(block)
        self._pieces.clear()
        self._pieces_octets = 0


def _cut(work: bytes) -> int:
    """Where to cut so that what is held back may still become the end of the content."""
    for length in (4, 3, 2, 1):
        if work.endswith(_END_OF_CONTENT[:length]):
            return len(work) - length
    return len(work)
