"""Where in the source of a document its changes go."""

from __future__ import annotations

import re
from collections.abc import Iterator

from smtpeter.transform.inlinecss.cascade import Styling
from smtpeter.transform.inlinecss.presentational import attributes_for
from smtpeter.transform.markup import (
    NO_INLINE,
    Attribute,
    Edit,
    Tag,
    attribute_value,
    removal,
    spliced,
    tags,
)

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
    tag = next(tags(source))
    edits = list(_style_edits(source, tag, styling))
    if presentational:
        place = _behind_attributes(source, tag)
        for name, value in attributes_for(tag.name, styling.declared):
            if tag.get(name) is None:
                edits.append(Edit(place, place, f' {name}="{value}"'))
    return spliced(source, edits)


def unmarked(source: str) -> str:
    """A start tag without the mark that says to leave its element alone."""
    mark = next(tags(source)).get(NO_INLINE)
    return spliced(source, [removal(source, mark)]) if mark else source


def _style_edits(source: str, tag: Tag, styling: Styling) -> Iterator[Edit]:
    attribute = tag.get("style")
    if attribute is None:
        text = _joined(styling.before, styling.after)
        if text:
            place = _behind_attributes(source, tag)
            value = _in_quotes(text, '"')
            yield Edit(place, place, f' style="{value}"')
    elif attribute.quote:
        yield from _around(source, attribute, styling)
    elif styling.before or styling.after:
        old = source[attribute.value_start : attribute.value_end].replace('"', "&#34;")
        before, after = _in_quotes(styling.before, '"'), _in_quotes(styling.after, '"')
        name = source[attribute.start : attribute.start + len("style")]
        text = _joined(before, _joined(_terminated(old), after))
        yield Edit(attribute.start, attribute.end, f'{name}="{text}"')


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


def _behind_attributes(source: str, tag: Tag) -> int:
    """
    Where an attribute can be added.

    That is before the end of the tag, unless what stands there would take it for a value or
    become part of one: `<a href=x/>`, `<td class=>`.
    """
    end = tag.end - 1
    if source[end - 1] == "/":
        end -= 1
        while source[end - 1] in _BLANKS:
            end -= 1
        if source[end - 1] not in "\"'" and end == tag.end - 2:
            return tag.start + 1 + len(tag.name)
    while source[end - 1] in _BLANKS:
        end -= 1
    return tag.start + 1 + len(tag.name) if source[end - 1] in "=/" else end
