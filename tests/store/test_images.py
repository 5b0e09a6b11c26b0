from smtpeter.store import accounts, images
from smtpeter.store.images import Image
from tests.store.cases import NOW, DatabaseCase, OnPostgresql

LOGO = Image("image/png", b"\x89PNG\r\n\x1a\n logo")
PHOTO = Image("image/jpeg", b"\xff\xd8 photo")
DAY = 86_400.0


class ImageTests(DatabaseCase):
    """Hosted images."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            self.noor, self.kees = (
                accounts.add_account(connection, email, "hash", NOW).id
                for email in ("noor@shop.example", "kees@shop.example")
            )

    def keep(self, *kept: Image, account: int, until: float) -> None:
        """Keep images for an account."""
        with self.database.begin() as connection:
            images.keep(connection, kept, account, until, NOW)

    def image(self, digest: str = LOGO.digest) -> Image | None:
        """What is there."""
        with self.database.connect() as connection:
            return images.image(connection, digest)

    def forget(self, now: float) -> None:
        """Remove what nobody needs."""
        with self.database.begin() as connection:
            images.forget_old(connection, now)

    def test_read_back(self) -> None:
        """Images are read back as they were, by their digest; others are not there."""
        self.keep(LOGO, PHOTO, account=self.noor, until=NOW + DAY)
        self.assertEqual([LOGO, PHOTO], [self.image(), self.image(PHOTO.digest)])
        self.assertIsNone(self.image("0" * 64))

    def test_once(self) -> None:
        """An identical file is there once, however often and for whomever it is kept."""
        self.keep(LOGO, LOGO, account=self.noor, until=NOW + DAY)
        self.keep(Image("image/x-other", LOGO.octets), account=self.kees, until=NOW + DAY)
        self.assertEqual(LOGO, self.image())

    def test_none(self) -> None:
        """A message without images keeps none."""
        self.keep(account=self.noor, until=NOW + DAY)
        self.assertIsNone(self.image())

    def test_kept_as_long_as_needed(self) -> None:
        """An image stays until the last who needs it needs it no longer."""
        self.keep(LOGO, PHOTO, account=self.noor, until=NOW + DAY)
        self.keep(LOGO, account=self.kees, until=NOW + 3 * DAY)
        self.forget(NOW + 2 * DAY)
        self.assertEqual([LOGO, None], [self.image(), self.image(PHOTO.digest)])
        self.forget(NOW + 3 * DAY)
        self.assertIsNone(self.image())

    def test_never_kept_shorter(self) -> None:
        """Whoever needs an image again for a shorter time still has it for the longer one."""
        self.keep(LOGO, account=self.noor, until=NOW + 3 * DAY)
        self.keep(LOGO, account=self.noor, until=NOW + DAY)
        self.forget(NOW + 2 * DAY)
        self.assertEqual(LOGO, self.image())
        self.keep(LOGO, account=self.noor, until=NOW + 5 * DAY)
        self.forget(NOW + 4 * DAY)
        self.assertEqual(LOGO, self.image())


class ImageOnPostgresqlTests(OnPostgresql, ImageTests):
    """The same on PostgreSQL."""
