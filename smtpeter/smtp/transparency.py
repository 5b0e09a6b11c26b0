"""Content on its way out: leading dots are doubled, and one dot ends it (RFC 5321 4.5.2)."""

from __future__ import annotations

_LINE_START = b"\r\n"


class DotStuffer:
    """
    Encodes content block by block; where the blocks were cut makes no difference.

    One stuffer serves one content. The content's lines end with CRLF.
    """

    def __init__(self) -> None:
        self._tail = _LINE_START  # the DATA command ended a line

    def encode(self, block: bytes) -> bytes:
        """The block with its dots doubled: the same object when there are none to double."""
        if not block:
            return block
        before = self._tail
        self._tail = block[-2:] if len(block) > 1 else before[-1:] + block
        if block.find(b"\r\n.") >= 0:
            block = block.replace(b"\r\n.", b"\r\n..")
        if before == _LINE_START and block.startswith(b"."):
            return b"." + block
        if before.endswith(b"\r") and block.startswith(b"\n."):
            return b"\n." + block[1:]
        return block

    def end(self) -> bytes:
        """What ends the content: the lone dot, behind a CRLF unless one was just sent."""
        return b".\r\n" if self._tail == _LINE_START else b"\r\n.\r\n"
