"""Whose mailboxes take part: the licensed users, or the test users, and never the shared mailbox."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """A user of the directory; `user_id` is the object id, `mail` is "" without one."""

    user_id: str
    user_principal_name: str
    mail: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Roster:
    """The spokes' users in a stable order, and the names that no user answers to."""

    users: tuple[User, ...]
    unknown: tuple[str, ...]


def enrol(licensed: Iterable[User], hub: User, chosen: Sequence[str], found: Mapping[str, User | None]) -> Roster:
    """The roster: all licensed users, or those of `chosen` when it is not empty.

    `found` gives, for every name of `chosen`, the user that the directory knows by it, licensed or not.
    """
    users = list(licensed)
    unknown: list[str] = []
    if chosen:
        users = [user for user in (found.get(name) for name in chosen) if user]
        unknown = [name for name in chosen if found.get(name) is None]
    unique = {user.user_id: user for user in users if user.user_id != hub.user_id}
    return Roster(tuple(unique[user_id] for user_id in sorted(unique)), tuple(unknown))
