"""Styles as attributes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss.presentational import attributes_for


class PresentationalTests(SynchronousTestCase):
    """What an element's declarations are as attributes."""

    def attributes(self, tag: str, *declared: tuple[str, str]) -> dict[str, str]:
        return dict(attributes_for(tag, declared))

    def test_sizes(self) -> None:
        """Sizes in pixels and per cent are; in other units they are not."""
        for value, size in (("600px", "600"), ("50%", "50%"), ("1.5px", "1")):
            self.assertEqual({"width": size}, self.attributes("td", ("width", value)))
        for value in ("5em", "auto", "calc(1px)", "-1px"):
            self.assertEqual({}, self.attributes("td", ("width", value)))

    def test_colours(self) -> None:
        """Colours in full or by a name that all know."""
        for value, colour in (("#abc", "#aabbcc"), ("#A1B2C3", "#A1B2C3"), ("red", "red")):
            self.assertEqual({"bgcolor": colour}, self.attributes("td", ("background", value)))
        for value in ("rgba(0,0,0,.5)", "#fff url(x)", "none"):
            self.assertEqual({}, self.attributes("td", ("background", value)))

    def test_alignment(self) -> None:
        """Text and cells are aligned; a table is by floating."""
        self.assertEqual(
            {"align": "center", "valign": "top"},
            self.attributes("td", ("text-align", "CENTER"), ("vertical-align", "top")),
        )
        self.assertEqual({"align": "left"}, self.attributes("table", ("float", "left")))
        self.assertEqual({}, self.attributes("table", ("text-align", "left")))

    def test_last(self) -> None:
        """Of several the last counts."""
        self.assertEqual({"width": "2"}, self.attributes("img", ("width", "1px"), ("width", "2px")))

    def test_elements(self) -> None:
        """Only elements that have such an attribute get it."""
        self.assertEqual({}, self.attributes("p", ("width", "1px"), ("background", "red")))
