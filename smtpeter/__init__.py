"""A self-hosted mail sending service in one Twisted daemon."""

__version__ = "0.1.0"
