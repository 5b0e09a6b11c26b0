"""
The tables. A change here comes with a migration in `migrations/versions`.

Times are seconds since the epoch, UTC. Keys of submissions are made by
`smtpeter.store.keys`, so that rows of several tables can be written in one round.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite makes a column its row number only when it is declared INTEGER.
Key = BigInteger().with_variant(Integer, "sqlite")

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email", Text, nullable=False, unique=True),  # lower case
    Column("name", Text, nullable=False, server_default=""),
    Column("password_hash", Text, nullable=False),
    Column("may_send", Boolean, nullable=False),
    Column("smtp_account_login", Boolean, nullable=False),
    Column("created", Double, nullable=False),
)

logins = Table(
    "logins",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("username", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("label", Text, nullable=False, server_default=""),
    Column("features", Text, nullable=False),  # JSON object, as Features.as_dict
    Column("created", Double, nullable=False),
    Column("revoked", Double),
    Column("settings", Text, nullable=False, server_default="{}"),  # JSON object, LoginSettings
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256, hexadecimal
    Column("label", Text, nullable=False, server_default=""),
    Column("created", Double, nullable=False),
    Column("revoked", Double),
    Column("settings", Text, nullable=False, server_default="{}"),  # JSON object, LoginSettings
    Column("former_labels", Text, nullable=False, server_default="[]"),  # JSON array
)

# Domains from which accounts send. One account at most has a domain approved.
sender_domains = Table(
    "sender_domains",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),  # lower case, A-labels; so are the hosts
    Column("approved", Double),  # NULL until somebody has proved to be in control of it
    Column("tracking_host", Text, nullable=False, index=True),
    Column("https", Boolean, nullable=False),  # whether tracked links begin with https:
    Column("bounce_host", Text, nullable=False),
    Column("created", Double, nullable=False),
    UniqueConstraint("account_id", "name"),
)
Index(
    "uq_sender_domains_approved",
    sender_domains.c.name,
    unique=True,
    sqlite_where=text("approved IS NOT NULL"),
    postgresql_where=text("approved IS NOT NULL"),
)

submissions = Table(
    "submissions",
    metadata,
    Column("key", Key, primary_key=True, autoincrement=False),
    Column("account_id", ForeignKey("accounts.id")),  # NULL for reports of our own
    Column("origin", String(8), nullable=False),  # smtp, rest, report
    Column("login", Text, nullable=False),  # the user name, account e-mail or token label used
    Column("sender", Text, nullable=False),  # the reverse-path as submitted, "" for <>
    Column("ret", String(4)),
    Column("envid", Text),
    Column("eightbit", Boolean, nullable=False),
    Column("smtputf8", Boolean, nullable=False),
    Column("features", Text, nullable=False),  # JSON object, as Features.as_dict
    Column("tags", Text, nullable=False),  # separated by semicolons
    Column("template_id", Integer, nullable=False),
    Column("helo", Text, nullable=False),
    Column("client_address", Text, nullable=False),
    Column("protocol", String(10), nullable=False),
    Column("received", Double, nullable=False),
    Column("deliver_by", Double, nullable=False),
    Column("octets", BigInteger, nullable=False),
    Column("header_octets", Integer, nullable=False),
    Column("content", LargeBinary),  # the first block; NULL when it has been purged
)

content_blocks = Table(
    "content_blocks",
    metadata,
    Column("submission", ForeignKey("submissions.key"), primary_key=True, type_=Key),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("octets", LargeBinary, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("submission", ForeignKey("submissions.key"), nullable=False, index=True, type_=Key),
    Column("recipient", Text, nullable=False),
    Column("written", Text, nullable=False),  # the recipient exactly as the client wrote it
    Column("notify", Text),  # as NOTIFY= in RFC 3461; NULL when not said
    Column("orcpt", Text),
    Column("receiver", Text, nullable=False),
    Column("state", SmallInteger, nullable=False),  # smtpeter.store.messages.State
    Column("attempts", Integer, nullable=False),
    Column("due", Double, nullable=False),
    Column("attempted", Double),  # when the last attempt ended
    Column("last_reply", Text, nullable=False),  # what it was told
    Column("finished", Double),
)
Index(
    "ix_messages_waiting",
    messages.c.receiver,
    messages.c.due,
    sqlite_where=text("state = 0"),
    postgresql_where=text("state = 0"),
)

# Everything that happens to a message. Rows are appended and never changed, and each
# tells its story alone, so that messages can be purged without losing their history.
events = Table(
    "events",
    metadata,
    Column("sequence", Key, primary_key=True, autoincrement=True),
    Column("time", Double, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("account_id", Integer),  # NULL for reports of our own
    Column("message", String(16), nullable=False, index=True),
    Column("envelope", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("template_id", Integer, nullable=False),
    Column("details", Text, nullable=False),  # JSON object: the columns of this kind alone
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of the submission
    Column("answer", Text, nullable=False),  # JSON array of message ids
    Column("created", Double, nullable=False),
)

# What an operator's command asks of the running service; it empties this table.
nudges = Table(
    "nudges",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("receiver", Text, nullable=False),
    Column("created", Double, nullable=False),
)

# Where links and images of messages led to, without path and query. Rewritten links name
# their origin by its number, so a row is never removed and never changed.
origins = Table(
    "origins",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False, unique=True),  # scheme://host or scheme://host:port
)

# The keys that prove rewritten links, oldest first. The newest makes them, all read them.
tracking_keys = Table(
    "tracking_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created", Double, nullable=False),
)

# Images taken out of messages; one row for all files that are identical.
images = Table(
    "images",
    metadata,
    Column("digest", String(64), primary_key=True),  # SHA-256 of the octets, hexadecimal
    Column("media_type", Text, nullable=False),
    Column("octets", LargeBinary, nullable=False),
    Column("created", Double, nullable=False),
)

# Who needs an image, and until when.
image_needs = Table(
    "image_needs",
    metadata,
    Column("digest", ForeignKey("images.digest"), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("until", Double, nullable=False),
)

# What of the journals of visits has become events. One row for each batch: a batch that is
# written a second time clashes.
journal_batches = Table(
    "journal_batches",
    metadata,
    Column("journal", String(32), primary_key=True),  # its name
    Column("begin", BigInteger, primary_key=True, autoincrement=False),  # octets into the file
    Column("end", BigInteger, nullable=False),
)
