"""
Values: what is made once and never changed.

`@frozen` is that of attrs to the type checker, which finds whoever would change one. While the
program runs nothing is paid for that again: attrs guards a frozen object by a detour for each
attribute when it is made, and a message on its way makes some forty of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attrs import frozen
else:
    from functools import partial

    from attrs import define

    frozen = partial(define, unsafe_hash=True)

__all__ = ["frozen"]
