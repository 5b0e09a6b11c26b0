from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.kept import LARGEST, entries, entry, number, whole

ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.just("a"), inner)),
    max_leaves=5,
)


class KeptTests(SynchronousTestCase):
    """Values in documents that may be anything."""

    def test_there(self) -> None:
        """What is there as it should be is found."""
        kept = {"a": 1, "b": 0.5, "c": [1]}
        self.assertEqual((1.0, 0.5), (number(kept, "a", None), number(kept, "b", None)))
        self.assertEqual((1, [1]), (whole(kept, "a", None), entries(kept, "c")))

    def test_bounds(self) -> None:
        """What is too little or too much is not there."""
        kept = {"a": 2, "b": 10**400, "c": float("nan")}
        self.assertEqual(7, whole(kept, "a", 7, least=3))
        self.assertEqual(7, number(kept, "a", 7, most=1.5))
        self.assertEqual((7, 7), (whole(kept, "b", 7), number(kept, "b", 7)))
        self.assertEqual(7, number(kept, "c", 7))

    @given(ANYTHING)
    def test_anything(self, kept: object) -> None:
        """Whatever there is, what is found is of the right kind."""
        entry(kept, "a")
        self.assertTrue(0 <= number(kept, "a", 0.0) <= LARGEST)
        self.assertTrue(0 <= whole(kept, "a", 0) <= LARGEST)
        self.assertIsInstance(entries(kept, "a"), list)
