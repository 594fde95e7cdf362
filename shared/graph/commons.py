"""What all tenants of a process share: connections, and memory for answers. Pure; whoever has to wait is woken.

Graph limits each app in each tenant, and each mailbox, by itself, so tenants need not wait for each other there.
A process has one processor, one memory and so many sockets: fifty tenants with sixty connections each would be
more than a host allows. So places are common, and of those who want one the tenant with the fewest goes first:
a tenant alone may use all of them, and one that comes later has its share as soon as batches come back.
"""

from collections.abc import Callable
from heapq import heapify, heapreplace
from typing import Final

PLACES: Final = 96
ANSWER_BYTES: Final = 48_000_000


class Commons:
    """Places for batches, and bytes of answers that may be expected at a time, for all tenants together."""

    def __init__(self, places: int = PLACES, answer_bytes: int = ANSWER_BYTES) -> None:
        """`answer_bytes` may be passed by the last batch that is let through."""
        self.places = places
        self.bytes = answer_bytes
        self.members: list[Member] = []

    def join(self, wake: Callable[[], None]) -> "Member":
        """Take part; `wake` is called when it may be worth asking again."""
        member = Member(self, wake)
        self.members.append(member)
        return member

    def free_for(self, member: "Member") -> int:
        """How many places the member may take, if each goes to who has the fewest of those who want one."""
        if self.bytes <= 0:
            return 0
        others = [other.out for other in self.members if other.waits and other is not member]
        if not others:
            return self.places
        heapify(others)
        mine = member.out
        for _ in range(self.places):
            if mine <= others[0]:
                mine += 1
            else:
                heapreplace(others, others[0] + 1)
        return mine - member.out

    def wake(self) -> None:
        """Let those who wait ask again, who has the fewest places first."""
        for member in sorted((one for one in self.members if one.waits), key=lambda one: one.out):
            member.wake()


class Member:
    """A tenant's part in the commons."""

    def __init__(self, commons: Commons, wake: Callable[[], None]) -> None:
        """Made by `Commons.join`."""
        self.out = 0
        self._bytes = 0
        self.waits = False
        self.wake = wake
        self._commons = commons

    @property
    def free(self) -> int:
        """How many batches it may send."""
        return self._commons.free_for(self)

    def take(self, answer_bytes: int) -> None:
        """Send a batch."""
        self._give(-1, -answer_bytes)

    def give_back(self, answer_bytes: int) -> None:
        """A batch has come back."""
        self._give(1, answer_bytes)
        self._commons.wake()

    def _give(self, places: int, answer_bytes: int) -> None:
        self.out -= places
        self._bytes -= answer_bytes
        self._commons.places += places
        self._commons.bytes += answer_bytes

    def wait(self, *, waits: bool) -> None:
        """Say whether more would be sent if there were places; what is not wanted is for the others."""
        waited, self.waits = self.waits, waits
        if waited and not waits and self._commons.places > 0:
            self._commons.wake()

    def leave(self) -> None:
        """Take part no more; the others may have what is left, and what never came back."""
        self._give(self.out, self._bytes)
        self._commons.members.remove(self)
        self._commons.wake()
