"""Which selectors meet an element."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss import Inliner

TREE = (
    '<div id=top class="one two"><h1 title="Big">h</h1><p lang=en-GB>1</p><p class=x>2<b>b</b></p>'
    "<span></span><p>3</p><ul><li>1<li>2<li>3<li>4</ul></div>"
)


def met(selector: str, body: str = TREE) -> int:
    """How many elements get a style by it."""
    html = f"<!DOCTYPE html><html><style>{selector}{{color:red}}</style>{body}"
    return Inliner().inline(html).count(' style="color:red"')


class MatchingTests(SynchronousTestCase):
    """Elements of a small tree, counted."""

    def test_selectors(self) -> None:
        """Each kind of selector."""
        for selector, number in (
            ("p", 3),
            ("*", 13),
            (".one", 1),
            (".one.two#top", 1),
            (".ONE", 0),
            ("div p", 3),
            ("div > b", 0),
            ("div b", 1),
            ("div > p > b", 1),
            ("body div b", 1),
            ("h1 + p", 1),
            ("h1 ~ p", 3),
            ("p + p", 1),
            ("p.x + span ~ ul li", 4),
            ("[title]", 1),
            ("[title=big i]", 1),
            ("[lang|=en]", 1),
            ("li:first-child", 1),
            ("li:last-child", 1),
            ("li:nth-child(even)", 2),
            ("li:nth-child(n+2)", 3),
            ("li:nth-last-child(-n+3)", 3),
            ("p:first-of-type", 1),
            ("p:nth-of-type(2)", 1),
            ("p:last-of-type", 1),
            (":only-child", 3),
            ("h1:only-of-type", 1),
            ("span:empty", 1),
            ("p:empty", 0),
            (":root", 1),
            (":root > body", 0),
            ("p:not(.x)", 2),
            ("p:not(.x, :first-of-type)", 1),
            (":is(h1, b)", 2),
            (":is(div .x) b", 1),
            (":is(span .x) b", 0),
            (":where(#top) > :not(p)", 3),
            ("p:not(div p)", 0),
        ):
            self.assertEqual(number, met(selector), selector)

    def test_tables(self) -> None:
        """A row is in a row group, also where the markup leaves that out."""
        for body in ("<table><tr><td></table>", "<table><tbody><tr><td></table>"):
            self.assertEqual(1, met("tbody > tr", body))
            self.assertEqual(0, met("table > tr", body))
        self.assertEqual(
            2, met("tr:nth-child(2)", "<table><tr><tr></table><table><tr><tr></table>")
        )

    def test_quirks(self) -> None:
        """Without a doctype, classes and ids are met in any case."""
        for sheet in (".A{color:red}", "#B{color:red}", ".A.c#B:not(.D){color:red}"):
            html = f"<style>{sheet}</style><p class='a C' id=b>"
            self.assertIn("color:red", Inliner().inline(html))
            self.assertEqual(
                "<!DOCTYPE html><p class='a C' id=b>", Inliner().inline(f"<!DOCTYPE html>{html}")
            )
