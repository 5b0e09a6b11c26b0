"""Where in the source of a document its changes go."""

from __future__ import annotations

import re
from collections.abc import Iterator

from smtpeter.transform.inlinecss.cascade import Styling
from smtpeter.transform.inlinecss.presentational import attributes_for
from smtpeter.transform.markup import Edit, spliced
from smtpeter.transform.remembering import remembered
from smtpeter.transform.starttag import Attribute, attribute, attribute_value, tag_name

_QUOTE = '"'
# Behind these a further attribute stands by itself.
_ENDS_WITH_VALUE = ('">', "'>")
_BLANKS = "\t\n\f\r "
_CSS_STRING = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
_OPEN_REFERENCE = re.compile(r"&#?\w+\Z")


def restyled(source: str, styling: Styling, *, presentational: bool) -> str:
    """
    Give a start tag its styles, around those that it has.

    Args:
        source: from its `<` to its `>`.
        presentational: also as attributes, where they are not there.
    """
    if not presentational and source.endswith(_ENDS_WITH_VALUE) and "style" not in source.lower():
        return f"{source[:-1]}{_new_attribute(styling.before, styling.after)}>"
    edits = list(_style_edits(source, styling))
    if presentational:
        place = _behind_attributes(source)
        for name, value in attributes_for(tag_name(source), styling.declared):
            if attribute(source, name) is None:
                edits.append(Edit(place, place, f' {name}="{value}"'))
    return spliced(source, edits)


def _style_edits(source: str, styling: Styling) -> Iterator[Edit]:
    style = attribute(source, "style")
    if style is None:
        place = _behind_attributes(source)
        yield Edit(place, place, _new_attribute(styling.before, styling.after))
    elif style.quote:
        yield from _around(source, style, styling)
    elif styling.before or styling.after:
        old = source[style.value_start : style.value_end].replace('"', "&#34;")
        before, after = _in_quotes(styling.before, '"'), _in_quotes(styling.after, '"')
        name = source[style.start : style.start + len("style")]
        text = _joined(before, _joined(_terminated(old), after))
        yield Edit(style.start, style.end, f'{name}="{text}"')


@remembered(4096)
def _new_attribute(before: str, after: str) -> str:
    text = _joined(before, after)
    return f' style="{_in_quotes(text, _QUOTE)}"' if text else ""


def _around(source: str, attribute: Attribute, styling: Styling) -> Iterator[Edit]:
    """Nothing that stands between the quotes is touched."""
    quote, start, end = attribute.quote, attribute.value_start, attribute.value_end
    old = source[start:end]
    empty = not old.strip()
    if styling.before:
        text = _in_quotes(styling.before, quote)
        yield Edit(start, start, text if empty and not styling.after else f"{text};")
    if styling.after:
        text = _in_quotes(styling.after, quote)
        separator = "" if empty or old.rstrip().endswith(";") else ";"
        if separator and _OPEN_REFERENCE.search(old):
            separator = " ;"
        yield Edit(end, end, separator + text)


def _joined(first: str, second: str) -> str:
    separator = "" if first.rstrip().endswith(";") or not (first and second) else ";"
    return f"{first}{separator}{second}"


def _terminated(old: str) -> str:
    return f"{old} " if _OPEN_REFERENCE.search(old) else old


def _in_quotes(text: str, quote: str) -> str:
    """Declarations as they can stand in an attribute; strings take the other quotes."""
    if quote in text:
        other = "'" if quote == '"' else '"'

        def requoted(match: re.Match[str]) -> str:
            string = match[0]
            if string[0] != quote or other in string or "\\" in string:
                return string
            return f"{other}{string[1:-1]}{other}"

        text = _CSS_STRING.sub(requoted, text)
    return attribute_value(text, quote)


def _behind_attributes(source: str) -> int:
    """
    Where an attribute can be added.

    That is before the end of the tag, unless what stands there would take it for a value or
    become part of one: `<a href=x/>`, `<td class=>`.
    """
    end = len(source) - 1
    behind_name = 1 + len(tag_name(source))
    if source[end - 1] == "/":
        end -= 1
        while source[end - 1] in _BLANKS:
            end -= 1
        if source[end - 1] not in "\"'" and end == len(source) - 2:
            return behind_name
    while source[end - 1] in _BLANKS:
        end -= 1
    return behind_name if source[end - 1] in "=/" else end
