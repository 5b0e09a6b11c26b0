from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.dns.checking import Checked, Status, check, check_authorities, key_fault, summary
from smtpeter.dns.names import NoAnswer
from smtpeter.dns.proof import Proof
from smtpeter.dns.records import Facts, Installation, Purpose, recommended, selfhosted
from smtpeter.message.dkimrecord import key_record
from tests.dns.fakes import DAY, FACTS, HOSTED, KEYS, OURS, POLICY, SPF, FakeNames, result

PROOF = Proof("smtpeter-m4q9z0aa17.shop.example", "9f1c")
ZERO = "zero._domainkey.shop.example"
WAITING = evolve(FACTS, approved=False, proof=PROOF)


def published(facts: Facts, ours: Installation) -> FakeNames:
    """The DNS when all of the advice is followed, and our own records are there."""
    names = FakeNames(
        a="clicks.relay.example 192.0.2.80",
        aaaa="clicks.relay.example 2001:db8::80",
        txt=f"dmarc7.dns.relay.example {POLICY}\nspf7.dns.relay.example {SPF}",
    )
    for selector, key in KEYS.items():
        names.add(f"dkim7-{selector}.dns.relay.example", key_record(key))
    for each in recommended(facts, ours, DAY):
        names.add(each.record.name, each.record.value, each.record.kind)
    return names


class CheckingTests(SynchronousTestCase):
    """What the DNS has, against what it should have."""

    def checked(
        self, names: FakeNames, purpose: Purpose, ours: Installation = OURS, facts: Facts = FACTS
    ) -> Checked:
        """The first record of that purpose."""
        advice = next(e for e in recommended(facts, ours, DAY) if e.purpose is purpose)
        return result(check(advice, facts, ours, names, DAY))

    def problem(self, purpose: Purpose, name: str, kind: str, *values: str) -> str:
        """What is wrong when these stand at a name."""
        names = published(WAITING, OURS)
        names.records[name, kind] = values
        checked = self.checked(names, purpose, facts=WAITING)
        self.assertEqual(Status.WRONG, checked.status)
        self.assertTrue(checked.found)
        return checked.problem

    def all(self, facts: Facts, ours: Installation, names: FakeNames) -> list[Checked]:
        advice = recommended(facts, ours, DAY)
        return [result(check(each, facts, ours, names, DAY)) for each in advice]

    def test_as_advised(self) -> None:
        """Who follows the advice has done enough; what is found is what was advised."""
        for facts in (FACTS, WAITING):
            for ours in (OURS, HOSTED):
                for each in self.all(facts, ours, published(facts, ours)):
                    self.assertEqual((Status.OK, ""), (each.status, each.problem), each)
                    self.assertEqual((each.advice.record.value,), each.found)

    def test_literal(self) -> None:
        """The other form is as good, whichever was advised."""
        names = FakeNames(
            a="clicks.relay.example 192.0.2.80", aaaa="clicks.relay.example 2001:db8::80"
        )
        for each in selfhosted(FACTS, OURS, DAY):
            names.add(each.record.name, each.record.value, each.record.kind)
        for advice in selfhosted(FACTS, OURS, DAY):
            checked = result(check(advice, FACTS, OURS, names, DAY))
            self.assertEqual(Status.OK, checked.status, checked)
        for checked in self.all(FACTS, HOSTED, names):
            self.assertEqual(Status.OK, checked.status, checked)
        clicks = self.checked(names, Purpose.CLICKS)
        self.assertEqual(("A 192.0.2.80", "AAAA 2001:db8::80"), clicks.found)
        self.assertEqual(
            (f"TXT {key_record(KEYS['zero'])}",), self.checked(names, Purpose.DKIM, HOSTED).found
        )

    def test_missing(self) -> None:
        """Where nothing is, it is missing; texts of another kind do not count."""
        names = FakeNames(txt="shop.example verification=1\n_dmarc.shop.example hello")
        for each in self.all(WAITING, HOSTED, names):
            self.assertEqual((Status.MISSING, (), ""), (each.status, each.found, each.problem))

    def test_no_answer(self) -> None:
        """Where nobody answers, that is said."""
        for advice in recommended(WAITING, OURS, DAY):
            names = published(WAITING, OURS)
            for kind in ("TXT", "MX", "A", "CNAME"):
                names.silent(advice.record.name, kind)
            checked = result(check(advice, WAITING, OURS, names, DAY))
            self.assertEqual(Status.ERROR, checked.status)
            self.assertEqual(f"no answer for {advice.record.name}", checked.problem)

    def test_wrong_texts(self) -> None:
        """What is there and does not do is shown, with the reason."""
        other = key_record(KEYS["one"])
        for purpose, name, values, problem in (
            (Purpose.PROOF, PROOF.name, ("9f1d",), "it has another value"),
            (Purpose.DKIM, ZERO, (other,), "it holds another key"),
            (Purpose.DKIM, ZERO, (key_record(KEYS["zero"]), other), "there are 2 records"),
            (Purpose.SPF, "shop.example", ("v=spf1 -all",), "it does not allow 192.0.2.17"),
            (Purpose.BOUNCE_SPF, "bounces.shop.example", ("v=spf1 -all",), "it does not allow"),
            (Purpose.DMARC, "_dmarc.shop.example", ("v=DMARC1; p=none",), "its policy is 'none'"),
            (Purpose.DMARC, "_dmarc.shop.example", (POLICY, POLICY), "there are 2 DMARC records"),
        ):
            self.assertIn(problem, self.problem(purpose, name, "TXT", *values))
        problem = self.problem(Purpose.MX, "bounces.shop.example", "MX", "10 mx.shop.example")
        self.assertEqual("mail does not go to mail.relay.example", problem)

    def test_wrong_addresses(self) -> None:
        """Every address of a tracking host has to be one of ours."""
        host = "clicks.shop.example"
        names = FakeNames(a=f"{host} 192.0.2.80\n{host} 192.0.2.81")
        checked = self.checked(names, Purpose.CLICKS)
        self.assertEqual(
            (Status.WRONG, "192.0.2.81 is no address of clicks.relay.example"),
            (checked.status, checked.problem),
        )
        unknown = evolve(OURS, tracking_addresses=())
        self.assertEqual(
            "no address of clicks.relay.example is known",
            self.checked(names, Purpose.CLICKS, unknown).problem,
        )

    def test_wrong_aliases(self) -> None:
        """A name that leads to nothing, or elsewhere, is wrong."""
        for purpose, name in (
            (Purpose.DKIM, ZERO),
            (Purpose.CLICKS, "clicks.shop.example"),
            (Purpose.DMARC, "_dmarc.shop.example"),
        ):
            names = FakeNames(cname=f"{name} nowhere.example")
            checked = self.checked(names, purpose, HOSTED)
            self.assertEqual(
                (Status.WRONG, ("nowhere.example",)), (checked.status, checked.found), purpose
            )
        names = FakeNames(cname=f"{PROOF.name} nowhere.example")
        checked = self.checked(names, Purpose.PROOF, facts=WAITING)
        self.assertEqual(("CNAME nowhere.example",), checked.found)

    def test_included(self) -> None:
        """Each name of our zone with senders may be included."""
        for name in ("spf7.dns.relay.example", "_senderspf.dns.relay.example", "dns.relay.example"):
            names = FakeNames(txt=f"shop.example v=spf1 include:{name} a mx ~all")
            self.assertEqual(Status.OK, self.checked(names, Purpose.SPF, HOSTED).status)
            self.assertEqual(Status.WRONG, self.checked(names, Purpose.SPF, OURS).status)

    def test_key(self) -> None:
        """A key alone."""
        names = published(FACTS, OURS)
        for key, fault in (("zero", ""), ("one", "it holds another key")):
            self.assertEqual(fault, result(key_fault(names, "shop.example", "zero", KEYS[key])))
        fault = result(key_fault(names, "club.example", "zero", KEYS["zero"]))
        self.assertEqual("there is no TXT record at zero._domainkey.club.example", fault)
        names.silent(ZERO)
        with self.assertRaises(NoAnswer):
            result(key_fault(names, "shop.example", "zero", KEYS["zero"]))


class AuthorityTests(SynchronousTestCase):
    """Who may issue a certificate for the tracking host."""

    def allowed(self, *records: str, authority: str = "letsencrypt.org") -> bool:
        names = FakeNames(caa="\n".join(records))
        return result(check_authorities(FACTS, evolve(OURS, authority=authority), names))

    def test_allowed(self) -> None:
        host, domain = "clicks.shop.example", "shop.example"
        self.assertTrue(self.allowed())
        self.assertTrue(self.allowed(f"{domain} 0 issue letsencrypt.org"))
        self.assertTrue(self.allowed(f"{domain} 128 issue LetsEncrypt.org; account=7"))
        self.assertTrue(self.allowed(f"{domain} 0 iodef mailto:noor@shop.example"))
        self.assertTrue(
            self.allowed(f"{domain} 0 issue other.example", f"{domain} 0 issue letsencrypt.org")
        )
        self.assertTrue(
            self.allowed(f"{host} 0 issue letsencrypt.org", f"{domain} 0 issue other.example")
        )
        self.assertTrue(self.allowed(f"{domain} 0 issue other.example", authority=""))

    def test_not_allowed(self) -> None:
        for record in ("issue other.example", "issue ;", "issue "):
            self.assertFalse(self.allowed(f"shop.example 0 {record}"))
            self.assertFalse(self.allowed(f"example 0 {record}"))
        self.assertFalse(self.allowed("shop.example 0 issue ;", authority=""))


class SummaryTests(SynchronousTestCase):
    """All of it in short."""

    def summary(self, names: FakeNames, facts: Facts = FACTS) -> dict[str, str]:
        advice = recommended(facts, OURS, DAY)
        checked = [result(check(each, facts, OURS, names, DAY)) for each in advice]
        return summary(facts, checked, authorities=True)

    def faulty(self, names: FakeNames, facts: Facts = FACTS) -> list[str]:
        return [name for name, word in self.summary(names, facts).items() if word != "ok"]

    def test_good(self) -> None:
        self.assertEqual(
            dict.fromkeys(("dmarc", "dkim", "spf", "mx", "a", "caa", "validation"), "ok"),
            self.summary(published(FACTS, OURS)),
        )

    def test_one_by_one(self) -> None:
        """It turns good record by record."""
        names = FakeNames()
        self.assertEqual(["dmarc", "dkim", "spf", "mx", "a"], self.faulty(names))
        full = published(FACTS, OURS)
        for (name, kind), values in full.records.items():
            names.records[name, kind] = values
        self.assertEqual([], self.faulty(names))
        for name, kind, word in (
            ("_dmarc.shop.example", "TXT", ["dmarc"]),
            (ZERO, "TXT", ["dkim"]),
            ("one._domainkey.shop.example", "TXT", []),
            ("shop.example", "TXT", ["spf"]),
            ("bounces.shop.example", "TXT", []),
            ("bounces.shop.example", "MX", ["mx"]),
            ("clicks.shop.example", "CNAME", ["a"]),
        ):
            kept = names.records.pop((name, kind))
            self.assertEqual(word, self.faulty(names), name)
            names.silent(name, kind)
            self.assertEqual(word, self.faulty(names), name)
            names.records[name, kind] = kept

    def test_more(self) -> None:
        """Without keys, approval or a certificate it is not good."""
        names = published(FACTS, OURS)
        self.assertEqual(["dkim"], self.faulty(names, evolve(FACTS, keys={})))
        self.assertEqual(["validation"], self.faulty(names, WAITING))
        self.assertEqual("error", summary(FACTS, [], authorities=False)["caa"])
