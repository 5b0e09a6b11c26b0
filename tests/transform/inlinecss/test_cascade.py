"""The cascade: which declarations an element gets, and what that means for those that stay."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss.inliner import Inliner

# What it is about, the sheet, the style attribute of a <p class="a b" id="i"> before, and after.
CASES = (
    ("order", "p{color:red}p{color:blue}", "", "color:blue"),
    ("a class outweighs a tag", ".a{color:red}p{color:blue}", "", "color:red"),
    ("an id outweighs classes", "#i{color:red}.a.b{color:blue}", "", "color:red"),
    ("the weightiest of a list", ".a,p{color:red}p.b{color:blue}", "", "color:blue"),
    (":not() weighs what it holds", "p:not(#x){color:red}p.a.b{color:blue}", "", "color:red"),
    (":is() weighs its weightiest", ":is(#x,p){color:red}.a{color:blue}", "", "color:red"),
    (":where() weighs nothing", ":where(#i){color:red}p{color:blue}", "", "color:blue"),
    ("important", "p{color:red!important}#i{color:blue}", "", "color:red"),
    ("two important", "p{color:red!important}.a{color:blue!important}", "", "color:blue"),
    ("the attribute outweighs ids", "#i{color:red}", "color:blue", "color:blue"),
    ("important outweighs it", "p{color:red!important}", "color:blue", "color:blue;color:red"),
    (
        "unless it is important",
        "p{color:red!important}",
        "color:blue!important",
        "color:blue!important",
    ),
    ("others are added to it", "p{margin:0}", "color:blue;", "margin:0;color:blue;"),
    ("to an empty one", "p{margin:0}", " ", "margin:0 "),
    ("a longhand over a shorthand", "p{padding:0}.a{padding-left:5px}", "",
     "padding:0;padding-left:5px"),
    ("a shorthand over a longhand", ".a{padding:0}p{padding-left:5px}", "", "padding:0"),
    ("all longhands", "p{margin:1px}.a{margin-top:0;margin-right:0;margin-bottom:0;margin-left:0}",
     "", "margin-top:0;margin-right:0;margin-bottom:0;margin-left:0"),
    ("one side of a border", "p{border:1px solid red}.a{border-left:0}", "",
     "border:1px solid red;border-left:0"),
    ("a border over its sides", "p{border-left:0;border-color:red}.a{border:none}", "",
     "border:none"),
    ("a colour over a background", "p{background:#fff url(a.png)}.a{background-color:red}", "",
     "background:#fff url(a.png);background-color:red"),
    ("a font over its parts", "p{font-size:9px;line-height:2;color:red}.a{font:12px/1.5 Arial}",
     "", "color:red;font:12px/1.5 Arial"),
    ("alternatives in a rule", "p{background:#fff;background:linear-gradient(red,blue)}", "",
     "background:#fff;background:linear-gradient(red,blue)"),
    ("alternatives are overridden together", "p{width:1px;width:calc(1px)}.a{width:2px}", "",
     "width:2px"),
    ("a mistake overrides nothing", "p{color:red}.a{color:banana}", "", "color:red;color:banana"),
    ("nor does a hack", "p{width:5px}.a{width:6px\\9}", "", "width:5px;width:6px\\9"),
    ("what is new is added", "p{display:block}.a{display:flex}", "", "display:block;display:flex"),
    ("the same is said once", "p{-x-y:1}.a{-x-y:1}", "", "-x-y:1"),
    ("prefixes are other properties", "p{-webkit-hyphens:none;hyphens:none}", "",
     "-webkit-hyphens:none;hyphens:none"),
    ("what Outlook knows", "p{mso-line-height-rule:exactly}.a{mso-line-height-rule:at-least}", "",
     "mso-line-height-rule:at-least"),
    ("inherit", "p{color:red}.a{color:inherit}", "", "color:inherit"),
    ("values stay as written", "p{COLOR:#FfF;margin:0  auto}", "", "color:#FfF;margin:0  auto"),
    ("but in one line", "p{font-family:a,\n   b}", "", "font-family:a, b"),
    ("without comments", "p{color:/* x */red}", "", "color:red"),
    ("template tags", "p{color:{{x}};margin:0}", "", "color:{{x}};margin:0"),
    ("an open attribute", "p{color:red!important;margin:0}", "width:calc(1px",
     "margin:0;color:red!important;width:calc(1px"),
    ("a variable", ":root{--c:red}p{color:var(--c)}", "", "color:red"),
    ("of the element itself", "p{color:var(--c)}.a{--c:red}", "", "color:red"),
    ("in the attribute", ":root{--c:red}", "color:var(--c)", "color:var(--c);color:red"),
    ("a variable that is not there", "p{color:var(--c)}", "", "color:var(--c)"),
    ("a variable overrides", "p{color:red}.a{color:var(--c,blue)}", "", "color:blue"),
)  # fmt: skip


def inlined(sheet: str, body: str) -> tuple[str, str]:
    """What stays of a sheet, and what becomes of a body."""
    text = Inliner().inline(f"<!DOCTYPE html><html><style>{sheet}</style>{body}")
    text = text.removeprefix("<!DOCTYPE html><html")
    text = text[text.index(">") + 1 :]
    if not text.startswith("<style>"):
        return "", text
    kept, _, after = text.removeprefix("<style>").partition("</style>")
    return kept, after


class CascadeTests(SynchronousTestCase):
    """What an element gets."""

    def test_cases(self) -> None:
        """Each case of the table."""
        for name, sheet, before, after in CASES:
            attribute = f' style="{before}"' if before else ""
            _, body = inlined(sheet, f'<p class="a b" id="i"{attribute}>')
            self.assertEqual(f'<p class="a b" id="i" style="{after}">', body, name)

    def test_nothing_to_add(self) -> None:
        """An element whose own styles override all keeps them as they are."""
        self.assertEqual(
            ("", "<p style=color:red>"), inlined("p{color:blue}", "<p style=color:red>")
        )


class RaisingTests(SynchronousTestCase):
    """What stays in a sheet wins and loses as before."""

    def test_raised(self) -> None:
        """A declaration that beat what is inlined now is made important."""
        kept, _ = inlined("p{margin:0}@media x{p{margin:1px;color:red}}", "<p>")
        self.assertEqual("@media x{p{margin:1px !important;color:red}}", kept)

    def test_hover(self) -> None:
        """So is one of a dynamic pseudo-class, and of each selector what it was."""
        kept, body = inlined("a,a:hover{color:red}a:hover{color:blue}", "<a>")
        self.assertEqual("a:hover {color:red !important}a:hover{color:blue !important}", kept)
        self.assertEqual('<a style="color:red">', body)

    def test_loser(self) -> None:
        """One that lost is not."""
        for sheet in ("@media x{p{margin:1px}}p{margin:0}", "@media x{p{margin:1px}}#i{margin:0}"):
            self.assertIn("{p{margin:1px}}", inlined(sheet, "<p id=i>")[0])

    def test_own_style(self) -> None:
        """Nor one that the author's own attribute beat."""
        kept, _ = inlined("p{color:red}@media x{p{margin:1px}}", '<p style="margin:0">')
        self.assertEqual("@media x{p{margin:1px}}", kept)

    def test_own_style_among_others(self) -> None:
        """Where others need it raised, the attribute stands up against it."""
        _, body = inlined("p{margin:0}@media x{p{margin:1px}}", '<p style="margin:2px"></p><p>')
        self.assertEqual(
            '<p style="margin:2px;margin:2px!important"></p><p style="margin:0">', body
        )

    def test_important_stays(self) -> None:
        """What has to beat a declaration of a sheet stays important."""
        _, body = inlined("p{margin:0!important}@media x{p{margin:1px}}", "<p>")
        self.assertEqual('<p style="margin:0!important">', body)

    def test_important_yields(self) -> None:
        """What an important one of a sheet beat is not important any more."""
        kept, body = inlined("p{margin:0!important}@media x{p{margin:1px!important}}", "<p>")
        self.assertEqual("@media x{p{margin:1px!important}}", kept)
        self.assertEqual('<p style="margin:0">', body)

    def test_shorthands(self) -> None:
        """Shorthands and longhands meet in what they set."""
        kept, _ = inlined("p{padding-left:0}@media x{p{padding:1px;margin:1px}}", "<p>")
        self.assertEqual("@media x{p{padding:1px !important;margin:1px}}", kept)

    def test_nobody(self) -> None:
        """A rule that meets nobody is not touched."""
        kept, _ = inlined("p{margin:0}@media x{.none{margin:1px}}", "<p>")
        self.assertEqual("@media x{.none{margin:1px}}", kept)

    def test_pseudo_element(self) -> None:
        """A piece of an element has styles of its own."""
        kept, _ = inlined("p{color:red}p::first-line{color:blue}", "<p>")
        self.assertEqual("p::first-line{color:blue}", kept)

    def test_changing_variables(self) -> None:
        """Where a variable changes, its value is inlined and what reads it stays, raised."""
        sheet = ":root{--c:red}p{color:var(--c);margin:0}@media x{:root{--c:blue}}"
        kept, body = inlined(sheet, "<p>")
        self.assertEqual(
            ":root{--c:red}p{color:var(--c) !important;margin:0}@media x{:root{--c:blue}}", kept
        )
        self.assertEqual('<p style="color:red;margin:0">', body)
