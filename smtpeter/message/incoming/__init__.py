"""What comes back by mail: reports, errors, complaints, answers. Pure: texts in, values out."""

from smtpeter.message.incoming.recognition import recognise

__all__ = ["recognise"]
