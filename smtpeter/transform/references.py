"""Character references of HTML: `&amp;`, `&#233;`, `&#xe9;` (WHATWG HTML, section 13.2.5.72)."""

from __future__ import annotations

import re
from html.entities import html5

_REFERENCE = re.compile(r"&(?:#(?:[xX]([0-9A-Fa-f]++)|([0-9]++));?|([A-Za-z0-9]++)(;|(?!=)))")
_REPLACEMENT = "\ufffd"
_LAST = 0x10FFFF
# References to the C1 controls mean what windows-1252 has in their place.
_WINDOWS_1252 = {
    number: bytes([number]).decode("cp1252", "replace")
    for number in range(0x80, 0xA0)
    if number not in {0x81, 0x8D, 0x8F, 0x90, 0x9D}
}


def decoded(value: str) -> str:
    """
    The value of an attribute, as browsers read it from its source.

    A name without its semicolon counts only where neither `=` nor a letter or digit follows:
    `?a=1&copy=2` is no copyright sign.
    """
    if "\r" in value:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    return _REFERENCE.sub(_character, value) if "&" in value else value


def _character(match: re.Match[str]) -> str:
    hexadecimal, decimal, name, semicolon = match.groups()
    if name:
        return html5.get(name + semicolon, match[0])
    digits = (hexadecimal or decimal).lstrip("0")
    if len(digits) > len(str(_LAST)):
        return _REPLACEMENT
    number = int(digits or "0", 16 if hexadecimal else 10)
    if number in _WINDOWS_1252:
        return _WINDOWS_1252[number]
    if number == 0 or number > _LAST or 0xD800 <= number <= 0xDFFF:
        return _REPLACEMENT
    return chr(number)
