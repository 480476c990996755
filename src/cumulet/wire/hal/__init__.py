"""HAL, as the control plane of REST APIs answers clients that do not ask for plain JSON: things with links to what can be done next.

`relations` is the table of links, `documents` makes the answers. Loaded with the first request that wants one.
"""
