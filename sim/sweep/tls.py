"""How the connections of a cluster are secured."""

from typing import NamedTuple

__all__ = ["Tls"]


class Tls(NamedTuple):
    """Files, in PEM format, that a cluster's connections are secured with."""

    ca: str
    cert: str
    key: str
