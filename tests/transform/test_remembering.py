from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.remembering import CHARACTERS, remembered


class RememberedTests(SynchronousTestCase):
    """What is asked again, and what is not."""

    def setUp(self) -> None:
        self.asked: list[tuple[str, ...]] = []

        @remembered(2)
        def length(*texts: str) -> int:
            self.asked.append(texts)
            return sum(map(len, texts))

        self.length = length

    def test_short(self) -> None:
        """A short question is answered once, while it is among the last."""
        self.assertEqual([1, 1, 2], [self.length("a"), self.length("a"), self.length("a", "b")])
        self.assertEqual(2, len(self.asked))
        self.length("c")
        self.length("a")
        self.assertEqual(4, len(self.asked))

    def test_long(self) -> None:
        """A long one is answered each time, and pushes nothing out."""
        self.length("a")
        for _ in range(3):
            self.assertEqual(CHARACTERS + 1, self.length("x", "y" * CHARACTERS))
        self.length("a")
        self.assertEqual(4, len(self.asked))
