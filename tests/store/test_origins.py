from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from smtpeter.store import origins
from tests.store.cases import DatabaseCase, OnPostgresql

SHOP = "https://shop.example"
IMAGES = "http://images.shop.example:8080"


class OriginTests(DatabaseCase):
    """Origins and their numbers."""

    def numbers_of(self, texts: Collection[str]) -> dict[str, int]:
        """Look up or add."""
        with self.database.begin() as connection:
            return origins.numbers_of(connection, texts)

    def test_same_number_for_ever(self) -> None:
        """An origin gets a number when it is first seen, and keeps it."""
        first = self.numbers_of([SHOP])
        second = self.numbers_of([IMAGES, SHOP])
        self.assertEqual(first[SHOP], second[SHOP])
        self.assertEqual({SHOP, IMAGES}, second.keys())
        self.assertEqual(2, len(set(second.values())))

    def test_read(self) -> None:
        """A number leads to its origin, and one that was never given to none."""
        number = self.numbers_of([SHOP])[SHOP]
        with self.database.connect() as connection:
            self.assertEqual(SHOP, origins.text_of(connection, number))
            self.assertIsNone(origins.text_of(connection, number + 1))

    def test_nothing(self) -> None:
        """No origins have no numbers."""
        self.assertEqual({}, self.numbers_of([]))

    def test_exact(self) -> None:
        """Origins that differ in anything are different origins."""
        texts = [SHOP, SHOP.upper(), f"{SHOP}:443", "http://shop.example", "https://Shop.example"]
        self.assertEqual(5, len(set(self.numbers_of(texts).values())))

    def test_many(self) -> None:
        """More origins than a statement takes parameters get their numbers."""
        texts = [f"https://{number}.example" for number in range(1200)]
        numbers = self.numbers_of(texts)
        self.assertEqual(1200, len(set(numbers.values())))
        with self.database.connect() as connection:
            found = origins.newest(connection, 10)
        self.assertEqual(sorted(numbers.values())[-10:], [number for number, _ in found])
        self.assertTrue(all(numbers[text] == number for number, text in found))

    def test_added_at_once(self) -> None:
        """Who adds the same origins at the same time gets the same numbers."""
        texts = [f"https://{number}.example" for number in range(20)]
        orders = [texts, texts[::-1], texts[10:] + texts[:10], texts]
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(self.numbers_of, orders))
        self.assertEqual([found[0]] * 4, found)


class OriginOnPostgresqlTests(OnPostgresql, OriginTests):
    """The same on PostgreSQL."""
