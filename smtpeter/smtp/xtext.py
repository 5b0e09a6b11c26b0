"""The xtext encoding of ESMTP parameter values (RFC 3461 section 4)."""

from __future__ import annotations

import re

_ENCODED = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")
_PLAIN = re.compile(rb"[!-*,-<>-~]*\Z")
_HEXCHAR = re.compile(rb"\+([0-9A-F]{2})")
_TO_ENCODE = re.compile(rb"[^!-*,-<>-~]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class XtextError(ValueError):
    """The text is not xtext; the message of the exception says why."""


def encode(text: str) -> str:
    """
    Write any text as xtext: ASCII from "!" to "~", without "+" and "=" of its own.

    Characters outside ASCII are encoded as their UTF-8 octets.
    """
    octets = text.encode()
    if _PLAIN.match(octets):
        return text
    return _TO_ENCODE.sub(lambda match: b"+%02X" % ord(match[0]), octets).decode("ascii")


def decode(text: str) -> str:
    """
    Read xtext.

    What it says must be printable, as RFC 3461 sections 4.2 and 4.4 ask of every value
    that is written in xtext: nobody gets a line end into a header or a log this way.

    Raises:
        XtextError: it is not xtext, or what it encodes is not printable UTF-8.
    """
    if not _ENCODED.match(text):
        raise XtextError("only ! to ~ without = are allowed, and + before two of 0-9 A-F")
    if "+" not in text:
        return text
    octets = _HEXCHAR.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), text.encode())
    try:
        decoded = octets.decode()
    except UnicodeDecodeError:
        raise XtextError("what it encodes is not UTF-8") from None
    if _CONTROL.search(decoded):
        raise XtextError("it encodes a control character")
    return decoded
