"""HTML as a row of texts and tags: what a stage changes takes the place of the piece it was."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from smtpeter.transform.references import decoded
from smtpeter.transform.tokens import cut, without_tags

BYTE_ORDER_MARK = "\ufeff"


class Document(NamedTuple):
    """
    A document in its source, cut at its tags once for all that look at it.

    Tags have numbers from 0. Tag `n` is piece `2 * n + 1`; the text in front of it, with
    comments, and the content of a style sheet or script, is piece `2 * n`.

    Attributes:
        pieces: text, tag, text, tag, and so on, up to the text behind the last tag.
        names: of the tags, in lower case; those of end tags begin with a slash; "" for a tag
            that was taken out.
    """

    pieces: list[str]
    names: list[str]

    def __str__(self) -> str:
        return "".join(self.pieces)

    @property
    def begin(self) -> str:
        """The text in front of all tags, without a byte order mark: that is none of it."""
        return self.pieces[0].removeprefix(BYTE_ORDER_MARK)

    def tag(self, number: int) -> str:
        """The source of a tag."""
        return self.pieces[2 * number + 1]

    def tags(self, names: Container[str]) -> Iterator[tuple[int, str]]:
        """Number and name of all tags with one of these names."""
        return ((number, name) for number, name in enumerate(self.names) if name in names)

    def changed(self, pieces: Mapping[int, str]) -> Document:
        """
        A document with other pieces in the place of some.

        Args:
            pieces: by their number. Tags become tags of the same name, or nothing.
        """
        if not pieces:
            return self
        new = list(self.pieces)
        gone = [number // 2 for number, piece in pieces.items() if number % 2 and not piece]
        names = list(self.names) if gone else self.names
        for number, piece in pieces.items():
            new[number] = piece
        for number in gone:
            names[number] = ""
        return Document(new, names)


class Edit(NamedTuple):
    """Characters `start` to `end` of a text are to become `text`."""

    start: int
    end: int
    text: str


def read(text: str) -> Document:
    """Cut a document, or a piece of one, at its tags."""
    return Document(*cut(text))


def spliced(text: str, edits: Iterable[Edit]) -> str:
    """
    Apply edits, in any order; those at the same place in the order given.

    Raises:
        ValueError: two edits overlap, or one does not lie within the text.
    """
    pieces: list[str] = []
    position = 0
    for edit in sorted(edits, key=lambda each: each[:2]):
        if not position <= edit.start <= edit.end <= len(text):
            raise ValueError(f"{edit} lies outside of the text or overlaps another edit")
        pieces += (text[position : edit.start], edit.text)
        position = edit.end
    return "".join([*pieces, text[position:]]) if pieces else text


def text_content(text: str) -> str:
    """What a piece of a document says, without its tags and comments, references decoded."""
    return decoded(without_tags(text))


def at_the_end(document: Document, markup: str) -> Document:
    """Add something where it stands as the last of the body, and its tags are tags."""
    pieces = document.pieces
    ends = {name: number for number, name in document.tags({"/body", "/html"})}
    for name in ("/body", "/html"):
        if name in ends:
            return document.changed({2 * ends[name]: pieces[2 * ends[name]] + markup})
    last = len(pieces) - 1
    if _takes_a_tag(pieces):
        return document.changed({last: pieces[last] + markup})
    # A comment or a style sheet that never ends takes in all that follows it.
    if not last or _takes_a_tag(pieces[:last]):
        mark = BYTE_ORDER_MARK if not last and pieces[0].startswith(BYTE_ORDER_MARK) else ""
        return document.changed({last: mark + markup + pieces[last].removeprefix(mark)})
    return document.changed({last - 2: pieces[last - 2] + markup})


def _takes_a_tag(pieces: Sequence[str]) -> bool:
    """Whether a tag behind so much of a document would be one."""
    text = "".join(pieces)
    before, after = read(text), read(f"{text}<br>")
    return len(after.names) > len(before.names) and after.pieces[-2] == "<br>"
