"""What commands print: a text for people, or with `--json` one JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import click

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
)


def answer(document: object, text: str, *, as_json: bool) -> None:
    """Print the document with `--json`, else the text."""
    click.echo(json.dumps(document, indent=2) if as_json else text)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The rows under their headings, in columns as wide as they need."""
    lines = [[heading.upper() for heading in headings], *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def moment(seconds: float) -> str:
    """Seconds since the epoch as a date and time (RFC 3339), in UTC."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_or_none(seconds: float | None) -> str | None:
    return None if seconds is None else moment(seconds)


def counted(number: int, unit: str) -> str:
    """Such as "1 message" or "3 messages"."""
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def one_line(text: str, characters: int | None = None) -> str:
    """What others have said, without what would move a cursor; cut to so many characters."""
    shown = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    if characters is None or len(shown) <= characters:
        return shown
    return f"{shown[: characters - 3]}..."
