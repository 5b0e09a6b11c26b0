"""The HTTP side: one site, its errors as documents, the API."""
