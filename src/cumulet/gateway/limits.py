"""What a client may ask of the HTTP core: sizes in bytes, times in seconds."""

from msgspec import Struct


class Limits(Struct, frozen=True):
    """Bounds of one listener. How large a body may be is the handler's to say (`read_content`).

    The memory that one connection can hold is about `high_water` + `write_buffer` + 2 * `head`, and its share of `bodies`
    while a request is worked on; once those are used up, `crowded_water` instead of `high_water`.
    """

    head: int = 65_536  # request line and headers
    header_time: float = 20.0  # from the first byte of a request to the end of its headers
    idle_time: float = 120.0  # a kept-alive connection without a request
    stall_time: float = 30.0  # a body that is awaited, or an answer that is not taken, without any progress
    linger_time: float = (
        5.0  # discarding what a client still sends after a final answer, so that it can read that answer
    )
    half_close_time: float = 0.25  # a client that ended its side keeps its running request this long
    drain_size: int = 262_144  # an unread body up to this size is discarded to keep the connection
    high_water: int = 524_288  # unread request bytes at which reading stops
    crowded_water: int = 32_768  # ... and while the node's bodies leave no room
    low_water: int = 131_072  # ... and at which it goes on
    write_buffer: int = 262_144  # unsent answer bytes at which writing waits
    pipeline: int = 16  # requests waiting on one connection at which reading stops
    bodies: int = 268_435_456  # bytes of bodies in memory, over all connections of the node; more wait to be read
    bodies_time: float = 20.0  # ... this long, and are then answered 503
    slowest: float = 65_536.0  # bytes a second that a body in memory has to arrive with while others wait for room
    connections: int = 4096  # open connections of one listener; more are answered 503
