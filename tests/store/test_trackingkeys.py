from concurrent.futures import ThreadPoolExecutor

from smtpeter.store import trackingkeys
from smtpeter.store.trackingkeys import SETTLING_SECONDS, TrackingKey, maker
from tests.store.cases import NOW, DatabaseCase, OnPostgresql


class TrackingKeyTests(DatabaseCase):
    """The keys that prove links."""

    def keys(self) -> list[TrackingKey]:
        """What a process that starts finds or makes."""
        with self.database.begin() as connection:
            return trackingkeys.existing_keys(connection, NOW)

    def test_first(self) -> None:
        """The first start makes a key, and every later one finds it."""
        (first,) = self.keys()
        self.assertEqual(trackingkeys.KEY_OCTETS, len(first.secret))
        self.assertGreater(len(set(first.secret)), 8)
        self.assertEqual((1, NOW, NOW), (first.number, first.created, first.in_use_since))
        self.assertEqual([first], self.keys())

    def test_newer(self) -> None:
        """A newer key stands before the older ones, which stay."""
        (first,) = self.keys()
        with self.database.begin() as connection:
            added = [trackingkeys.add_key(connection, NOW + 5) for _ in range(2)]
        newest, second, oldest = self.keys()
        self.assertEqual(first, oldest)
        self.assertEqual(added, [second, newest])
        self.assertEqual(3, len({newest.secret, second.secret, oldest.secret}))
        self.assertEqual([3, 2, 1], [each.number for each in self.keys()])
        self.assertEqual(
            (NOW + 5, NOW + 5 + SETTLING_SECONDS), (newest.created, newest.in_use_since)
        )

    def test_maker(self) -> None:
        """A newer key makes links when all processes know it, the first one always."""
        (first,) = self.keys()
        with self.database.begin() as connection:
            second = trackingkeys.add_key(connection, NOW + 10)
            third = trackingkeys.add_key(connection, NOW + 20)
        known = self.keys()
        for seconds, expected in (
            (-100, first),
            (0, first),
            (10 + SETTLING_SECONDS - 1, first),
            (10 + SETTLING_SECONDS, second),
            (20 + SETTLING_SECONDS, third),
        ):
            self.assertEqual(expected, maker(known, NOW + seconds))

    def test_secret(self) -> None:
        """A key is not in what is printed of it."""
        (first,) = self.keys()
        self.assertNotIn("secret", repr(first))
        self.assertNotIn(repr(first.secret)[2:-1], repr(first))

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
