"""Names of character sets, as mail writes them, and Python's codecs for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from encodings.aliases import aliases
from functools import lru_cache
from types import MappingProxyType

_SEPARATORS = re.compile(r"[^a-z0-9]+")
_VISIBLE = bytes(range(0x20, 0x7F))

# Python's aliases hold some codecs that are no charsets, and lack a few that are.
_NO_CHARSETS = {
    "base64_codec", "bz2_codec", "hex_codec", "mbcs", "oem", "quopri_codec", "rot_13",
    "uu_codec", "zlib_codec",
}  # fmt: skip
_LACKING = {
    "cp874": "cp874",
    "iso_8859_8_i": "iso8859_8",
    "koi8_u": "koi8_u",
    "windows_874": "cp874",
    "x_sjis": "cp932",
}
_CODECS: Mapping[str, str] = MappingProxyType(
    {
        name: codec
        for name, codec in [*((each, each) for each in aliases.values()), *aliases.items()]
        if codec not in _NO_CHARSETS
    }
    | _LACKING
)


def codec(charset: str) -> str | None:
    """
    Name Python's codec for a charset; None for one that is not known.

    Python itself is not asked: for names it does not know, it looks on the disk, and
    remembers each of them for good.
    """
    return _CODECS.get(_SEPARATORS.sub("_", charset.lower()).strip("_"))


@lru_cache(maxsize=256)
def extends_ascii(codec: str) -> bool:
    """True when the octets of ASCII's visible characters are those characters in this codec."""
    try:
        return _VISIBLE.decode(codec) == _VISIBLE.decode("ascii")
    except UnicodeError:
        return False
