"""Octets from a client: cut into command lines, or gathered as content. Knows no transport."""

from __future__ import annotations

import enum
import re
from typing import Protocol as Shape

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

_DOT = b"\r\n."
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
        end = pending.find(b"\r\n")
        least = end + 2 if end >= 0 else len(pending) + 1
        if self._dropping or (least > COMMAND_OCTETS and least > self._limit(response)):
            self._drop(end)
            return None
        if end < 0:
            return None
        line = bytes(pending[:end])
        del pending[: end + 2]
        if b"\r" in line or b"\n" in line:
            raise BareNewline
        return line

    def _limit(self, response: bool) -> int:  # noqa: FBT001
        if response:
            return AUTH_OCTETS
        return EXTENDED_OCTETS.get(bytes(self._pending[:4]).upper(), COMMAND_OCTETS)

    def _drop(self, end: int) -> None:
        pending = self._pending
        # A CR at the very end may be half of the CRLF that is looked for.
        drop = end if end >= 0 else len(pending) - pending.endswith(b"\r")
        self._dropping += drop
        del pending[:drop]
        if self._dropping > OVERLONG_OCTETS:
            raise Flood
        if end >= 0:
            del pending[:2]
            self._dropping = 0
            raise LineTooLong

    def take_rest(self) -> bytes:
        """Take everything that is left, as it came: content follows the commands."""
        rest = bytes(self._pending)
        self._pending.clear()
        return rest


class Room(Shape):
    """Room for content in memory."""

    def reserve(self, octets: int) -> bool:
        """Take so many octets; False when they are not to be had."""

    def release(self, octets: int) -> None:
        """Give them back."""


class Fault(enum.IntEnum):
    """
    Why content cannot be accepted. It is read to its end all the same.

    The greatest one found counts, so that what the client is told does not depend on how
    its octets happened to be cut, and nothing is called temporary that is not.
    """

    NO_ROOM = 1
    TOO_BIG = 2
    LINE_TOO_LONG = 3
    BARE_NEWLINE = 4


class ContentReader:
    """
    Gathers the content of one message: finds its end, takes the transparency dots out.

    The end is CRLF.CRLF and nothing else. Work is done on whole chunks, never line by line.
    What is held is always reserved in `room`, to the octet; `discard` gives it back.

    Args:
        limit_octets: the greatest size, dots removed.
        line_octets: the longest line, CRLF included, dots removed.
        normalise: turn a lone CR or LF into CRLF instead of refusing it.

    Attributes:
        octets: how many have come, dots removed, whether they were kept or not.
    """

    def __init__(
        self, limit_octets: int, line_octets: int, room: Room, *, normalise: bool = False
    ) -> None:
        self.limit_octets = limit_octets
        self.line_limit = line_octets
        self._room = room
        self._normalise = normalise
        # The first line counts as standing behind a CRLF, which is not content.
        self._undecided = b"\r\n"
        self._first = True
        self._line_octets = 0
        self._pieces: list[bytes] = []  # of the block that has begun
        self._pieces_octets = 0
        self._blocks: list[bytes] = []
        self.fault: Fault | None = None
        self.octets = 0
        self.reserved_octets = 0

    def feed(self, octets: bytes) -> bytes | None:
        """Take octets; None asks for more, otherwise the octets that follow the end."""
        work = self._undecided + octets if self._undecided else octets
        dot = work.find(_DOT)
        end = work.find(_END_OF_CONTENT, dot) if dot >= 0 else -1
        if end >= 0:
            self._take(work, end + 2, dotted=dot < end)
            self._undecided = b""
            return work[end + len(_END_OF_CONTENT) :]
        cut = _cut(work)
        self._undecided = work[cut:]
        if cut:
            self._take(work, cut, dotted=0 <= dot < cut)
        return None

    def blocks(self) -> tuple[bytes, ...]:
        """The content, once its end was found and `fault` is None."""
        self._close_block()
        return tuple(self._blocks)

    def discard(self) -> None:
        """Let go of what is held, and of the room for it."""
        self._pieces.clear()
        self._pieces_octets = 0
        self._blocks.clear()
        reserved, self.reserved_octets = self.reserved_octets, 0
        self._room.release(reserved)

    def _take(self, work: bytes, end: int, *, dotted: bool) -> None:
        """Take octets that begin at, and do not end within, a CRLF and what may follow it."""
        begin = 2 if self._first else 0
        self._first = False
        chunk = work[:end].replace(_DOT, b"\r\n")[begin:] if dotted else work[begin:end]
        bare = has_lone_newline(chunk)
        if bare and self._normalise:
            chunk = _LONE.sub(b"\r\n", chunk)
        self.octets += len(chunk)
        fault = self._fault_of(chunk, bare=bare)
        if fault is not None:
            self.fault = max(fault, self.fault or fault)
            self.discard()
        elif self.fault is None:
            self._keep(chunk)

    def _fault_of(self, chunk: bytes, *, bare: bool) -> Fault | None:
        if bare and not self._normalise:
            return Fault.BARE_NEWLINE
        if self._has_long_line(chunk):
            return Fault.LINE_TOO_LONG
        if self.octets > self.limit_octets:
            return Fault.TOO_BIG
        if self.fault is None and not self._room.reserve(len(chunk)):
            return Fault.NO_ROOM
        return None

    def _has_long_line(self, chunk: bytes) -> bool:
        """Leap from line end to line end, as far as one line may reach at a time."""
        start = -self._line_octets
        while len(chunk) - start > self.line_limit:
            end = chunk.rfind(b"\n", max(start, 0), max(start + self.line_limit, 0))
            if end < 0:
                return True
            start = end + 1
        last = chunk.rfind(b"\n", max(start, 0))
        self._line_octets = len(chunk) - (last + 1 if last >= 0 else start)
        return False

    def _keep(self, chunk: bytes) -> None:
        self.reserved_octets += len(chunk)
        self._pieces.append(chunk)
        self._pieces_octets += len(chunk)
        if self._pieces_octets >= BLOCK_OCTETS:
            self._close_block()

    def _close_block(self) -> None:
        if self._pieces_octets:
            self._blocks.append(b"".join(self._pieces))
            self._pieces.clear()
            self._pieces_octets = 0


def _cut(work: bytes) -> int:
    """Where to cut so that what is held back may still become the end of the content."""
    for length in (4, 3, 2, 1):
        if work.endswith(_END_OF_CONTENT[:length]):
            return len(work) - length
    return len(work)
