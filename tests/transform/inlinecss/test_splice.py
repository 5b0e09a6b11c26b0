"""Where changes go in the source of a start tag."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss.cascade import Styling
from smtpeter.transform.inlinecss.splice import restyled
from smtpeter.transform.inlinecss.syntax import declarations
from smtpeter.transform.starttag import attribute

VALUES = st.lists(
    st.sampled_from(["a", '"', "'", "&amp;", "&", ";", ":", " ", "&quot", "<", "red", "/"]),
    max_size=8,
).map("".join)


def styled(source: str, before: str = "", after: str = "") -> str:
    styling = Styling(before, after, frozenset(), (), ())
    return restyled(source, styling, presentational=False)


class NewAttributeTests(SynchronousTestCase):
    """Tags without a `style` attribute."""

    def test_end(self) -> None:
        """It goes before the end of the tag."""
        for source, result in (
            ("<p>", '<p style="a:b">'),
            ("<P CLASS=x >", '<P CLASS=x style="a:b" >'),
            ("<br />", '<br style="a:b" />'),
            ("<br/>", '<br style="a:b"/>'),
            ('<img alt=""/>', '<img alt="" style="a:b"/>'),
        ):
            self.assertEqual(result, styled(source, "a:b"))

    def test_no_room(self) -> None:
        """Where it would become part of a value, or its name one, it goes behind the name."""
        for source, result in (
            ("<a href=x/>", '<a style="a:b" href=x/>'),
            ("<td class=>", '<td style="a:b" class=>'),
            ("<td class= >", '<td style="a:b" class= >'),
        ):
            self.assertEqual(result, styled(source, "a:b"))

    def test_both(self) -> None:
        """What goes before and what goes behind follow one another."""
        self.assertEqual('<p style="a:b;c:d">', styled("<p>", "a:b", "c:d"))

    def test_nothing(self) -> None:
        """For nothing there is no attribute."""
        self.assertEqual("<p>", styled("<p>"))


class OldAttributeTests(SynchronousTestCase):
    """Tags with one."""

    def test_around(self) -> None:
        """What is there stays, between its own quotes."""
        for source, result in (
            ('<p style="c:d">', '<p style="a:b;c:d;e:f">'),
            ("<p STYLE = ' c:d; ' >", "<p STYLE = 'a:b; c:d; e:f' >"),
            ('<p style="">', '<p style="a:b;e:f">'),
            ("<p style=c:d>", '<p style="a:b;c:d;e:f">'),
            ("<p Style>", '<p Style="a:b;e:f">'),
            ('<p style="c:&quot;d&quot">', '<p style="a:b;c:&quot;d&quot ;e:f">'),
        ):
            self.assertEqual(result, styled(source, "a:b", "e:f"))

    def test_nothing(self) -> None:
        """For nothing it stays as it is."""
        for source in ("<p style=a:b>", "<p style>", "<p style='a:\"b\"'>"):
            self.assertEqual(source, styled(source))


class QuoteTests(SynchronousTestCase):
    """Quotes within declarations."""

    def test_swapped(self) -> None:
        """Strings take the quotes that the attribute does not have."""
        self.assertEqual("<p style=\"a:'b',c\">", styled("<p>", 'a:"b",c'))
        self.assertEqual("<p style='a:\"b\";c:d'>", styled("<p style='c:d'>", "a:'b'"))

    def test_escaped(self) -> None:
        """Where they cannot, they are written as references; so are ampersands."""
        self.assertEqual('<p style="a:&#34;it\'s&#34;">', styled("<p>", 'a:"it\'s"'))
        self.assertEqual('<p style="a:url(?b&amp;c)">', styled("<p>", "a:url(?b&c)"))

    @given(VALUES, VALUES, st.sampled_from(["<p>", "<p style='%s'>", '<p style="%s">']))
    def test_read_again(self, value: str, old: str, form: str) -> None:
        """Whatever is added can be read from the attribute again, and what was there as well."""
        old = old.replace("'", "").replace('"', "")
        source = form % old if "%" in form else form
        style = attribute(styled(source, f"a:{value}"), "style")
        was = attribute(source, "style")
        assert style is not None
        self.assertTrue(style.value.endswith(was.value if was else ""))
        if "'" not in value and '"' not in value:
            self.assertTrue(style.value.startswith(f"a:{value}"))


class PresentationalTests(SynchronousTestCase):
    """Attributes that say what styles say."""

    def test_added(self) -> None:
        """They are added, unless they are there."""
        styling = Styling("width:5px;height:6px", "", frozenset(), (), (("width", "5px"),
                          ("height", "6px")))  # fmt: skip
        self.assertEqual(
            '<td height=1 style="width:5px;height:6px" width="5">',
            restyled("<td height=1>", styling, presentational=True),
        )

    def test_declarations_stay(self) -> None:
        """The styles themselves stay."""
        self.assertEqual(1, len(declarations("width:5px")))
