from __future__ import annotations

from smtpeter.origins import Origins
from smtpeter.store import origins
from smtpeter.store.database import StoreUnavailable
from tests.events.house import PromptStore
from tests.store.cases import DatabaseCase

SHOP = "https://shop.example"
OTHER = "http://other.example:8080"


class OriginsTests(DatabaseCase):
    """Origins in memory, before those in the store."""

    def setUp(self) -> None:
        super().setUp()
        self.prompt = PromptStore(self.database)
        self.origins = Origins(self.prompt)

    def number_of(self, text: str) -> int:
        return self.successResultOf(self.origins.numbers_of([text]))[text]

    def test_numbers(self) -> None:
        """New origins get numbers, and keep them without another look into the store."""
        numbers = self.successResultOf(self.origins.numbers_of([SHOP, OTHER]))
        calls = self.prompt.calls
        self.assertEqual(numbers, self.successResultOf(self.origins.numbers_of([OTHER, SHOP])))
        self.assertEqual(SHOP, self.origins.known(numbers[SHOP]))
        self.assertEqual(OTHER, self.successResultOf(self.origins.text_of(numbers[OTHER])))
        self.assertEqual(calls, self.prompt.calls)

    def test_of_another_process(self) -> None:
        """Origins that somebody else has added are found in the store."""
        number = self.number_of(SHOP)
        self.origins = Origins(self.prompt)
        self.assertIsNone(self.origins.known(number))
        self.assertEqual(SHOP, self.successResultOf(self.origins.text_of(number)))
        self.assertEqual(SHOP, self.origins.known(number))
        self.origins = Origins(self.prompt)
        self.assertEqual(number, self.number_of(SHOP))

    def test_none(self) -> None:
        """No origins have no numbers, and a number that was never given has no origin."""
        self.assertEqual({}, self.successResultOf(self.origins.numbers_of([])))
        self.assertIsNone(self.successResultOf(self.origins.text_of(99)))

    def test_at_the_start(self) -> None:
        """What is known at the start is known without the store."""
        number = self.number_of(SHOP)
        with self.database.connect() as connection:
            known = origins.newest(connection, 10)
        self.origins = Origins(self.prompt, known)
        self.prompt.down = True
        self.assertEqual(SHOP, self.origins.known(number))
        self.assertEqual(number, self.number_of(SHOP))

    def test_store_down(self) -> None:
        """What is not known has to wait for the store."""
        self.prompt.down = True
        self.failureResultOf(self.origins.numbers_of([SHOP]), StoreUnavailable)
        self.failureResultOf(self.origins.text_of(1), StoreUnavailable)

    def test_bounded(self) -> None:
        """Those that were not asked for longest are forgotten, but not by the store."""
        self.origins = Origins(self.prompt, limit=2)
        first, second = self.number_of(SHOP), self.number_of(OTHER)
        self.origins.known(first)
        third = self.number_of("https://third.example")
        self.assertEqual([SHOP, None], [self.origins.known(first), self.origins.known(second)])
        self.assertEqual("https://third.example", self.origins.known(third))
        self.assertEqual(second, self.number_of(OTHER))
        self.assertEqual(2, len(self.origins._numbers))
