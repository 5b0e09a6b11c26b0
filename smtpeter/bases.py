"""Where rewritten links and images point: scheme, host and port."""

from __future__ import annotations

from urllib.parse import urlsplit

from smtpeter.config import Config
from smtpeter.store.domains import SenderDomain
from smtpeter.values import frozen

DEFAULT_PORTS = {"https": 443, "http": 80}


@frozen
class Bases:
    """
    The bases that a configuration leads to, such as "https://clicks.example.com:8443".

    Attributes:
        default: of mail without a sender domain.
        https_port: with its colon, "" for the default one.
        http_port: the same for plain HTTP.
    """

    default: str
    https_port: str
    http_port: str

    @classmethod
    def from_config(cls, config: Config) -> Bases:
        """
        Read the ports by which readers reach the service.

        That of one scheme stands in `http.public_url`. Where it is not the default one, no
        proxy is in front, and the other scheme has the port of its first listener.
        """
        public = urlsplit(config.http.public_url)
        shown = f":{public.port}" if public.port else ""
        other = "http" if public.scheme == "https" else "https"
        listening = config.http.http if other == "http" else config.http.https
        usual = public.port in (None, DEFAULT_PORTS[public.scheme])
        port = DEFAULT_PORTS[other] if usual or not listening else listening[0].port
        ports = {
            public.scheme: "" if usual else shown,
            other: "" if port == DEFAULT_PORTS[other] else f":{port}",
        }
        default = f"{public.scheme}://{config.tracking.host}{shown}"
        return cls(default, ports["https"], ports["http"])

    def of(self, domain: SenderDomain | None) -> str:
        """The base for mail of a sender domain."""
        if domain is None:
            return self.default
        if domain.https:
            return f"https://{domain.tracking_host}{self.https_port}"
        return f"http://{domain.tracking_host}{self.http_port}"
