import functools

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import Content
from smtpeter.message.incoming.findings import DeliveryReport, PrivateError, ReportedAction
from smtpeter.message.incoming.recognition import recognise
from tests.corpus.flufl import Sample, samples
from tests.corpus.packages import Unreachable
from tests.scenarios.programs import missing

LEAST_PERCENT = 95.0

# What is not read in them, and why.
KNOWN = {
    "aol_01.txt": "it has the name of an account without a domain, to be guessed from the author",
    "yale_01.txt": "it has a name without a domain; the domain to guess is that of the university",
}
# Errors for none of which flufl.bounce finds an address, and which yet are errors.
NOBODY = {
    "bounce_01.txt",
    "dumbass_01.txt",
    "simple_42.txt",
    "simple_43.txt",
}


@functools.cache
def corpus() -> list[Sample]:
    try:
        return samples()
    except Unreachable as error:
        missing(str(error))


def is_right(sample: Sample) -> bool:
    """True when the addresses, and whether it is final, are what flufl.bounce's authors read."""
    found = recognise(Content.from_octets(sample.octets), None)
    if not isinstance(found, DeliveryReport | PrivateError):
        return not sample.addresses and sample.name not in NOBODY
    if not sample.addresses:
        return True
    either = {
        address.lower() for each in found.recipients for address in (each.recipient, each.original)
    }
    best = {each.address.lower() for each in found.recipients}
    action = ReportedAction.DELAYED if sample.is_temporary else ReportedAction.FAILED
    actions = {each.action for each in found.recipients}
    return best <= sample.addresses <= either and actions == {action}


class SampleTests(SynchronousTestCase):
    """The mails that flufl.bounce is tested by."""

    def test_read(self) -> None:
        """What they say is read in at least 95 of a hundred, and in all that are not known."""
        wrong = {sample.name for sample in corpus() if not is_right(sample)}
        self.assertEqual(set(KNOWN), wrong)
        self.assertGreater(len(corpus()), 100)
        self.assertLessEqual(len(wrong), (100 - LEAST_PERCENT) / 100 * len(corpus()))

    def test_none_lost(self) -> None:
        """Each mail that names somebody is an error, also where the address is not found."""
        for sample in corpus():
            if sample.addresses:
                found = recognise(Content.from_octets(sample.octets), None)
                self.assertIsInstance(found, DeliveryReport | PrivateError, sample.name)
