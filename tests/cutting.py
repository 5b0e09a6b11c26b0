"""The same octets, cut in every way: what a network does to them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import strategies as st


def pieces(octets: bytes, cuts: list[int]) -> Iterator[bytes]:
    """Octets cut at these positions, as far as there are such positions."""
    edges = sorted({0, len(octets), *(cut for cut in cuts if cut < len(octets))})
    for start, end in pairwise(edges):
        yield octets[start:end]


CUTS = st.lists(st.integers(1, 60), max_size=8)
