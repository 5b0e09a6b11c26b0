"""
URLs that lead through us: the original with another host and an identifier in its path.

`https://shop.example/sale/boots?size=43` becomes
`https://clicks.shop.example/sale/boots-IDENTIFIER?size=43`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from smtpeter.transform.identifier import LONGEST, Identified
from smtpeter.transform.weburl import WebURL
from smtpeter.values import frozen

_IDENTIFIER = rf"[A-Za-z0-9]{{1,{LONGEST}}}"
_AT_THE_END = re.compile(rf"(.*)([/-])({_IDENTIFIER})(\.[A-Za-z0-9]+)?", re.DOTALL)
_IN_FRONT = re.compile(rf"/({_IDENTIFIER})-(.*)", re.DOTALL)
_EXTENSION = re.compile(r"\.[A-Za-z0-9]+\Z")
_NOT_VISIBLE = re.compile(r"[^!-~]")


@frozen
class Resolved:
    """
    What a request for a tracked URL asks for.

    Attributes:
        identified: what the identifier in it stands for.
        rest: path and query of the original; behind its origin they make its URL.
    """

    identified: Identified
    rest: str


def tracked_url(base: str, url: WebURL, identifier: str, *, keep_extension: bool = False) -> str:
    """
    The URL that leads through us.

    Args:
        base: scheme and host of ours: `https://clicks.shop.example`.
        keep_extension: put the identifier before the extension of a file name, `box-ID.png`.
    """
    path, extension = url.path, ""
    if keep_extension and (match := _EXTENSION.search(path)):
        path, extension = path[: match.start()], match[0]
    joint = "" if path.endswith("/") else "-"
    return f"{base}{path}{joint}{identifier}{extension}{url.query}{url.fragment}"


def resolve(target: bytes, read: Callable[[str], Identified | None]) -> Resolved | None:
    """
    Find the identifier in what was asked for, and what was asked for without it.

    It stands at the end of the path, before an extension if there is one, or at its beginning.

    Args:
        target: the request target as it came (RFC 9112 section 3.2.1): path and query.
        read: `Identifiers.read`.
    """
    text = _NOT_VISIBLE.sub(lambda match: f"%{ord(match[0]):02X}", target.decode("latin-1"))
    path, mark, query = text.partition("?")
    if match := _AT_THE_END.fullmatch(path):
        before, joint, identifier, extension = match.groups(default="")
        if identified := read(identifier):
            slash = "/" if joint == "/" else ""
            return Resolved(identified, f"{before}{slash}{extension}{mark}{query}")
    if (match := _IN_FRONT.fullmatch(path)) and (identified := read(match[1])):
        return Resolved(identified, f"/{match[2]}{mark}{query}")
    return None
