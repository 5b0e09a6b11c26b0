"""What the domain of a destination demands of the hosts that its mail is brought to."""

from __future__ import annotations

from collections.abc import Hashable

from smtpeter.delivery.security.stspolicy import StsMode, StsPolicy
from smtpeter.values import frozen


@frozen
class Demands:
    """
    What is known before a host is chosen.

    Attributes:
        dane: its mail exchangers are known for certain, so that the TLSA records of these
            count (RFC 7672 section 2.2.1).
        sts: its policy, unless that is one of mode none.
    """

    dane: bool = False
    sts: StsPolicy | None = None

    @property
    def enforced(self) -> StsPolicy | None:
        """The policy that hosts have to keep to."""
        return self.sts if self.sts is not None and self.sts.mode is StsMode.ENFORCE else None

    @property
    def key(self) -> Hashable:
        """Connections made under demands with the same key are as good as each other."""
        return (self.dane, self.enforced.mx if self.enforced is not None else None)


NO_DEMANDS = Demands()
