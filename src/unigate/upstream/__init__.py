"""The only room that opens sockets to vendors: a pooled HTTP/1.1 client. Knows no vendor, no money and no caller."""

from unigate.upstream.answer import Answer, End
from unigate.upstream.client import Client
from unigate.upstream.endpoint import Endpoint, below, endpoint
from unigate.upstream.limits import ClientLimits
from unigate.upstream.outgoing import Outgoing, Whole
from unigate.upstream.tls import keep_freed_memory

__all__ = [
    "Answer",
    "Client",
    "ClientLimits",
    "End",
    "Endpoint",
    "Outgoing",
    "Whole",
    "below",
    "endpoint",
    "keep_freed_memory",
]
