"""Tests for `smtpeter.web.api.wishes`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.features import MAX_TAGS, Overrides
from smtpeter.web.api import wishes
from smtpeter.web.api.fields import under_later_names
from smtpeter.web.problem import Problem


class Case(SynchronousTestCase):
    """What the cases below have in common."""

    def assert_problem(self, text: str, reader: Any, /, **fields: Any) -> None:
        problem = self.assertRaises(Problem, reader, fields)
        self.assertEqual((400, text), (problem.status, problem.text))


class EnvelopeTests(Case):
    """Where bounces go."""

    def test_address(self) -> None:
        """One pure address, or none."""
        read = wishes.envelope_sender
        self.assertEqual("noor@shop.example", str(read({"envelope": " noor@shop.example "})))
        for absent in ({}, {"envelope": None}, {"envelope": ""}):
            self.assertIsNone(read(absent))

    def test_wrong(self) -> None:
        """Names, lists and other types are refused."""
        wrong = ["noor", "Noor <noor@shop.example>", "a@b.example,c@d.example", " "]
        for value in wrong:
            text = f"Invalid envelope address: {value}"
            self.assert_problem(text, wishes.envelope_sender, envelope=value)
        text = "Invalid envelope address: an array"
        self.assert_problem(text, wishes.envelope_sender, envelope=["noor@shop.example"])


class DsnTests(Case):
    """Wishes for notifications."""

    def read(self, **given: Any) -> wishes.Dsn:
        return wishes.dsn({"dsn": given})

    def test_nothing(self) -> None:
        """What is not said stays open."""
        absent: list[dict[str, Any]] = [{}, {"dsn": None}, {"dsn": []}, {"dsn": {"ret": None}}]
        for given in absent:
            self.assertEqual(wishes.Dsn(), wishes.dsn(given))

    def test_notify(self) -> None:
        """Words in any case, with or without blanks behind the commas; NEVER stands alone."""
        self.assertEqual(frozenset({"NEVER"}), self.read(notify="never").notify)
        notify = self.read(notify="Success, FAILURE,delay").notify
        self.assertEqual(frozenset({"SUCCESS", "FAILURE", "DELAY"}), notify)
        for value in ("", "NEVER,DELAY", "SOMETIMES", "DELAY,", 1, ["DELAY"]):
            self.assert_problem("Invalid dsn setting: notify", wishes.dsn, dsn={"notify": value})

    def test_ret(self) -> None:
        """FULL or HDRS."""
        self.assertEqual("FULL", self.read(ret="full").ret)
        self.assertEqual("HDRS", self.read(ret="Hdrs").ret)
        for wrong in ("", "HEADERS", True):
            self.assert_problem("Invalid dsn setting: ret", wishes.dsn, dsn={"ret": wrong})

    def test_envid(self) -> None:
        """Printable ASCII that fits in a command."""
        self.assertEqual("order 5512", self.read(envid="order 5512").envid)
        self.assertEqual("x" * 100, self.read(envid="x" * 100).envid)
        for wrong in ("", "x" * 101, "+" * 34, "a\r\nb", "é", 5512):
            self.assert_problem("Invalid dsn setting: envid", wishes.dsn, dsn={"envid": wrong})

    def test_orcpt(self) -> None:
        """An address with or without its type."""
        for value in ("k@m.example", "rfc822;k@m.example", "RFC822; k@m.example"):
            self.assertEqual("rfc822;k@m.example", self.read(orcpt=value).orcpt)
        for wrong in ("", "k", "x400;k@m.example", "Kees <k@m.example>", "é@m.example", 1):
            self.assert_problem("Invalid dsn setting: orcpt", wishes.dsn, dsn={"orcpt": wrong})

    def test_unknown(self) -> None:
        """A setting that does not exist is an error."""
        self.assert_problem("Invalid dsn setting: Notify", wishes.dsn, dsn={"Notify": "NEVER"})
        self.assert_problem(
            "The field dsn must be an object, not a string", wishes.dsn, dsn="NEVER"
        )


class DeliverByTests(Case):
    """The end of all attempts."""

    def test_moment(self) -> None:
        """It is in UTC."""
        expected = datetime(2031, 4, 1, 18, 0, 0, tzinfo=UTC).timestamp()
        self.assertEqual(expected, wishes.deliver_by({"maxdelivertime": "2031-04-01 18:00:00"}))
        self.assertIsNotNone(wishes.deliver_by({"maxdelivertime": "2001-04-01 18:00:00"}))
        for absent in ({}, {"maxdelivertime": None}, {"maxdelivertime": ""}):
            self.assertIsNone(wishes.deliver_by(absent))

    def test_format(self) -> None:
        """There is one format."""
        for value in (
            "2031-04-01",
            "2031-04-01T18:00:00",
            "2031-04-01 18:00:00Z",
            "2031-04-01 18:00:00\n",
            "2031-02-30 18:00:00",
            "2031-04-01 24:00:00",
            "0000-01-01 00:00:00",
            "٢٠٣١-04-01 18:00:00",
            "tomorrow",
            1900000000,
        ):
            text = "maxdelivertime must be formatted as YYYY-MM-DD hh:mm:ss"
            self.assert_problem(text, wishes.deliver_by, maxdelivertime=value)


class OverridesTests(Case):
    """Feature switches."""

    def read(self, **fields: Any) -> Overrides:
        return wishes.overrides(under_later_names(fields))

    def test_silence(self) -> None:
        """Fields that are absent say nothing."""
        self.assertEqual(Overrides(), self.read(subject="x", trackclicks=None))

    def test_switches(self) -> None:
        """Each switch works under each of its names, both ways."""
        for name, later in (
            ("inlinecss", "inlinecss"),
            ("inlinizecss", "inlinecss"),
            ("trackclicks", "trackclicks"),
            ("clicktracking", "trackclicks"),
            ("trackbounces", "trackbounces"),
            ("bouncetracking", "trackbounces"),
            ("trackopens", "trackopens"),
            ("openstracking", "trackopens"),
            ("preventscam", "preventscam"),
        ):
            on: dict[str, Any] = {later: True}
            off: dict[str, Any] = {later: False}
            self.assertEqual(Overrides(**on), self.read(**{name: "yes"}))
            self.assertEqual(Overrides(**off), self.read(**{name: 0}))

    def test_later_name_wins(self) -> None:
        """Under two names the later one counts."""
        self.assertEqual(
            Overrides(trackclicks=False), self.read(trackclicks=False, clicktracking=True)
        )

    def test_wrong_switch(self) -> None:
        """A word that means nothing is refused."""
        text = "The field trackclicks must be true or false, not maybe"
        self.assert_problem(text, wishes.overrides, trackclicks="maybe")

    def test_images(self) -> None:
        """One of two words, in any case."""
        self.assertEqual(Overrides(images="hosted"), self.read(images="Hosted"))
        for value in ("", "inline", True):
            problem = self.assertRaises(Problem, self.read, images=value)
            self.assertIn("The field images must be hosted or default", problem.text)

    def test_priority(self) -> None:
        """High, normal or bulk, in any case."""
        for value, priority in (("high", "high"), (" Normal ", "normal"), ("BULK", "bulk")):
            self.assertEqual(Overrides(priority=priority), wishes.overrides({"priority": value}))
        wrong: list[tuple[Any, str]] = [
            ("urgent", "urgent"),
            (1, "a number"),
            (True, "true"),
            ("", ""),
        ]
        for value, shown in wrong:
            text = f"The field priority must be high, normal or bulk, not {shown}"
            self.assert_problem(text, wishes.overrides, priority=value)

    def test_tags(self) -> None:
        """An array or a string with commas; blanks, empty items and duplicates are dropped."""
        expected = Overrides(tags=("spring", "nl"))
        for value in (["spring", "nl"], "spring,nl", " spring , nl,,spring ", ["spring,nl", ""]):
            self.assertEqual(expected, self.read(tags=value))
        self.assertEqual(Overrides(tags=()), self.read(tags=[]))

    def test_wrong_tags(self) -> None:
        """White space, semicolons and long tags are refused, and too many of them."""
        for tag in ("a b", "a;b", "x" * 101):
            self.assert_problem(f"Invalid tag: {tag}", wishes.overrides, tags=["ok", tag])
        self.assert_problem("Invalid tag: a number", wishes.overrides, tags=[1])
        many = [f"t{n}" for n in range(MAX_TAGS + 1)]
        self.assert_problem(f"There are more than {MAX_TAGS} tags", wishes.overrides, tags=many)
