"""What is wrong with the operator's settings."""

from __future__ import annotations

from smtpeter.errors import OperatorError


class ConfigError(OperatorError):
    """
    The service cannot start with these settings. The text is one line.

    Attributes:
        faults: every fault that was found, each one line that names the file where there
            is one, the key, what was found, and what is allowed; never empty.
    """

    def __init__(self, *faults: str) -> None:
        self.faults = tuple(" ".join(fault.split()) for fault in faults)
        super().__init__(*self.faults)

    def __str__(self) -> str:
        first, more = self.faults[0], len(self.faults) - 1
        if not more:
            return first
        return f"{first} (and {more} more: `smtpeter check` lists them)"
