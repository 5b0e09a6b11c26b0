"""Style sheets as text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss.syntax import declarations, is_closed, rules, uncommented

CSS_LIKE = st.lists(
    st.sampled_from(
        [
            "a", ".b", "#c", "{", "}", "(", ")", "[", "]", ":", ";", ",", '"', "'", "\\", "/*",
            "*/", "@media x", "@import 'a'", "url(", "!important", "--x", "var(--x)", "color",
            "red",
            " ", "\n", "<!--", "-->", "{{x}}", ":not(", ">", "\0", "é",
        ]
    ),
    max_size=25,
).map("".join)  # fmt: skip


def pairs(text: str) -> list[tuple[str, str]]:
    return [(each.name, each.value) for each in declarations(text)]


def preludes(sheet: str) -> list[str]:
    return [sheet[each.prelude : each.brace].strip() for each in rules(sheet, 0, len(sheet))]


class CommentTests(SynchronousTestCase):
    """Comments become blanks."""

    def test_blanks(self) -> None:
        """All else keeps its place."""
        self.assertEqual("p {        }", uncommented("p { /*;}*/ }"))

    def test_no_comment(self) -> None:
        """What looks like one in a string or a URL is none."""
        for text in ('a:"/*";b:"*/"', "a:url(x/*y);b:url(*/)"):
            self.assertEqual(text, uncommented(text))

    def test_open(self) -> None:
        """A comment that is not closed goes to the end."""
        self.assertEqual("a     ", uncommented("a/* b;"))

    @given(CSS_LIKE)
    def test_length(self, text: str) -> None:
        """The text stays as long as it was."""
        self.assertEqual(len(text), len(uncommented(text)))


class RuleTests(SynchronousTestCase):
    """Where rules begin and end."""

    def test_rules(self) -> None:
        """Rules and at-rules follow one another, with or without blocks."""
        sheet = '@charset "x";a{b:c}@media x{d{e:f}}g{}'
        self.assertEqual(['@charset "x"', "a", "@media x", "g"], preludes(sheet))
        self.assertEqual(
            ["charset", "", "media", ""], [each.at for each in rules(sheet, 0, len(sheet))]
        )

    def test_braces_in_strings(self) -> None:
        """Braces in strings, URLs and escapes close nothing."""
        sheet = "a{b:'}';c:url(});d:\\}}e{}"
        self.assertEqual(["a", "e"], preludes(sheet))

    def test_stray_brace(self) -> None:
        """A stray brace spoils the next rule of a sheet, and ends nothing within a block."""
        self.assertEqual(["} a", "b"], preludes("} a{}b{}"))
        sheet = "} a{}b{}"
        nested = [sheet[each.prelude : each.brace] for each in rules(sheet, 0, 8, nested=True)]
        self.assertEqual(["a", "b"], nested)

    def test_open_block(self) -> None:
        """What the end of the sheet cuts off ends there."""
        [rule] = rules("a{b:c", 0, 5)
        self.assertEqual((5, 5), (rule.close, rule.end))

    def test_html_comments(self) -> None:
        """The marks of an HTML comment are passed over between rules."""
        self.assertEqual(["a", "b"], preludes("<!-- a{} --> b{} -->"))

    def test_nothing(self) -> None:
        """What never becomes a rule is none."""
        self.assertEqual([], preludes("a, b, c"))

    @given(CSS_LIKE)
    def test_in_order(self, text: str) -> None:
        """Whatever the text, rules lie in it one behind the other."""
        position = 0
        for rule in rules(text, 0, len(text)):
            offsets = (position, *rule[1:], len(text))
            self.assertEqual(sorted(offsets), list(offsets))
            position = rule.end


class DeclarationTests(SynchronousTestCase):
    """Names and values."""

    def test_plain(self) -> None:
        """Names are in lower case, values as written, without blanks around them."""
        self.assertEqual(
            [("color", "Red"), ("margin", "0 1px")], pairs(" COLOR : Red ;; margin:0 1px ")
        )

    def test_important(self) -> None:
        """`!important` is taken off the value, in any case and with blanks in it."""
        found = declarations("a:b!important;c:d ! IMPORTANT ;e:f important")
        self.assertEqual(
            [("b", True), ("d", True), ("f important", False)],
            [(each.value, each.important) for each in found],
        )

    def test_end(self) -> None:
        """The end is that of the value, where `!important` would be added."""
        text = "a: b ; c:d"
        self.assertEqual([4, 10], [each.end for each in declarations(text)])

    def test_semicolons(self) -> None:
        """A semicolon in a string, a URL or brackets ends nothing."""
        for value in ('"a;b"', "url(data:a;b)", "f(a;b(c;d))", "[a;b]", "a\\;b"):
            self.assertEqual([("x", value), ("y", "z")], pairs(f"x:{value};y:z"))

    def test_open_parenthesis(self) -> None:
        """An open parenthesis takes all that follows."""
        self.assertEqual([("a", "b(;c:d")], pairs("a:b(;c:d"))

    def test_custom(self) -> None:
        """Custom properties keep their case, and may be empty; others may not."""
        self.assertEqual([("--A", "x"), ("--b", "")], pairs("--A:x;--b:;c:;"))

    def test_none(self) -> None:
        """What has no name is none."""
        self.assertEqual([("c", "d")], pairs("*a:b;:b;x;1a:b;c:d"))

    def test_blocks(self) -> None:
        """A block among declarations takes what precedes it and ends with itself."""
        self.assertEqual([("a", "b"), ("e", "f")], pairs("a:b; & c{d:e} e:f"))
        self.assertEqual([("a", "b"), ("c", "d")], pairs("{{#if x}} a:b; {{else}} c:d; {{/if}} "))
        self.assertEqual([("c", "d")], pairs("a:{{#if}}x{{/if}}; c:d"))

    def test_template_tags(self) -> None:
        """A value with something to be filled in is one."""
        self.assertEqual([("a", "{{x}} 1px"), ("b", "c")], pairs("a: {{x}} 1px; b:c"))

    @given(CSS_LIKE)
    def test_anything(self, text: str) -> None:
        """Whatever the text, values end where they say."""
        for each in declarations(text):
            self.assertTrue(text[: each.end].endswith(each.value))


class ClosedTests(SynchronousTestCase):
    """Whether declarations can be added."""

    def test_closed(self) -> None:
        """They can behind strings, brackets and blocks that are closed."""
        for text in ("", "a:b", "a:'b'", "a:b(c(d))", "a:[b]", "a:{{b}}", "a:url(b)"):
            self.assertTrue(is_closed(text), text)

    def test_open(self) -> None:
        """They cannot behind others."""
        for text in ("a:'b", 'a:"', "a:b(", "a:b)", "a:[b", "a:{b", "a:b}", "/* x", "a:\\"):
            self.assertFalse(is_closed(text), text)
