"""What people have typed, and what must have become of it."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field

Place = tuple[str, str]
"""A mailbox and an item id."""


@dataclass(slots=True)
class Typed:
    """The last word on each field of each card that no run may have settled and somebody overwritten since."""

    words: dict[tuple[Place, str], tuple[str | None, int]] = field(default_factory=dict)
    based: set[str] = field(default_factory=set)
    """Cards with a base: of no other can a clear be told from a field that never was there."""
    runs: int = 0

    def say(self, place: Place, name: str, value: str | None) -> None:
        """Somebody saves a field; what others said of it before the last run may be settled by now."""
        stale = [key for key, (_, run) in self.words.items() if key[1] == name and run < self.runs]
        for key in [*stale, (place, name)]:
            self.words.pop(key, None)
        if value is not None or place[1] in self.based:
            self.words[place, name] = (value, self.runs)

    def forget(self, place: Place) -> None:
        """A card is deleted, or is nobody else's business any more."""
        for key in [key for key in self.words if key[0] == place]:
            del self.words[key]

    def forget_all(self) -> None:
        """The memory is lost, or the hub."""
        self.words.clear()
        self.based.clear()

    def settle(self, based: set[str]) -> None:
        """Everything typed so far was seen to be everywhere; these cards have a base now."""
        self.words.clear()
        self.based = based

    def lost(self, kept: Container[tuple[str, object]]) -> Iterator[tuple[Place, str, str | None]]:
        """The words that are not `kept` by a report; whether they are still on their card is for the caller to see."""
        for (place, name), (value, _) in self.words.items():
            if (name, value) not in kept:
                yield place, name, value
