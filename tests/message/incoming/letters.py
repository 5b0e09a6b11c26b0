"""Messages that came in, made of little."""

from __future__ import annotations

from smtpeter.message.content import Content
from smtpeter.message.incoming.letter import Letter, read


def letter(text: str, *fields: str, null_sender: bool = True) -> Letter:
    """A message of plain text; fields such as "From: kees@mailbox.example"."""
    header = "".join(f"{field}\r\n" for field in fields)
    return read(
        Content.from_octets(f"{header}\r\n{text}".encode("utf-8", "surrogateescape")),
        null_sender=null_sender,
    )


def multipart(kind: str, *parts: tuple[str, bytes], header: str = "") -> bytes:
    """A message of parts; each has a header, of lines that end with a newline, and a body."""
    pieces = [f'{header}Content-Type: multipart/{kind}; boundary="=_b"\n'.encode()]
    for fields, body in parts:
        pieces.append(b"\n--=_b\n" + fields.encode() + b"\n" + body)
    return b"".join([*pieces, b"\n--=_b--\n"])


def read_octets(octets: bytes) -> Letter:
    """A message that came with the null reverse-path."""
    return read(Content.from_octets(octets), null_sender=True)
