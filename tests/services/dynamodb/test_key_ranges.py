"""What partition keys have left: by the clock, and in bounded memory."""

from cumulet.services.dynamodb import key_ranges
from cumulet.services.dynamodb.key_ranges import KeyRange, KeyRanges


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds


def test_a_key_takes_so_much_a_second() -> None:
    clock = Clock()
    keys = KeyRanges(clock.now, 3_000, 1_000)
    write, read, other = KeyRange(1, b"a", "write"), KeyRange(1, b"a", "read"), KeyRange(2, b"a", "write")
    keys.spend(write, 2_500)
    assert keys.left(write) == -1_500
    assert keys.left(read) == 3_000
    assert keys.left(other) == 1_000
    clock.seconds += 1.75
    assert keys.left(write) == 250
    keys.spend(write, 50)
    assert keys.left(write) == 200
    clock.seconds += 3_600
    assert keys.left(write) == 1_000
    clock.seconds -= 60
    assert keys.left(write) <= 1_000


def test_many_keys_take_little_memory() -> None:
    clock = Clock()
    keys = KeyRanges(clock.now, 3_000, 1_000)
    hot = KeyRange(1, b"hot", "write")
    keys.spend(hot, 1e9)
    for number in range(key_ranges._MOST * 3):
        clock.seconds += 1e-6 if number % 2 else 0.1
        keys.spend(KeyRange(1, str(number).encode(), "write"), 900)
    assert len(keys._used) <= key_ranges._MOST
    assert keys.left(hot) < 0
