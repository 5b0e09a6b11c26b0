from __future__ import annotations

import re

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.dns.records import Record
from smtpeter.dns.zone import zone_file, zone_records
from smtpeter.message.dkimrecord import key_record
from tests.dns.fakes import DAY, FACTS, KEYS, POLICY, SPF

ZONE = "dns.relay.example"


def read_strings(written: str) -> bytes:
    """The octets of a TXT record as a name server reads it (RFC 1035 section 5.1)."""
    pieces = re.findall(r'"((?:[^"\\]|\\.)*)"', written)
    assert written == " ".join(f'"{each}"' for each in pieces)
    unescaped = [
        re.sub(r"\\(\d{3}|.)", lambda each: chr(int(each[1])) if each[1][1:] else each[1], piece)
        for piece in pieces
    ]
    assert all(len(each) <= 255 for each in unescaped)
    return "".join(unescaped).encode("latin-1")


class ZoneTests(SynchronousTestCase):
    """The zone that sender domains point into."""

    def test_records(self) -> None:
        """It has the keys, the senders and the policy of each domain, and all senders."""
        records = list(zone_records([FACTS], ["ip4:192.0.2.17", "ip4:192.0.2.18"], ZONE, DAY))
        everybody = "v=spf1 ip4:192.0.2.17 ip4:192.0.2.18 -all"
        self.assertEqual(
            [
                Record(ZONE, "TXT", everybody),
                Record(f"_senderspf.{ZONE}", "TXT", everybody),
                *(Record(f"dkim7-{e}.{ZONE}", "TXT", key_record(KEYS[e])) for e in KEYS),
                Record(f"spf7.{ZONE}", "TXT", SPF),
                Record(f"dmarc7.{ZONE}", "TXT", POLICY),
            ],
            records,
        )
        other = evolve(FACTS, number=8, keys={})
        self.assertEqual(9, len(list(zone_records([FACTS, other], [], ZONE, DAY))))

    def test_file(self) -> None:
        """The file is a zone of its own where its servers are known."""
        records = [
            Record(ZONE, "TXT", "v=spf1 -all"),
            Record(f"a.{ZONE}", "TXT", 'say "it"; \\ \u00e9'),
        ]
        lines = [
            '@ TXT "v=spf1 -all"',
            'a TXT "say \\"it\\"; \\\\ \\195\\169"',
        ]
        self.assertEqual(
            [
                "$ORIGIN dns.relay.example.",
                "$TTL 300",
                "@ SOA ns1.relay.example. hostmaster.mail.relay.example. 99 3600 900 1209600 300",
                "@ NS ns1.relay.example.",
                "@ NS ns2.relay.example.",
                *lines,
            ],
            zone_file(
                records,
                ZONE,
                ["ns1.relay.example", "ns2.relay.example"],
                "mail.relay.example",
                99,
            ).splitlines(),
        )
        self.assertEqual(
            ["$ORIGIN dns.relay.example.", "$TTL 300", *lines],
            zone_file(records, ZONE, [], "mail.relay.example", 99).splitlines(),
        )

    @given(st.text(min_size=1, max_size=600))
    def test_any_text(self, text: str) -> None:
        """Whatever a record says is read as it was."""
        *_, line = zone_file([Record(f"a.{ZONE}", "TXT", text)], ZONE, [], "", 1).split("\n")
        self.assertEqual(text.encode(), read_strings(line.removeprefix("a TXT ")))
