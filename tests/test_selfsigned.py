import datetime as dt
import stat
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.selfsigned import LIFETIME, ensure_self_signed

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


class SelfSignedTests(SynchronousTestCase):
    """The certificate of a service that was given none."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def made(self, hostname: str = "mail.example.com", now: dt.datetime = NOW) -> x509.Certificate:
        certificate, _ = ensure_self_signed(self.directory, hostname, now)
        return x509.load_pem_x509_certificate(certificate.read_bytes())

    def test_names(self) -> None:
        """It names the host, and the names and addresses of this machine."""
        names = self.made().extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(["mail.example.com", "localhost"], names.get_values_for_type(x509.DNSName))
        self.assertEqual(
            ["127.0.0.1", "::1"], list(map(str, names.get_values_for_type(x509.IPAddress)))
        )

    def test_key(self) -> None:
        """Its key is ECDSA on P-256."""
        key = self.made().public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        self.assertEqual("secp256r1", key.curve.name)

    def test_trust(self) -> None:
        """It is its own authority and nobody else's, so clients can trust exactly this one."""
        certificate = self.made()
        certificate.verify_directly_issued_by(certificate)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        self.assertEqual((True, 0), (constraints.ca, constraints.path_length))

    def test_readable_by_owner_only(self) -> None:
        """Nobody else can read the private key."""
        _, private_key = ensure_self_signed(self.directory, "localhost", NOW)
        self.assertEqual(0o600, stat.S_IMODE(private_key.stat().st_mode))

    def test_nothing_else_left(self) -> None:
        """No draft stays behind, and one left by a crash is no obstacle."""
        (self.directory / "private_key.new").write_text("half")
        self.made()
        self.assertEqual(
            ["certificate.pem", "private_key.pem"],
            sorted(each.name for each in self.directory.iterdir()),
        )

    def test_kept(self) -> None:
        """The same certificate is kept as long as it serves."""
        self.assertEqual(self.made(), self.made(now=NOW + LIFETIME - dt.timedelta(days=1)))

    def test_anew(self) -> None:
        """It is made anew when it expired, names another host, is damaged, or has no key."""
        first = self.made()
        self.assertNotEqual(first, second := self.made(now=NOW + LIFETIME))
        self.assertNotEqual(second, third := self.made("other.example.com"))
        (self.directory / "certificate.pem").write_text("damaged")
        self.assertNotEqual(third, fourth := self.made("other.example.com"))
        (self.directory / "private_key.pem").unlink()
        self.assertNotEqual(fourth, self.made("other.example.com"))

    def test_host_that_is_an_address(self) -> None:
        """A host known by its address is named as an address."""
        names = self.made("192.0.2.1").extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        self.assertIn("192.0.2.1", map(str, names.value.get_values_for_type(x509.IPAddress)))

    def test_long_name(self) -> None:
        """A host name longer than a common name may be is no obstacle."""
        self.made(".".join(["a" * 60] * 3))
