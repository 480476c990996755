"""Who is at the other end of a connection."""

import asyncio


def address_of(transport: asyncio.BaseTransport) -> str:
    """The client's address; a unix socket's clients are on this machine."""
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple):
        return "127.0.0.1"
    return str(peer[0]).removeprefix("::ffff:")
