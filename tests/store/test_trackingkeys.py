from concurrent.futures import ThreadPoolExecutor

from smtpeter.store import trackingkeys
from tests.store.cases import NOW, DatabaseCase, OnPostgresql


class TrackingKeyTests(DatabaseCase):
    """The keys that prove links."""

    def keys(self) -> list[bytes]:
        """What a process that starts finds or makes."""
        with self.database.begin() as connection:
            return trackingkeys.existing_keys(connection, NOW)

    def test_first(self) -> None:
        """The first start makes a key, and every later one finds it."""
        (first,) = self.keys()
        self.assertEqual(trackingkeys.KEY_OCTETS, len(first))
        self.assertGreater(len(set(first)), 8)
        self.assertEqual([first], self.keys())

    def test_newer(self) -> None:
        """A newer key stands before the older ones, which stay."""
        (first,) = self.keys()
        with self.database.begin() as connection:
            trackingkeys.add_key(connection, NOW)
            trackingkeys.add_key(connection, NOW)
        newest, second, oldest = self.keys()
        self.assertEqual(first, oldest)
        self.assertEqual(3, len({newest, second, oldest}))

    def test_newer_than_none(self) -> None:
        """A key is added also where there was none."""
        with self.database.begin() as connection:
            trackingkeys.add_key(connection, NOW)
        self.assertEqual(1, len(self.keys()))

    def test_started_at_once(self) -> None:
        """Processes that start at once have the same key."""
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda _: self.keys(), range(4)))
        self.assertEqual([found[0]] * 4, found)
        self.assertEqual(1, len(found[0]))


class TrackingKeyOnPostgresqlTests(OnPostgresql, TrackingKeyTests):
    """The same on PostgreSQL."""
