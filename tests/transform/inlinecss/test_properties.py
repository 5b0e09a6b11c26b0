"""What declarations set, and which values are known to be valid."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss.properties import covered, is_plain


class CoveredTests(SynchronousTestCase):
    """What a property sets."""

    def test_longhand(self) -> None:
        """A longhand, known or not, sets itself."""
        self.assertEqual({"color"}, covered("color"))
        self.assertEqual({"-x-unknown"}, covered("-x-unknown"))

    def test_shorthands(self) -> None:
        """Shorthands set their longhands, and those of shorthands within them."""
        self.assertEqual(
            {"padding-top", "padding-right", "padding-bottom", "padding-left"}, covered("padding")
        )
        for inner, outer in (
            ("border-left", "border"),
            ("border-color", "border"),
            ("border-image", "border"),
            ("background-position", "background"),
            ("font-variant", "font"),
        ):
            self.assertLess(covered(inner), covered(outer))

    def test_others(self) -> None:
        """What looks like a part and is none is not set."""
        self.assertNotIn("border-radius", covered("border"))
        self.assertIn("line-height", covered("font"))


class PlainTests(SynchronousTestCase):
    """Values that override for every reader."""

    def test_plain(self) -> None:
        """Values that all know are plain."""
        for name, value in (
            ("color", "#fff"),
            ("padding", "0 5px"),
            ("margin", "-5px auto"),
            ("border", "1px solid #ddd"),
            ("font", "bold 12px/1.5 Arial, 'Open Sans'"),
            ("background", "#fff url(x.png) no-repeat"),
            ("color", "INHERIT"),
            ("mso-hide", "all"),
        ):
            self.assertTrue(is_plain(name, value), (name, value))

    def test_not_plain(self) -> None:
        """Mistakes are not, and what came later is not either."""
        for name, value in (
            ("color", "banana"),
            ("width", "600"),
            ("width", "-5px"),
            ("padding", "-1px"),
            ("display", "run-in"),
            ("display", "flex"),
            ("width", "calc(1px)"),
            ("background", "linear-gradient(red, blue)"),
            ("-webkit-hyphens", "none"),
            ("width", "1px\\9"),
        ):
            self.assertFalse(is_plain(name, value), (name, value))

    def test_long(self) -> None:
        """Of values too long to judge quickly nothing is known."""
        self.assertFalse(is_plain("font-family", "a, " * 100 + "b"))
        self.assertFalse(is_plain("background", "1px " * 30 + "!"))
