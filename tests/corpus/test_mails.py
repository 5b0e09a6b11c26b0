import re

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss import Inliner
from tests.corpus.own import own_mails

# What inlining may touch: style elements, and these two attributes of start tags. Comments, and
# with them what stands in conditional ones, are matched so that nothing in them is.
_TOUCHED = re.compile(
    r"(?P<comment><!--.*?-->)"
    r"|(?P<style><style\b[^>]*>.*?</style\s*>)"
    r"|(?P<tag><[a-z](?:=\s*\"[^\"]*\"|=\s*'[^']*'|[^>])*>)",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    r"\s+(?:style|data-smtpeter-no-inline)(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>\"']+))?(?=[\s/>])",
    re.IGNORECASE,
)


def untouched(html: str) -> str:
    """A mail without what inlining may change."""

    def rest(match: re.Match[str]) -> str:
        if match["style"]:
            return ""
        return _ATTRIBUTE.sub("", match["tag"]) if match["tag"] else match[0]

    return _TOUCHED.sub(rest, html)


class OwnMailTests(SynchronousTestCase):
    """Our own mails, inlined."""

    def test_untouched(self) -> None:
        """Everything but style elements and style attributes stays as it was written."""
        for name, html in own_mails().items():
            self.assertEqual(untouched(html), untouched(Inliner().inline(html)), name)

    def test_something_done(self) -> None:
        """Each mail gets style attributes, and keeps no style element it has no use for."""
        for name, html in own_mails().items():
            inlined = Inliner().inline(html)
            self.assertGreater(inlined.count("style="), html.count("style="), name)

    def test_again(self) -> None:
        """An inliner that has seen a mail does the same with it as one that has not."""
        inliner = Inliner()
        for name, html in own_mails().items():
            self.assertEqual(inliner.inline(html), inliner.inline(html), name)
            self.assertEqual(Inliner().inline(html), inliner.inline(html), name)

    def test_twice(self) -> None:
        """Inlining what is inlined changes nothing but what was kept in a style element."""
        for name, html in own_mails().items():
            once = Inliner().inline(html)
            self.assertEqual(untouched(once), untouched(Inliner().inline(once)), name)
