"""Reading a server's replies: strictly, and with a bound on everything (RFC 5321 4.2)."""

from __future__ import annotations

import re

from smtpeter.message.reply import Reply

LINE_OCTETS = 2048  # RFC 5321 section 4.5.3.1.5 asks for 512
REPLY_LINES = 256

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?\Z", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: +|\Z)")
# Nearly every reply: one line of printable ASCII.
_COMMON = re.compile(
    rb"([2-5])([0-9][0-9]) (?:(\1\.[0-9]{1,3}\.[0-9]{1,3})(?: +|(?=\r)))?([ -~]{0,1000})\r\n"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class InvalidReply(ValueError):
    """What the server said is no SMTP, or not at this point; the message says why."""


class ReplyReader:
    """Turns octets, in whatever pieces they come, into replies."""

    def __init__(self) -> None:
        self._octets = b""
        self._start = 0  # of what has not been read yet
        self._code = 0  # of the reply that has begun
        self._enhanced = ""
        self._lines: list[str] = []

    @property
    def pending(self) -> bool:
        """True when octets are left that were not handed out as a reply."""
        return self._start < len(self._octets) or bool(self._lines)

    def feed(self, octets: bytes) -> None:
        self._octets = self._octets[self._start :] + octets
        self._start = 0

    def next_reply(self) -> Reply | None:
        """
        Take the next whole reply; None when it has not arrived yet.

        An enhanced status code is taken out of the text when its class fits the code.
        Control characters in the text become question marks.

        Raises:
            InvalidReply: the server does not speak SMTP. Nothing can be read after that.
        """
        if self._start == len(self._octets):
            return None
        if not self._lines and (common := _COMMON.match(self._octets, self._start)):
            self._start = common.end()
            first, more, enhanced, text = common.groups(b"")
            return Reply(int(first + more), enhanced.decode("ascii"), text.decode("ascii"))
        while (line := self._next_line()) is not None:
            match = _LINE.match(line)
            if match is None:
                raise InvalidReply(f"not a line of a reply: {_readable(line[:80])!r}")
            self._take(int(match[1]), _readable(match[3] or b""))
            if match[2] != b"-":
                reply = Reply(self._code, self._enhanced, "\n".join(self._lines))
                self._lines = []
                return reply
        return None

    def _next_line(self) -> bytes | None:
        start = self._start
        end = self._octets.find(b"\r\n", start, start + LINE_OCTETS)
        line = self._octets[start : end if end >= 0 else start + LINE_OCTETS]
        if b"\n" in line or b"\r" in line[:-1] or (end >= 0 and line.endswith(b"\r")):
            raise InvalidReply("a line of a reply has a lone CR or LF")
        if end >= 0:
            self._start = end + 2
            return line
        if len(line) == LINE_OCTETS:
            raise InvalidReply(f"a line of a reply is longer than {LINE_OCTETS} octets")
        return None

    def _take(self, code: int, text: str) -> None:
        found = _ENHANCED.match(text)
        enhanced = found[1] if found and found[1][0] == str(code)[0] else ""
        if not self._lines:
            self._code = code
            self._enhanced = enhanced
        elif code != self._code:
            raise InvalidReply(f"one reply with two codes, {self._code} and {code}")
        elif len(self._lines) >= REPLY_LINES:
            raise InvalidReply(f"a reply has more than {REPLY_LINES} lines")
        if found and enhanced and enhanced == self._enhanced:
            text = text[found.end() :]
        self._lines.append(text)


def _readable(octets: bytes) -> str:
    text = octets.decode("utf-8", "replace")
    return text if text.isprintable() else _CONTROL.sub("?", text)
