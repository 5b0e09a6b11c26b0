"""What travels: addresses, envelopes, features, content, replies. Pure: no Twisted, no database."""
