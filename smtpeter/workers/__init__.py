"""Processes of our own, for work that would hold up the reactor even from a thread."""
