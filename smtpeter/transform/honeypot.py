"""A link that no person can see: who follows it is a program that looks for links."""

from __future__ import annotations

from smtpeter.transform.markup import Document, at_the_end
from smtpeter.transform.starttag import attribute_value

# Nothing of it is shown, read out, or reached by the keyboard; Outlook has its own word for that.
_UNSEEN = (
    'style="display:none;visibility:hidden;mso-hide:all;font-size:0;max-height:0;overflow:hidden"'
    ' aria-hidden="true" tabindex="-1"'
)


def honeypot_url(base: str, identifier: str) -> str:
    """
    Where the link leads: to nothing.

    Args:
        base: scheme and host of ours: `https://clicks.shop.example`.
    """
    return f"{base}/{identifier}"


def with_honeypot(document: Document, url: str) -> Document:
    """Add the link at the end of a document's body."""
    return at_the_end(document, f"<a href={attribute_value(url)} {_UNSEEN}></a>")
