from __future__ import annotations

from smtpeter.store import accounts, messages
from smtpeter.store.messages import State
from smtpeter.store.sent import Sent, sent
from smtpeter.store.settings import NO_SETTINGS, LoginSettings
from smtpeter.store.switching import change_login
from tests.store.cases import NOW, DatabaseCase, OnPostgresql, message, parcel

PRIVATE = LoginSettings(privacy=True)


class SentTests(DatabaseCase):
    """What is known of messages."""

    def sent(self, *ids: str) -> dict[str, Sent]:
        with self.database.connect() as connection:
            return sent(connection, ids)

    def test_waiting(self) -> None:
        """A message that waits has what its submission has, and no delivery."""
        each = message()
        self.store(each)
        self.assertEqual(
            Sent(
                account_id=None,
                envelope="noor@shop.example",
                recipient="kees@mailbox.example",
                tags="",
                template_id=0,
                delivered=None,
                waiting=True,
                settings=NO_SETTINGS,
            ),
            self.sent(each.id)[each.id],
        )

    def test_ended(self) -> None:
        """A delivery has its time; a failure is no delivery."""
        delivered, failed = message(), message()
        self.store(delivered)
        self.store(failed)
        with self.database.begin() as connection:
            for each, state in ((delivered, State.DELIVERED), (failed, State.FAILED)):
                change = messages.outcome(each, state, due=NOW, reply="", now=NOW + 5)
                connection.execute(change.statement, change.rows)
        found = self.sent(delivered.id, failed.id)
        self.assertEqual(
            (NOW + 5, False), (found[delivered.id].delivered, found[delivered.id].waiting)
        )
        self.assertEqual((None, False), (found[failed.id].delivered, found[failed.id].waiting))

    def test_unknown(self) -> None:
        """A message that is not there is left out."""
        each = message()
        self.store(each)
        self.assertEqual({each.id}, self.sent(each.id, "0" * 16).keys())
        self.assertEqual({}, self.sent())

    def test_settings(self) -> None:
        """The settings are those of the login or token today, by origin, account and name."""
        with self.database.begin() as connection:
            noor, kees = (
                accounts.add_account(connection, f"{name}@shop.example", "hash", NOW)
                for name in ("noor", "kees")
            )
            accounts.add_login(connection, noor.id, "desk", "hash", NOW)
            accounts.add_token(connection, noor.id, "1", NOW, label="desk")
            accounts.add_token(connection, noor.id, "2", NOW, label="crm", settings=PRIVATE)
        by_smtp = message(of=parcel(login="desk", account_id=noor.id))
        by_rest = message(of=parcel(login="desk", account_id=noor.id, origin="rest"))
        by_crm = message(of=parcel(login="crm", account_id=noor.id, origin="rest"))
        by_kees = message(of=parcel(login="crm", account_id=kees.id, origin="rest"))
        for each in (by_smtp, by_rest, by_crm, by_kees):
            self.store(each)
        with self.database.begin() as connection:
            change_login(connection, "desk", settings={"privacy": True})
        found = self.sent(by_smtp.id, by_rest.id, by_crm.id, by_kees.id)
        private = {each for each, sent in found.items() if sent.settings == PRIVATE}
        self.assertEqual({by_smtp.id, by_crm.id}, private)
        self.assertEqual(NO_SETTINGS, found[by_rest.id].settings)
        self.assertEqual(noor.id, found[by_rest.id].account_id)


class SentOnPostgresqlTests(OnPostgresql, SentTests):
    """The same on PostgreSQL."""
