"""What KMS allowed, remembered as long as a data key is."""

_SECONDS = 300.0
_MOST = 10_000

Place = tuple[int, str, str, str]


class Allowed:
    """What KMS lately allowed, to whom: until when, by stream, key, principal and operation."""

    def __init__(self) -> None:
        self._until: dict[Place, float] = {}

    def holds(self, place: Place, now: float) -> bool:
        return self._until.get(place, 0.0) > now

    def note(self, place: Place, now: float) -> None:
        if len(self._until) >= _MOST:
            self._until.clear()
        self._until[place] = now + _SECONDS
