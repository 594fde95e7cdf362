"""How many mailboxes are let in at once."""

import asyncio

import pytest

from shared.engine.door import MOST, Door, at_once


async def inside(door: Door) -> int:
    """How many more are let in now."""
    count = 0
    while True:
        try:
            async with asyncio.timeout(0):
                await door.enter()
        except TimeoutError:
            return count
        count += 1


async def test_few_are_let_in_until_it_is_known_what_they_tell() -> None:
    """At first nobody knows."""
    assert await inside(Door(fewest=3, most=9)) == 3


async def test_it_opens_wide_after_some_with_little_to_tell() -> None:
    """All at once, and no further."""
    door = Door(fewest=3, most=8, calm=2)
    assert await inside(door) == 3
    door.leave(much=False)
    assert await inside(door) == 1
    door.leave(much=False)
    assert await inside(door) == 6
    door.leave(much=False)
    assert await inside(door) == 1


async def test_one_with_much_to_tell_begins_the_count_anew() -> None:
    """What opens it is a row of mailboxes with little to tell."""
    door = Door(fewest=3, most=8, calm=2)
    await inside(door)
    for much in (False, True, False):
        door.leave(much=much)
    assert await inside(door) == 3


async def test_those_with_much_to_tell_close_places_again() -> None:
    """One by one, down to the fewest."""
    door = Door(fewest=2, most=4, calm=1)
    await inside(door)
    door.leave(much=False)
    assert await inside(door) == 3
    for _ in range(2):
        door.leave(much=True)
    assert await inside(door) == 0
    door.leave(much=True)
    assert await inside(door) == 1


@pytest.mark.parametrize(
    ("told", "places"), [(0, 10), (1_000, 10), (500, 20), (200, 50), (1, MOST), (2_000, 5), (50_000, 2)]
)
def test_as_many_are_let_in_as_may_tell_so_much(told: int, places: int) -> None:
    """Together they may tell what ten tell that have a thousand contacts each, and never fewer than two are let in.

    Where nobody knows, it is as if they had a thousand.
    """
    assert at_once(10, told) == places
