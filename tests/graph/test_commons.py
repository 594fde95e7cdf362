"""What tenants share: places for batches, and memory."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.graph.commons import Commons, Member


def nothing() -> None:
    """Nobody to wake."""


def grab(member: Member, wanted: int) -> int:
    """Take so many places, or as many as there are, and wait for the rest."""
    taken = 0
    while taken < wanted and member.free:
        member.take(0)
        taken += 1
    member.wait(waits=taken < wanted)
    return taken


def test_who_is_alone_has_everything() -> None:
    """Places are not kept for tenants that want none."""
    commons = Commons(places=10)
    one, other = commons.join(nothing), commons.join(nothing)
    assert grab(one, 50) == 10
    assert other.free == 0


def test_who_comes_later_gets_its_share_as_places_come_back() -> None:
    """Of two who want everything, the one with fewer places goes first until both have as many."""
    commons = Commons(places=10)
    one, other = commons.join(nothing), commons.join(nothing)
    grab(one, 50)
    grab(other, 50)
    for _ in range(20):
        holder = max((one, other), key=lambda member: member.out)
        holder.give_back(0)
        for member in (one, other):
            grab(member, 50)
    assert (one.out, other.out) == (5, 5)


def test_who_waits_is_woken_fewest_places_first() -> None:
    """A place that comes back is offered to those who wait, and to nobody else."""
    commons, woken = Commons(places=3), []
    members = [commons.join(lambda name=name: woken.append(name)) for name in "abc"]  # type: ignore[misc]
    members[0].take(0)
    members[0].take(0)
    members[1].take(0)
    members[0].waits = members[1].waits = True
    members[0].give_back(0)
    assert woken == ["a", "b"]


def test_bytes_are_common_too() -> None:
    """When as many bytes are expected as memory is meant for, nobody sends; one who leaves gives them back."""
    commons = Commons(places=10, answer_bytes=1000)
    one, other = commons.join(nothing), commons.join(nothing)
    one.take(1500)
    assert (one.free, other.free) == (0, 0)
    one.give_back(1500)
    assert (one.free, other.free) == (10, 10)


def test_who_leaves_is_waited_for_by_nobody() -> None:
    """A tenant that ends while it waits keeps no place from the others."""
    commons = Commons(places=2)
    one, other = commons.join(nothing), commons.join(nothing)
    other.waits = True
    one.take(0)
    assert one.free == 0
    other.leave()
    assert one.free == 1


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 30))
def test_all_places_are_used_and_shared(wants: list[int], places: int) -> None:
    """However much each wants: no wanted place is idle, and nobody who waits has far fewer than another."""
    commons = Commons(places=places)
    members = [commons.join(nothing) for _ in wants]
    for _ in range(6 * places):
        for member, want in zip(members, wants, strict=True):
            grab(member, want - member.out)
        assert commons.places == 0 or all(m.out == want for m, want in zip(members, wants, strict=True))
        busiest = max(members, key=lambda member: member.out)
        if busiest.out:
            busiest.give_back(0)
    for member, want in zip(members, wants, strict=True):
        grab(member, want - member.out)
    most = max(member.out for member in members)
    assert all(member.out >= min(want, most - 1) for member, want in zip(members, wants, strict=True))
    assert Counter(member.out for member in members).total() == len(wants)
