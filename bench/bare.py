"""What redirects are measured against: a resource of twisted.web that does nothing else."""

# twisted.web has few type hints.
# mypy: allow-untyped-calls
import sys
from typing import Any

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

LOCATION = b"https://shop.example/sale/boots?size=43"


class Bare(Resource):
    """Redirects whoever asks for whatever."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        request.setResponseCode(302)
        request.setHeader(b"location", LOCATION)
        return b""


def main(port: int) -> None:
    """Serve on 127.0.0.1, without any log, until somebody ends the process."""
    site: Any = Site(Bare())
    reactor.listenTCP(port, site, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
