from __future__ import annotations

import datetime as dt
import errno
import os
import shutil
import socket
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import text
from twisted.trial.unittest import SynchronousTestCase

from smtpeter import config
from smtpeter.rehearsal import Findings, rehearse
from smtpeter.selfsigned import LIFETIME, ensure_self_signed
from smtpeter.statelock import StateLock
from smtpeter.store.database import Database
from tests.certificates import ordinary_authority
from tests.events.mmdb import write_mmdb

NOW = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
ONE_PORT = """
[smtp]
starttls = ["192.0.2.1:25"]
implicit_tls = []
[http]
https = []
http = []
public_url = "https://localhost"
"""
OWN_CERTIFICATE = """
[tls]
certificate = "pair/certificate.pem"
private_key = "pair/private_key.pem"
"""


class RehearsalTests(SynchronousTestCase):
    """What a start would meet."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.state = self.directory / "state"
        self.pair = self.directory / "pair"

    def rehearse(self, further: str = "", port_error: int = 0, now: dt.datetime = NOW) -> Findings:
        file = self.directory / "smtpeter.toml"
        file.write_text(f'state_dir = "state"\n{ONE_PORT}{further}')
        loaded = config.load(str(file), {})
        with patch.object(socket, "socket") as made:
            if port_error:
                made.return_value.bind.side_effect = OSError(port_error, "")
            found = rehearse(loaded, now)
            made.return_value.listen.assert_not_called()
            return found

    def make_pair(self) -> tuple[Path, Path]:
        self.pair.mkdir()
        return ensure_self_signed(self.pair, "localhost", NOW)

    def make_database(self) -> Path:
        self.state.mkdir()
        Database.open("sqlite:///smtpeter.db", self.state).close()
        return self.state / "smtpeter.db"

    def test_before_the_first_start(self) -> None:
        """Where nothing was ever started there is no fault, and nothing is made."""
        self.assertEqual(Findings([], []), self.rehearse())
        self.assertEqual(["smtpeter.toml"], [each.name for each in self.directory.iterdir()])

    def test_all_good(self) -> None:
        """With certificate and database in order there is no fault, and nothing is left behind."""
        self.make_pair()
        before = self.make_database().read_bytes()
        self.assertEqual(Findings([], []), self.rehearse(OWN_CERTIFICATE))
        self.assertEqual(["smtpeter.db"], [each.name for each in self.state.iterdir()])
        self.assertEqual(before, (self.state / "smtpeter.db").read_bytes())

    def test_every_fault(self) -> None:
        """A fault of one kind does not hide those of another."""
        self.make_database().write_bytes(b"no database at all" * 100)
        found = self.rehearse(OWN_CERTIFICATE, errno.EADDRINUSE)
        keys = [fault.partition(":")[0] for fault in found.faults]
        self.assertEqual(
            ["tls.certificate", "cannot open the database sqlite", "smtp.starttls"], keys
        )

    def test_certificate_of_another_key(self) -> None:
        """A key that does not fit is a fault."""
        _, key = self.make_pair()
        other = self.directory / "other"
        other.mkdir()
        shutil.copy(ensure_self_signed(other, "localhost", NOW)[1], key)
        [fault] = self.rehearse(OWN_CERTIFICATE).faults
        self.assertIn("is not the key of the first certificate", fault)

    def test_expired_certificate(self) -> None:
        """One that has expired serves, so it is a warning."""
        self.make_pair()
        found = self.rehearse(OWN_CERTIFICATE, now=NOW + LIFETIME + dt.timedelta(days=1))
        self.assertEqual([], found.faults)
        self.assertIn("certificate.pem expired on 2036-", found.warnings[0])

    def test_places(self) -> None:
        """A file of places that is missing or none of its kind is a fault that names the key."""
        further = '[tracking]\nplaces = "cities.mmdb"\n'
        [fault] = self.rehearse(further).faults
        self.assertEqual("tracking.places: ", fault[:17])
        self.assertIn(f"{self.directory}/cities.mmdb cannot be read", fault)
        write_mmdb(self.directory / "cities.mmdb", {})
        self.assertEqual(Findings([], []), self.rehearse(further))

    def test_authorities(self) -> None:
        """A file of authorities that is missing or holds none is a fault that names the key."""
        further = '[delivery]\nca_file = "authorities.pem"\n'
        for _ in range(2):
            [fault] = self.rehearse(further).faults
            self.assertEqual("delivery.ca_file: ", fault[:18])
            self.assertIn(f"{self.directory}/authorities.pem", fault)
            (self.directory / "authorities.pem").write_text("noise")
        (self.directory / "authorities.pem").write_bytes(ordinary_authority().pem())
        self.assertEqual(Findings([], []), self.rehearse(further))

    def test_newer_database(self) -> None:
        """A database of a newer program is a fault."""
        self.make_database()
        database = Database.open("sqlite:///smtpeter.db", self.state)
        with database.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'from tomorrow'"))
        database.close()
        [fault] = self.rehearse().faults
        self.assertIn("a newer version of this program", fault)

    def test_older_database(self) -> None:
        """An older one will be brought up to date at the start, and not before."""
        self.state.mkdir()
        (self.state / "smtpeter.db").touch()
        self.assertEqual([], self.rehearse().faults)
        self.assertEqual(b"", (self.state / "smtpeter.db").read_bytes())

    def test_port_taken(self) -> None:
        """A port of another program is a fault; while the service runs it may be its own."""
        [fault] = self.rehearse(port_error=errno.EADDRINUSE).faults
        self.assertIn("is taken by another program", fault)
        self.state.mkdir()
        lock = StateLock(self.state)
        self.addCleanup(lock.stopService)
        lock.startService()
        self.assertEqual([], self.rehearse(port_error=errno.EADDRINUSE).faults)
        self.assertEqual(1, len(self.rehearse(port_error=errno.EADDRNOTAVAIL).faults))

    def test_port_reserved(self) -> None:
        """A port that this user may not have is a warning: the service may be allowed to."""
        found = self.rehearse(port_error=errno.EACCES)
        self.assertEqual([], found.faults)
        self.assertIn("is reserved for the system", found.warnings[0])

    def test_no_room_for_the_state(self) -> None:
        """A state directory that can neither be used nor made is a fault."""
        self.state.write_text("a file is in the way")
        self.assertIn(f"state_dir: {self.state} is no directory", self.rehearse().faults)
        self.state.unlink()
        self.patch(os, "access", lambda *_: False)
        [fault] = self.rehearse().faults
        self.assertEqual(f"state_dir: {self.directory} cannot be written to", fault)
