"""The REST API: one module for each family of calls, and what they share."""
