"""Makes `twistd smtpeter` known; everything else is imported only when it is asked for."""

from twisted.application.service import ServiceMaker

smtpeter = ServiceMaker(
    "smtpeter",
    "smtpeter.service",
    "A mail sending service: SMTP and REST in, delivered mail out.",
    "smtpeter",
)
