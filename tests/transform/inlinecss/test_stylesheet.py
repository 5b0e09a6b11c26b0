"""What stays of a sheet."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss.stylesheet import Sheet, Stylesheets


def leftover(text: str, *, movable: bool = True) -> str:
    return Stylesheets([Sheet(text, movable)], caseless=False).leftover(0, frozenset())


class LeftoverTests(SynchronousTestCase):
    """What is left when what can be moved is gone."""

    def test_nothing(self) -> None:
        """A sheet of static rules leaves nothing, nor do comments and a charset."""
        for text in (
            "",
            " /* x */ ",
            "p{color:red}",
            '@charset "utf-8";p{} /* x */',
            "<!-- p{} -->",
        ):
            self.assertEqual("", leftover(text), text)

    def test_at_rules(self) -> None:
        """At-rules stay as they are."""
        for text in (
            "@media (max-width:1px){p{color:red}}",
            '@import url("x.css");',
            "@font-face{font-family:x;src:url(x)}",
            "@keyframes x{from{top:0}}",
            "@supports (display:grid){p{color:red}}",
            "@page{margin:0}",
            "@unknown;",
            "@media x{@media y{p{}}}",
        ):
            self.assertEqual(text, leftover(f"b{{}}{text}i{{}}"), text)

    def test_dynamic(self) -> None:
        """Rules that depend on the reader stay, of lists only those selectors."""
        self.assertEqual("a:hover{}", leftover("b{}a:hover{}"))
        self.assertEqual("p::before{}", leftover("p::before{}"))
        self.assertEqual(" a:hover, b:focus {}", leftover(" a, a:hover,i , b:focus{}"))

    def test_unreadable(self) -> None:
        """Rules that cannot be read stay as they are, with all their selectors."""
        for text in ("a, b:unknown {}", "v\\:* {}", "a >> b{}", "} p{}", "p::-moz-x{}"):
            self.assertEqual(text, leftover(f"{text}b{{}}"), text)

    def test_nesting(self) -> None:
        """A rule with rules in it stays whole."""
        self.assertEqual("p{a:b;& i{c:d}}", leftover("p{a:b;& i{c:d}}"))

    def test_clients(self) -> None:
        """Rules for what mail clients put around a message stay."""
        for text in ("#outlook a{}", ".ExternalClass *{}", "u + .body p{}", "[data-ogsc] .x{}"):
            self.assertEqual(text, leftover(f"b{{}}{text}"))

    def test_immovable(self) -> None:
        """Where a media query stands over all of it, all of it stays."""
        self.assertEqual("p{color:red}", leftover("p{color:red}", movable=False))

    def test_variables(self) -> None:
        """Variables stay where something that stays reads them."""
        self.assertEqual(
            ":root{--a:b}a:hover{c:var(--a)}", leftover(":root{--a:b}p{d:e}a:hover{c:var(--a)}")
        )
        self.assertEqual("a:hover{c:d}", leftover(":root{--a:b}a:hover{c:d}"))

    def test_unplaced(self) -> None:
        """A rule stays that meets an element without a start tag."""
        sheets = Stylesheets([Sheet("p{}b{}", movable=True)], caseless=False)
        self.assertEqual("b{}", sheets.leftover(0, frozenset(), frozenset({1})))
