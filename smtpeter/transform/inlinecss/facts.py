"""What a start tag says that selectors ask for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from smtpeter.transform.inlinecss.selectors import Test
from smtpeter.transform.remembering import remembered
from smtpeter.transform.starttag import NO_INLINE, attributes
from smtpeter.transform.tokens import BLANK

_ID = re.compile(rf"\bid[{BLANK}]*=")


class Facts(NamedTuple):
    """
    What most selectors ask for.

    Attributes:
        style: what its `style` attribute says.
        excepted: it is marked to be left alone.
    """

    classes: str | None = None
    identifier: str | None = None
    style: str | None = None
    excepted: bool = False


NO_FACTS = Facts()


@remembered(8192)
def facts(tag: str) -> Facts:
    """Read a start tag; those of a mail repeat in it, and from one mail to the next."""
    if not _may_have_facts(tag.lower()):
        return NO_FACTS
    values = {each.name: each.value for each in attributes(tag)}
    get = values.get
    return Facts(get("class"), get("id"), get("style"), NO_INLINE in values)


def _may_have_facts(tag: str) -> bool:
    """False for a tag, in lower case, that says nothing of what is asked for."""
    if "class" in tag or "style" in tag or NO_INLINE in tag:
        return True
    return "id" in tag and _ID.search(tag) is not None


def passed(tests: Sequence[Test], tag: str) -> tuple[bool, ...]:
    """
    For each test whether a start tag passes it.

    Args:
        tag: its source; "" for an element that has none.
    """
    values = {each.name: each.value for each in attributes(tag)} if tag else {}
    return tuple(each.passes(values.get(each.name)) for each in tests)
