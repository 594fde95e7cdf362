"""How the emulator keeps time while it is busy."""

from tests.emulator.punctual import Punctual


class Loop:
    """A loop in which every sleeper wakes so many seconds too late; its time stands still otherwise."""

    def __init__(self, late_seconds: float) -> None:
        self.now = 100.0
        self._late_seconds = late_seconds

    def monotonic(self) -> float:
        """The time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += max(0.0, seconds) + self._late_seconds


async def lateness_in(loop: Loop) -> float:
    """How late, in seconds, somebody wakes who has slept many times before."""
    punctual, late_by = Punctual(loop.monotonic, loop.sleep), 0.0
    for _ in range(500):
        due = loop.now + 0.05
        await punctual.until(due)
        late_by = loop.now - due
    return late_by


async def test_what_a_busy_loop_takes_is_part_of_the_time() -> None:
    """Who always wakes two milliseconds late soon wakes on time."""
    assert abs(await lateness_in(Loop(0.002))) < 0.0001


async def test_what_wakes_on_time_is_not_woken_early() -> None:
    """Nothing is taken off where nothing is late."""
    assert abs(await lateness_in(Loop(0.0))) < 1e-9


async def test_little_is_taken_off_of_much() -> None:
    """A loop that is late by a whole request stays late: no answer leaves long before its time."""
    assert await lateness_in(Loop(0.05)) > 0.04
