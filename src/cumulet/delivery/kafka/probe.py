"""Whether a cluster's servers speak without TLS: nothing in a mapping says so."""

import asyncio
import contextlib
import struct
from collections.abc import Sequence

_PATIENCE = 10.0
_API_VERSIONS = 18
_QUESTION = struct.pack(">ihhih7s", 17, _API_VERSIONS, 0, 1, 7, b"cumulet")
"""ApiVersions, version 0, correlation 1: what any client may ask before anything else, and holds nothing secret."""
_LARGEST = 1024 * 1024


class Unreachable(Exception):
    """None of the servers takes connections. The message is the last one's."""


async def speaks_plainly(servers: Sequence[str]) -> bool:
    """True when the first server that takes a connection answers Kafka's first question without TLS. Raises Unreachable."""
    problem = ""
    for server in servers:
        host, _, port = server.rpartition(":")
        try:
            async with asyncio.timeout(_PATIENCE):
                reader, writer = await asyncio.open_connection(host, int(port))
        except (OSError, TimeoutError, ValueError, OverflowError) as error:
            problem = f"{server}: {str(error) or type(error).__name__}"
            continue
        try:
            return await _answers(reader, writer)
        finally:
            writer.close()
    raise Unreachable(problem)


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        writer.write(_QUESTION)
        async with asyncio.timeout(_PATIENCE):
            size, correlation = struct.unpack(">ii", await reader.readexactly(8))
        return bool(correlation == 1 and 4 < size < _LARGEST)
    return False
