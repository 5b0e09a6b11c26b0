"""The tree of resources, for HTTPS and for plain HTTP."""

from __future__ import annotations

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource

from smtpeter.web.api.send import InThread, SendResource
from smtpeter.web.api.submission import Limits
from smtpeter.web.request import Request
from smtpeter.web.resource import JSONResource, Refusal

API = b"v1"


def root_resource(
    portal: Portal,
    *,
    https: bool,
    in_thread: InThread,
    clock: IReactorTime,
    limits: Limits,
) -> Resource:
    """
    Return the root for a `smtpeter.web.site.Site`.

    Args:
        portal: takes `BearerToken` and gives `ISender`.
        https: whether clients reach the site by TLS; the API is only there.
        in_thread: calls a function with arguments in a thread.
    """
    root = HTTPSRoot() if https else JSONResource()
    no_api = Refusal(400, "The API is only available over HTTPS")
    root.putChild(API, _api(portal, in_thread, clock, limits) if https else no_api)
    return root


def _api(portal: Portal, in_thread: InThread, clock: IReactorTime, limits: Limits) -> Resource:
    api = JSONResource()
    api.putChild(b"send", SendResource(portal, in_thread, clock, limits))
    return api


class HTTPSRoot(JSONResource):
    """Tells what lives here."""

    methods = ("GET",)

    async def answer_get(self, _request: Request) -> dict[str, str]:
        return {"service": "smtpeter", "api": f"/{API.decode()}/"}
