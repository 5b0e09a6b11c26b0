from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.dns.proof import Proof
from smtpeter.dns.records import Advice, Purpose, Record, recommended, selfhosted
from smtpeter.message.dkimrecord import key_record
from tests.dns.fakes import DAY, FACTS, HOSTED, KEYS, OURS, POLICY, SPF

PROOF = Proof("smtpeter-m4q9z0aa17.shop.example", "9f1c")


def written(advice: list[Advice]) -> list[str]:
    return [f"{each.record.name} {each.record.kind} {each.record.value}" for each in advice]


class RecordsTests(SynchronousTestCase):
    """What a sender domain should publish."""

    def test_recommended(self) -> None:
        """With a zone of ours nearly all of it leads there."""
        self.assertEqual(
            [
                "zero._domainkey.shop.example CNAME dkim7-zero.dns.relay.example",
                "one._domainkey.shop.example CNAME dkim7-one.dns.relay.example",
                "two._domainkey.shop.example CNAME dkim7-two.dns.relay.example",
                "bounces.shop.example MX 0 mail.relay.example",
                "clicks.shop.example CNAME clicks.relay.example",
                "shop.example TXT v=spf1 include:spf7.dns.relay.example -all",
                "bounces.shop.example TXT v=spf1 include:spf7.dns.relay.example -all",
                "_dmarc.shop.example CNAME dmarc7.dns.relay.example",
            ],
            written(recommended(FACTS, HOSTED, DAY)),
        )

    def test_without_zone(self) -> None:
        """Without one these are the records themselves, but for the tracking host."""
        self.assertEqual(
            [
                *(f"{each}._domainkey.shop.example TXT {key_record(KEYS[each])}" for each in KEYS),
                "bounces.shop.example MX 0 mail.relay.example",
                "clicks.shop.example CNAME clicks.relay.example",
                f"shop.example TXT {SPF}",
                f"bounces.shop.example TXT {SPF}",
                f"_dmarc.shop.example TXT {POLICY}",
            ],
            written(recommended(FACTS, OURS, DAY)),
        )

    def test_selfhosted(self) -> None:
        """Selfhosted, the addresses of the tracking host are named too; a zone does not matter."""
        advice = selfhosted(FACTS, HOSTED, DAY)
        self.assertEqual(advice, selfhosted(FACTS, OURS, DAY))
        self.assertEqual(
            [
                "bounces.shop.example MX 0 mail.relay.example",
                "clicks.shop.example A 192.0.2.80",
                "clicks.shop.example AAAA 2001:db8::80",
                f"shop.example TXT {SPF}",
            ],
            written(advice)[3:7],
        )
        self.assertEqual(9, len(advice))
        unknown = evolve(OURS, tracking_addresses=())
        self.assertEqual(recommended(FACTS, unknown, DAY), selfhosted(FACTS, unknown, DAY))

    def test_proof(self) -> None:
        """While it is not approved the proof comes first."""
        facts = evolve(FACTS, approved=False, proof=PROOF)
        for advice in (recommended(facts, HOSTED, DAY), selfhosted(facts, OURS, DAY)):
            first = Advice(Record(PROOF.name, "TXT", PROOF.value), Purpose.PROOF)
            self.assertEqual(first, advice[0])

    def test_our_own_hosts(self) -> None:
        """Nothing leads to itself, and no record is named twice."""
        ours = evolve(OURS, tracking_host="clicks.shop.example")
        facts = evolve(FACTS, bounce_host="shop.example")
        for advice in (recommended(facts, ours, DAY), selfhosted(facts, ours, DAY)):
            self.assertEqual(
                ["shop.example MX", "shop.example TXT", "_dmarc.shop.example TXT"],
                [f"{e.record.name} {e.record.kind}" for e in advice if not e.selector],
            )
