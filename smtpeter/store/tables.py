"""
The tables. A change here comes with a migration in `migrations/versions`, for databases that are
there already; new ones get what stands here.

Times are seconds since the epoch, UTC. Keys of submissions are made by
`smtpeter.store.keys`, so that rows of several tables can be written in one round.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
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
    event,
    text,
)

_CONDITION = "condition"

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


def _index_where(condition: str, name: str, *columns: Column[Any], unique: bool = False) -> None:
    """An index of those rows alone for which a condition holds."""
    Index(name, *columns, unique=unique, info={_CONDITION: condition})


@event.listens_for(metadata, "before_create")
def _tell_conditions(_metadata: MetaData, connection: Connection, **_: Any) -> None:
    """
    Hand the conditions of indexes to the kind of database that is in use.

    An index that named its condition to both kinds would have the other's modules loaded as well.
    """
    for index in (index for table in metadata.tables.values() for index in table.indexes):
        if condition := index.info.get(_CONDITION):
            index.dialect_options[connection.dialect.name]["where"] = text(condition)


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
    Column("pool", Text, nullable=False, server_default=""),  # of source addresses
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
    Column("bounce_host", Text, nullable=False, index=True),
    Column("created", Double, nullable=False),
    Column("pool", Text, nullable=False, server_default=""),  # "": that of the account
    Column("selector", Text, nullable=False, server_default=""),  # of its own keys: in use
    Column("rotated", Double),  # since when, NULL for the first one
    Column("proof", Text, nullable=False, server_default=""),  # JSON array: name and value
    Column("policy", String(10), nullable=False, server_default="none"),  # DMARC
    Column("percentage", Integer, nullable=False, server_default="100"),
    Column("startdate", String(10), nullable=False, server_default=""),  # YYYY-MM-DD
    Column("enddate", String(10), nullable=False, server_default=""),
    Column("addresses", Text, nullable=False, server_default="[]"),  # JSON: DMARC reports
    Column("mechanisms", Text, nullable=False, server_default="[]"),  # JSON: more for SPF
    UniqueConstraint("account_id", "name"),
)
_index_where(
    "approved IS NOT NULL", "uq_sender_domains_approved", sender_domains.c.name, unique=True
)

# Keys that sign mail. Those of a sender domain itself have one of three selectors.
dkim_keys = Table(
    "dkim_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("domain", Text, nullable=False),
    Column("selector", Text, nullable=False),
    Column("algorithm", String(8), nullable=False),  # rsa, ed25519
    Column("private_key", Text, nullable=False),  # PEM
    Column("custom", Boolean, nullable=False),  # signs besides the key of the sender domain
    Column("always", Boolean, nullable=False),  # signs all mail of the account
    Column("start", Double),  # the period of use; NULL for no limit
    Column("end", Double),
    Column("created", Double, nullable=False),
    UniqueConstraint("account_id", "domain", "selector"),
)

submissions = Table(
    "submissions",
    metadata,
    Column("key", Key, primary_key=True, autoincrement=False),
    Column("account_id", ForeignKey("accounts.id")),  # NULL for reports of our own
    Column("origin", String(8), nullable=False),  # smtp, rest, report, arrival
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
    Column("destination", Text, nullable=False),  # a domain, a smart host, or "capture"
    Column("account", Integer, nullable=False, server_default="0"),  # 0: nobody's
    Column("priority", SmallInteger, nullable=False, server_default="1"),  # 0 goes first
    Column("pool", Text, nullable=False, server_default=""),  # of source addresses
    Column("state", SmallInteger, nullable=False),  # smtpeter.store.messages.State
    Column("attempts", Integer, nullable=False),
    Column("due", Double, nullable=False),
    Column("attempted", Double),  # when the last attempt ended
    Column("last_reply", Text, nullable=False),  # what it was told
    Column("finished", Double),
)
_index_where(
    "state = 0",
    "ix_messages_waiting",
    messages.c.destination,
    messages.c.account,
    messages.c.priority,
    messages.c.pool,
    messages.c.due,
)

_index_where(
    "state = 0 AND notify IS NOT NULL",  # few senders say whether they want to be told
    "ix_messages_notify",
    messages.c.submission,
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
    # JSON array of message ids, or an object of "ids" and those that are "suppressed"
    Column("answer", Text, nullable=False),
    Column("created", Double, nullable=False),
)

# What an operator's command asks of the running service; it empties this table.
nudges = Table(
    "nudges",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("destination", Text, nullable=False),
    Column("created", Double, nullable=False),
    # 1: its mail is to be tried again, whatever was learnt.
    Column("again", SmallInteger, nullable=False, server_default="0"),
)

# What is known of the servers that mail goes to.
receivers = Table(
    "receivers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),  # JSON object
    Column("updated", Double, nullable=False),
)

# Which receiver the mail for a destination goes to, when it was last looked up.
destinations = Table(
    "destinations",
    metadata,
    Column("name", Text, primary_key=True),
    Column("receiver", Text, nullable=False, index=True),
    Column("hosts", Text, nullable=False),  # JSON array, the most preferred first
    Column("updated", Double, nullable=False),
)

# Recipients to whom an account sends no more.
suppressions = Table(
    "suppressions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("address", Text, nullable=False),  # lower case, the domain as A-labels
    Column("reason", String(10), nullable=False),  # mailbox, complaint, manual
    Column("description", Text, nullable=False),
    Column("message", String(16), nullable=False),  # whose event led to it, "" for none
    Column("created", Double, nullable=False),
    Column("expires", Double, index=True),  # NULL: never
    UniqueConstraint("account_id", "address"),
)

# What came by mail to addresses of our own: a submission each, which may be forwarded.
arrivals = Table(
    "arrivals",
    metadata,
    Column(
        "submission",
        ForeignKey("submissions.key"),
        primary_key=True,
        autoincrement=False,
        type_=Key,
    ),
    Column("recipient", Text, nullable=False),  # of ours
    Column("purpose", String(10), nullable=False),  # bounce, report, postmaster
    Column("message", String(16), nullable=False),  # the one it is about, "" when not known yet
    Column("result", String(12), nullable=False, server_default=""),  # what it was taken for
    Column("finished", Double),  # when it had been dealt with
)
_index_where("finished IS NULL", "ix_arrivals_unfinished", arrivals.c.submission)

dmarc_reports = Table(
    "dmarc_reports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time", Double, nullable=False, index=True),  # of its arrival
    Column("account_id", Integer, nullable=False),  # whose domain it is about; 0: nobody's
    Column("organization", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("report_id", Text, nullable=False),
    Column("begin", Double, nullable=False),
    Column("end", Double, nullable=False),
    Column("domain", Text, nullable=False),
    Column("sending_domain", Text, nullable=False),
    Column("messages", Integer, nullable=False),
    Column("failed_spf", Integer, nullable=False),
    Column("failed_dkim", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),  # the XML, compressed by zlib
    # Anybody may send reports: to see whether one was there must not take longer with each.
    Index("ix_dmarc_reports_same", "report_id", "sending_domain", "domain"),
)

# How many messages an account may send, or one of its logins, and how many it has sent.
quotas = Table(
    "quotas",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("login", Text, primary_key=True),  # its avatar id, such as "login:7"; "": all
    Column("period", String(5), primary_key=True),  # hour, day, month
    Column("messages", Integer, nullable=False),
)
quota_usage = Table(
    "quota_usage",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("login", Text, primary_key=True),
    Column("period", String(5), primary_key=True),
    Column("start", Double, primary_key=True),  # of the hour, the day or the month
    Column("messages", Integer, nullable=False),
)

# Policies of domains on how mail to them is to be secured (RFC 8461).
mta_sts_policies = Table(
    "mta_sts_policies",
    metadata,
    Column("domain", Text, primary_key=True),
    Column("policy_id", Text, nullable=False),
    Column("policy", Text, nullable=False),  # what counts of the file that was fetched
    Column("fetched", Double, nullable=False),
    Column("expires", Double, nullable=False),
)

# Sessions with receivers, counted as RFC 8460 has them.
tls_results = Table(
    "tls_results",
    metadata,
    Column("day", String(10), primary_key=True),  # YYYY-MM-DD, UTC
    Column("domain", Text, primary_key=True),
    Column("policy_type", String(20), primary_key=True),
    Column("host", Text, primary_key=True),
    Column("result", String(40), primary_key=True),  # "": a success
    Column("sessions", Integer, nullable=False),
    Column("policy", Text, nullable=False),  # its lines, as JSON array
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
