from sqlalchemy import update

from smtpeter.store import receivers, tables
from smtpeter.store.receivers import Destination, ReceiverNews
from tests.store.cases import NOW, DatabaseCase, OnPostgresql


class ReceiverTests(DatabaseCase):
    """What is known of receivers."""

    def save(self, news: ReceiverNews, now: float = NOW) -> None:
        with self.database.begin() as connection:
            receivers.save(connection, news, now)

    def load(self) -> dict[str, object]:
        with self.database.connect() as connection:
            return receivers.load(connection)

    def test_kept(self) -> None:
        """States are kept, replaced, and removed when there is nothing to know any more."""
        self.save(ReceiverNews({"a": {"x": 1}, "b": {"x": 2}}))
        self.save(ReceiverNews({"a": {"x": 3}}, unremarkable=["b", "never there"]))
        self.assertEqual({"a": {"x": 3}}, self.load())

    def test_many(self) -> None:
        """Many can be written at once; of very many the latest are read."""
        self.patch(receivers, "REMEMBERED", 700)
        self.save(ReceiverNews({f"old {n}": {} for n in range(100)}))
        many = {f"new {n}": {"n": n} for n in range(700)}
        found = [Destination(f"{n}.example", "a", ["mx"]) for n in range(1200)]
        self.save(ReceiverNews(many, found=found), NOW + 1)
        self.assertEqual(many, self.load())

    def test_spoilt(self) -> None:
        """What is no JSON keeps nobody from reading the others."""
        self.save(ReceiverNews({"a": {}, "b": {}}))
        with self.database.begin() as connection:
            connection.execute(update(tables.receivers).values(state="{"))
        self.save(ReceiverNews({"b": {"x": 1}}))
        self.assertEqual({"a": None, "b": {"x": 1}}, self.load())

    def test_old(self) -> None:
        """What has not changed for long is removed."""
        self.save(ReceiverNews({"a": {}}, found=[Destination("a.example", "a", [])]))
        self.save(ReceiverNews({"b": {}}), NOW + 10)
        with self.database.begin() as connection:
            receivers.forget_old(connection, NOW + 5)
        self.assertEqual({"b": {}}, self.load())


class ReceiverOnPostgresqlTests(OnPostgresql, ReceiverTests):
    """The same on PostgreSQL."""
