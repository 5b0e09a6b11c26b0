"""What the server says that needs no thought: its fixed replies."""

from __future__ import annotations

from smtpeter.message.reply import Reply

OK = Reply(250, "2.0.0", "Ok")
SENDER_OK = Reply(250, "2.1.0", "Sender OK")
RECIPIENT_OK = Reply(250, "2.1.5", "Recipient OK")
START_CONTENT = Reply(354, "", "End data with <CR><LF>.<CR><LF>")
WELCOME_BACK = Reply(235, "2.7.0", "Welcome back")
READY_FOR_TLS = Reply(220, "2.0.0", "Ready to start TLS")
BYE = Reply(221, "2.0.0", "Bye")
NO_VERIFICATION = Reply(252, "2.5.2", "Cannot verify a user, but will take mail for delivery")
NO_EXPANSION = Reply(502, "5.5.1", "Command not implemented")
HELP = Reply(214, "2.0.0", "EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY QUIT")

BARE_NEWLINE = Reply(500, "5.5.2", "Syntax error, lines must end with CRLF")
LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long")
RESPONSE_TOO_LONG = Reply(500, "5.5.6", "Authentication exchange line is too long")
INJECTED = Reply(554, "5.5.0", "Commands behind STARTTLS are not accepted")
INTERNAL = Reply(451, "4.3.0", "Internal error, try again later")
NOT_CHECKED = Reply(454, "4.7.0", "Temporary authentication failure")

# A reply with this code is the last one of its connection (RFC 5321 section 3.8).
CLOSING = 421
TOO_MANY_FAILURES = Reply(CLOSING, "4.7.0", "Too many authentication failures")
TOO_MANY_ERRORS = Reply(CLOSING, "4.7.0", "Too many errors")
TOO_MANY_CONNECTIONS = Reply(CLOSING, "4.7.0", "Too many connections, try again later")
FOREIGN = Reply(CLOSING, "4.7.0", "This is a mail server")
TIMEOUT = Reply(CLOSING, "4.4.2", "Timeout, closing connection")
SESSION_OVER = Reply(CLOSING, "4.4.2", "Session lasted too long, closing connection")
TOO_MANY_TRANSACTIONS = Reply(CLOSING, "4.7.0", "Too many messages in one session, connect again")
SHUTTING_DOWN = Reply(CLOSING, "4.3.2", "Service shutting down, try again later")

BY_VERB = {"NOOP": OK, "VRFY": NO_VERIFICATION, "EXPN": NO_EXPANSION, "HELP": HELP}
