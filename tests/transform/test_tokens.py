from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.starttag import attributes
from smtpeter.transform.tokens import cut, cut_carefully

PIECES = (
    *"<>/!-='\" \n\0aB&;?\u00e9\u212a",
    *("--", "<a ", "</a>", "<!--", "-->", "<![CDATA[", "]]>", "<style>", "</style", "<script>"),
    *("</script>", "<svg>", "<title/>", "href=", "&amp", "{{x}}", "<%"),
)
MARKUP = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def names(text: str) -> list[str]:
    """The names of all tags, end tags with a slash in front."""
    found = cut(text)
    careful = cut_carefully(text)
    assert found == careful, (found, careful)
    return found.names


def count_steps(text: str) -> int:
    """How many tags and attributes are found in a text: what a run over it amounts to."""
    return sum(1 + len(attributes(tag)) for tag in cut(text).pieces[1::2])


class TagTests(SynchronousTestCase):
    """Start tags and end tags."""

    def test_span(self) -> None:
        """A text is cut where tags begin and end."""
        text = "a <b>c</b\n> d"
        self.assertEqual((["a ", "<b>", "c", "</b\n>", " d"], ["b", "/b"]), cut(text))

    def test_names(self) -> None:
        """Names are in lower case; whatever is no blank, slash or end belongs to them."""
        text = '<TaBle><o:P><v:rect/><my-x><h1><a"b><a=b><x\u212a>'
        found = ["table", "o:p", "v:rect", "my-x", "h1", 'a"b', "a=b", "x\u212a"]
        self.assertEqual(found, names(text))

    def test_no_tags(self) -> None:
        """A less-than sign without a letter behind it is text, and so are empty end tags."""
        self.assertEqual(["b"], names("1 < 2 <3 << <> </> </ b> <b>"))

    def test_cut_off(self) -> None:
        """A tag that the end of the text cuts off is none."""
        for text in (
            "<b",
            "<b ",
            "<b a",
            "<b a=",
            "<b a='",
            '<b a="x>y<c>',
            "<b a=x",
            "</b",
            "<b/",
        ):
            self.assertEqual(["i"], names("<i>" + text), text)


class HiddenTests(SynchronousTestCase):
    """Where no tags are."""

    def test_comments(self) -> None:
        """A comment ends where a browser ends it."""
        for comment in (
            "<!-- <i> -->",
            "<!--><!---><!---->",
            "<!-- a --!>",
            "<!-- a -- > <i> -->",
            "<!-- <!-- <i> -->",
            "<!--->",
            "<!----!>",
            "<!---!> <i> -->",
            "<!-- -- ->- --->",
        ):
            self.assertEqual(["b", "u"], names(f"<b>{comment}<u>"), comment)

    def test_bogus_comments(self) -> None:
        """What begins like a declaration ends at the first greater-than sign."""
        for comment in (
            "<!doctype html>",
            '<!DOCTYPE html PUBLIC "-//W3C//DTD <i>',
            "<!foo <i>",
            "<?xml version='1.0'?>",
            "</3 <i>",
            "<!>",
            "<!-x>",
            "<![CDATA[<i>",
        ):
            self.assertEqual(["b", "u"], names(f"<b>{comment}<u>"), comment)

    def test_conditional_comments(self) -> None:
        """What only Outlook sees is a comment; what others see as well is not."""
        hidden = "<!--[if gte mso 9]><table><a href='https://x.example'><![endif]-->"
        revealed = "<![if !mso]><i><![endif]>"
        both = "<!--[if !mso]><!--><s><!--<![endif]-->"
        self.assertEqual(["i", "s", "u"], names(f"{hidden}{revealed}{both}<u>"))

    def test_open_at_the_end(self) -> None:
        """What is never closed goes on to the end."""
        for text in ("<!-- <i>", "<!doctype <i", "<style><i>", "<script><i>", "<title><i></b>"):
            self.assertNotIn("i", names(text), text)

    def test_raw_text(self) -> None:
        """Style sheets, titles and the like hold no tags but their own end."""
        for name in ("style", "xmp", "iframe", "noembed", "noframes", "title", "textarea"):
            text = f"<{name.upper()} a><i><!-- </{name}x></{name} ><b>"
            self.assertEqual([name, f"/{name}", "b"], names(text))
        self.assertEqual(["style"], names("<style></\u017ftyle><i>"))

    def test_raw_text_closes_itself_not(self) -> None:
        """A slash at its end closes no such element outside of SVG."""
        self.assertEqual(["style", "/style"], names("<style/><i></style>"))
        self.assertEqual(["svg", "style", "i"], names("<svg><style/><i>"))
        self.assertEqual(["svg", "/svg", "title"], names("<svg></svg><title/><i>"))
        self.assertEqual(["svg", "title"], names("<svg/><title/><i>"))

    def test_cdata(self) -> None:
        """In SVG and MathML there are CDATA sections."""
        self.assertEqual(["math", "/math"], names("<math><![CDATA[ <i> > ]]></math>"))
        self.assertEqual(["svg"], names("<svg><![CDATA[ <i>"))
        self.assertEqual(["svg", "b"], names("<svg><![CDATA[]]><b>"))

    def test_script(self) -> None:
        """A script ends at its end tag, unless that belongs to one in a comment of it."""
        for script in (
            "if (a<b) '<i>'",
            "<!-- <i> ",
            "<!-- <script> </script> ",
            "<!-- <script> --> ",
            "<!--> <script> ",
            "<!---> <script> ",
            "<script> ",
            "<!-- <scripts> ",
            "<!-- </scripts> <script/> </script ",
        ):
            text = f"<script>{script}</script><b>"
            self.assertEqual(["script", "/script", "b"], names(text), script)
        self.assertEqual(["script"], names("<script><!-- <script> </script> <i>"))

    def test_plaintext(self) -> None:
        """Behind plaintext there is nothing but text."""
        self.assertEqual(["b", "plaintext"], names("<b><plaintext></plaintext><i>"))

    def test_end_tags_hide_nothing(self) -> None:
        """An end tag without its start tag is one, and what follows is markup."""
        self.assertEqual(["/style", "/script", "/svg", "b"], names("</style></script></svg><b>"))


class HostileTests(SynchronousTestCase):
    """Texts made to be slow to read."""

    def test_each_character_once(self) -> None:
        """Long texts that never close what they open are read to their end."""
        size = 200_000
        pieces = ("<a ", "<a b='", '<a b="<a b="', "a ", "='", "<!--", "<", "</", "<!", " ", "/")
        for piece in (*pieces, "<script><!--", "<style>", "<![CDATA[", "<svg/><![CDATA["):
            for text in (piece * size, "<a " + piece * size, "<svg>" + piece * size):
                self.assertLessEqual(count_steps(text), size + 2, piece)

    def test_many_attributes(self) -> None:
        """A tag may have any number of attributes."""
        tag = "<a " + "".join(f"x{number} " for number in range(50_000)) + ">"
        self.assertEqual(["", tag, ""], cut(tag).pieces)
        self.assertEqual(50_000, len(attributes(tag)))


class AnyMarkupTests(SynchronousTestCase):
    """What holds whatever is written."""

    @given(MARKUP | st.text())
    def test_quick(self, text: str) -> None:
        """Cut at once or tag by tag, the pieces are the same, and make up the text."""
        found = cut(text)
        self.assertEqual(cut_carefully(text), found)
        self.assertEqual(text, "".join(found.pieces))
        self.assertEqual(2 * len(found.names) + 1, len(found.pieces))
        for tag in found.pieces[1::2]:
            self.assertEqual(("<", ">"), (tag[0], tag[-1]))
