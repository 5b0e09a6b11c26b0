"""ESMTP in both directions (RFC 5321)."""
