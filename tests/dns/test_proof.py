from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.dns.proof import new_proof
from smtpeter.domains import DomainError


class ProofTests(SynchronousTestCase):
    """What proves that somebody controls a domain."""

    def test_proof(self) -> None:
        """Name and value look as they do everywhere, and differ each time."""
        first, second = new_proof("shop.example"), new_proof("shop.example")
        self.assertRegex(first.name, r"\Asmtpeter-[a-z0-9]{10}\.shop\.example\Z")
        self.assertRegex(first.value, r"\A[A-Za-z0-9]{64}\Z")
        self.assertNotEqual(first.name, second.name)
        self.assertNotEqual(first.value, second.value)

    def test_too_long(self) -> None:
        """Below a domain of the greatest length there is no name."""
        domain = "a." * 113 + "example"
        self.assertEqual(253, len(new_proof(domain).name))
        with self.assertRaisesRegex(DomainError, "longer than 233 characters"):
            new_proof(f"b{domain}")
