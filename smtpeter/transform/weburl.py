"""
Web addresses as browsers understand them (WHATWG URL), for http and https.

What people write into a link is often no URL of RFC 3986, and browsers make one of it before
they ask for anything. This is what they make of it.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

import idna

DEFAULT_PORTS = {"http": "80", "https": "443"}
# Names have no more than 253 characters; percent-encoded they may be written with more.
HOST_CHARACTERS = 1000

_AROUND = "".join(map(chr, range(0x21)))
_IGNORED = re.compile(r"[\t\n\r]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SHAPE = re.compile(
    r"(https?):[/\\]*([^/\\?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.ASCII | re.IGNORECASE | re.DOTALL
)
# An address that is written already as a browser would, in all but the slash for no path.
_CANONICAL = re.compile(
    r"(https?://((?:[a-z0-9_-]++\.)*[a-z][a-z0-9_-]*+))(/[!$-;=@-\[\]_a-z|~]*+)?"
    r"(\?[!$-&(-;=?-~]*+)?(#[!#-;=?-_a-~]*+)?"
)
_MAY_BE_DOTS = ("/.", "%2")
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]+)(?::([0-9]*))?")
_FORBIDDEN_IN_HOST = re.compile(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^|]")
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?=/|\Z)", re.IGNORECASE)

# What has to be percent-encoded in each part (URL, section 1.3).
_NOT_IN_PATH = re.compile(r"[^!$-;=@-\]_a-z|~]")
_NOT_IN_QUERY = re.compile(r"[^!$-&(-;=?-~]")
_NOT_IN_FRAGMENT = re.compile(r"[^!#-;=?-_a-~]")
_NOT_IN_USERINFO = re.compile(r"[^!$-.0-9A-Z_a-z~]")


class WebURL(NamedTuple):
    """
    An absolute http or https URL in the one form that a browser gives it. All of it is ASCII.

    Attributes:
        origin: scheme, user information, host, and a port that is not the default one:
            `https://shop.example:8443`.
        host: in lower case, international names as A-labels.
        path: begins with a slash; without dot segments.
        query: with its question mark; empty without one.
        fragment: with its number sign; empty without one.
    """

    origin: str
    host: str
    path: str
    query: str
    fragment: str

    def __str__(self) -> str:
        return f"{self.origin}{self.path}{self.query}{self.fragment}"

    @property
    def requested(self) -> str:
        """What is asked for: the URL without its fragment."""
        return f"{self.origin}{self.path}{self.query}"


def parse(text: str) -> WebURL | None:
    """
    Read an address as a browser does where nothing is known of a base.

    None for whatever is no absolute http or https address, or one that leads nowhere. The
    query is taken for UTF-8, whatever the document is written in.
    """
    match = _CANONICAL.fullmatch(text)
    if match and len(match[2]) <= HOST_CHARACTERS and not any(map(text.__contains__, _MAY_BE_DOTS)):
        origin, host, path, query, fragment = match.groups("")
        return WebURL(origin, host, path or "/", query, fragment)
    return parse_any(text)


def parse_any(text: str) -> WebURL | None:
    """The same, for what is not written as it should be."""
    if not text.isascii():
        text = _SURROGATE.sub("\ufffd", text)
    match = _SHAPE.fullmatch(_IGNORED.sub("", text.strip(_AROUND)))
    if match is None:
        return None
    scheme, authority, path, query, fragment = match.groups(default="")
    scheme = scheme.lower()
    userinfo, at, host_and_port = authority.rpartition("@")
    parts = _HOST_AND_PORT.fullmatch(host_and_port)
    host = _host(parts[1]) if parts and len(parts[1]) <= HOST_CHARACTERS else None
    port = _port(parts[2] or "", scheme) if parts else None
    if host is None or port is None:
        return None
    return WebURL(
        origin=f"{scheme}://{_userinfo(userinfo) if at else ''}{host}{port}",
        host=host,
        path=_encoded(_NOT_IN_PATH, _without_dots(path.replace("\\", "/"))) or "/",
        query=_encoded(_NOT_IN_QUERY, query),
        fragment=_encoded(_NOT_IN_FRAGMENT, fragment),
    )


def _encoded(forbidden: re.Pattern[str], part: str) -> str:
    return forbidden.sub(_percent_encoded, part)


def _percent_encoded(match: re.Match[str]) -> str:
    return "".join(f"%{octet:02X}" for octet in match[0].encode())


def _userinfo(written: str) -> str:
    name, _, password = written.partition(":")
    parts = [_encoded(_NOT_IN_USERINFO, part) for part in (name, password)]
    if not any(parts):
        return ""
    return ":".join(parts).removesuffix(":") + "@"


def _port(digits: str, scheme: str) -> str | None:
    """The port with its colon, nothing for the default one; None for one that cannot be."""
    digits = digits.lstrip("0") or digits[:1]
    if digits in {"", DEFAULT_PORTS[scheme]}:
        return ""
    return f":{digits}" if len(digits) <= 5 and int(digits) <= 0xFFFF else None


def _without_dots(path: str) -> str:
    """Resolve `.` and `..`, percent-encoded ones too."""
    if not _DOT_SEGMENT.search(path):
        return path
    kept: list[str] = []
    *inner, last = path.removeprefix("/").split("/")
    for segment in inner:
        match segment.lower().replace("%2e", "."):
            case ".":
                pass
            case "..":
                del kept[-1:]
            case _:
                kept.append(segment)
    match last.lower().replace("%2e", "."):
        case ".":
            last = ""
        case "..":
            del kept[-1:]
            last = ""
    return "/" + "/".join([*kept, last])


@lru_cache(maxsize=1024)
def _host(written: str) -> str | None:
    """What a browser makes of a host; None when it refuses it."""
    if written.startswith("["):
        return _ipv6(written[1:-1])
    name = unquote(written)
    try:
        name = name.lower() if name.isascii() else _a_labels(name)
    except (idna.IDNAError, UnicodeError):
        return None
    if not name or _FORBIDDEN_IN_HOST.search(name):
        return None
    return _ipv4(name) if _is_number(name.removesuffix(".").rpartition(".")[2]) else name


def _a_labels(name: str) -> str:
    """
    By UTS 46 alone, as browsers do: that admits names the registries no longer sell, with
    symbols in them.
    """
    mapped = idna.uts46_remap(name, std3_rules=False)
    return ".".join(
        label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
        for label in mapped.split(".")
    )


def _is_number(label: str) -> bool:
    return re.fullmatch("[0-9]+|0x[0-9a-f]*", label) is not None


def _ipv4(name: str) -> str | None:
    """One to four numbers, each in base 8, 10 or 16, the last for all octets that remain."""
    try:
        *first, last = [_number(label) for label in name.removesuffix(".").split(".")]
    except ValueError:
        return None
    if len(first) > 3 or any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        return None
    for position, number in enumerate(first):
        last += number * 256 ** (3 - position)
    return str(ipaddress.IPv4Address(last))


def _number(label: str) -> int:
    if not _is_number(label):
        raise ValueError(f"{label!r} is no number")
    if label.startswith("0x"):
        return int(label[2:] or "0", 16)
    return int(label, 8 if label.startswith("0") else 10)


def _ipv6(text: str) -> str | None:
    if "%" in text:  # Python takes it for the mark of a zone
        return None
    try:
        address = ipaddress.IPv6Address(text)
    except ipaddress.AddressValueError:
        return None
    if mapped := address.ipv4_mapped:  # Pythons differ in how they write these
        high, low = divmod(int(mapped), 0x10000)
        return f"[::ffff:{high:x}:{low:x}]"
    return f"[{address}]"
