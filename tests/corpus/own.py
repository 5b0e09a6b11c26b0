"""Mails of our own, which lie beside this file."""

from __future__ import annotations

from pathlib import Path

_DIRECTORY = Path(__file__).parent / "mails"


def own_mails() -> dict[str, str]:
    """Name to HTML."""
    return {path.name: path.read_bytes().decode() for path in sorted(_DIRECTORY.glob("*.html"))}
