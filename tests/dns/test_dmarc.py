from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.dns.dmarc import (
    POLICIES,
    Dmarc,
    dmarc_fault,
    dmarc_record,
    is_dmarc_record,
    record_name,
)

DAY = date(2031, 1, 11)
OURS = "dmarc@relay.example"
RAMP = Dmarc("quarantine", 40, date(2031, 1, 1), date(2031, 2, 1))

dates = st.dates(date(2020, 1, 1), date(2040, 1, 1))
dmarcs = st.builds(
    Dmarc,
    st.sampled_from(POLICIES),
    st.integers(0, 100),
    st.none() | dates,
    st.none() | dates,
).filter(lambda each: not each.startdate or not each.enddate or each.startdate <= each.enddate)


class PercentageTests(SynchronousTestCase):
    """How the percentage grows."""

    def test_days(self) -> None:
        """From nothing on the first day to all on the last, by whole percents rounded down."""
        for day, percentage in (
            (date(2030, 12, 31), 0),
            (date(2031, 1, 1), 0),
            (date(2031, 1, 2), 1),  # 40 / 31
            (date(2031, 1, 16), 19),  # 15 * 40 / 31
            (date(2031, 1, 31), 38),
            (date(2031, 2, 1), 40),
            (date(2031, 6, 1), 40),
        ):
            self.assertEqual(percentage, RAMP.percentage_on(day), day)

    def test_without_dates(self) -> None:
        """Without dates it is always the same; a beginning alone is a step."""
        self.assertEqual(40, Dmarc("reject", 40).percentage_on(DAY))
        self.assertEqual(40, Dmarc("reject", 40, enddate=DAY).percentage_on(date(2031, 1, 1)))
        step = Dmarc("reject", 40, startdate=DAY)
        self.assertEqual(0, step.percentage_on(DAY - timedelta(1)))
        self.assertEqual(40, step.percentage_on(DAY))

    def test_one_day(self) -> None:
        """Where both dates are the same it is a step, too."""
        step = Dmarc("reject", 40, DAY, DAY)
        self.assertEqual(0, step.percentage_on(DAY - timedelta(1)))
        self.assertEqual(40, step.percentage_on(DAY))

    @given(dmarcs, dates)
    def test_never_back(self, dmarc: Dmarc, day: date) -> None:
        """It never falls, and stays within its bounds."""
        today, tomorrow = dmarc.percentage_on(day), dmarc.percentage_on(day + timedelta(1))
        self.assertTrue(0 <= today <= tomorrow <= dmarc.percentage)


class RecordTests(SynchronousTestCase):
    """The record itself."""

    def test_record(self) -> None:
        self.assertEqual("_dmarc.shop.example", record_name("shop.example"))
        self.assertEqual(
            "v=DMARC1; p=quarantine; pct=12; rua=mailto:dmarc@relay.example,"
            "mailto:a%2Cb%3Bc%21+d%25@shop.example",
            dmarc_record(RAMP, (OURS, "a,b;c!+d%@shop.example"), DAY),
        )
        self.assertEqual("v=DMARC1; p=none; pct=100", dmarc_record(Dmarc(), (), DAY))

    @given(dmarcs, dates, st.lists(st.emails(), max_size=5))
    def test_agrees_with_itself(self, dmarc: Dmarc, day: date, addresses: list[str]) -> None:
        """What is written says what is wanted."""
        record = dmarc_record(dmarc, addresses, day)
        self.assertTrue(is_dmarc_record(record))
        self.assertEqual("", dmarc_fault(record, dmarc, addresses, day))

    def test_more(self) -> None:
        """A record may say more, in another form."""
        for record in (
            "v=DMARC1;p=quarantine;sp=reject;pct=12;rua=mailto:x@y.example,mailto:dmarc@Relay.Example;",
            "v = DMARC1 ; p = Quarantine ; PCT=12; rua = MAILTO:dmarc@relay.example!10m ; fo=1",
        ):
            self.assertTrue(is_dmarc_record(record))
            self.assertEqual("", dmarc_fault(record, RAMP, (OURS,), DAY), record)
        self.assertEqual("", dmarc_fault("v=DMARC1; p=none", Dmarc(), (), DAY))

    def test_faults(self) -> None:
        """What is not as wanted is said."""
        for record, fault in (
            ("v=DMARC1; p=none; pct=12", "its policy is 'none' (p=) instead of 'quarantine'"),
            ("v=DMARC1; p=quarantine", "its percentage is '100' (pct=) instead of 12"),
            ("v=DMARC1; p=quarantine; pct=12", "no reports go to dmarc@relay.example (rua=)"),
            (
                "v=DMARC1; p=quarantine; pct=12; rua=dmarc@relay.example",
                "no reports go to dmarc@relay.example (rua=)",
            ),
            ("v=DMARC1; p=quarantine; p=none", "it is no list of tags"),
            ("v=DMARC1; quarantine", "it is no list of tags"),
            ("p=quarantine; v=DMARC1", "it is no list of tags"),
        ):
            self.assertIn(fault, dmarc_fault(record, RAMP, (OURS,), DAY))

    def test_others(self) -> None:
        """Other records at the name are none of these."""
        for text in ("", "v=DMARC10; p=none", "v=spf1 -all", " v=DMARC1", "V=dmarc1"):
            self.assertFalse(is_dmarc_record(text), text)

    @given(st.text())
    def test_anything(self, text: str) -> None:
        """Whatever is published is found to be faulty, and no error."""
        self.assertTrue(dmarc_fault(text, RAMP, (OURS,), DAY))
