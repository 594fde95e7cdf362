"""Field by field, what every replica of one contact says, and which word counts.

Words are collected in a `Ballot`. Joining ballots is associative, commutative and idempotent, so replicas may be
heard in any order, in any number of places, and the result is the same.
"""

from collections import defaultdict
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nsmallest
from operator import attrgetter
from typing import Final

from shared.sync.contact import Contact, Email, FieldValue, with_display_name
from shared.sync.mergebase import Link, Memory, Version
from shared.sync.replica import Item
from shared.sync.stamp import SyncId

_AGREED: Final = 2


@dataclass(frozen=True, slots=True, order=True)
class Word:
    """Who said a value and when; the greater one counts: the later, then the hub, then the greater mailbox id."""

    at: datetime
    is_hub: bool
    mailbox: str


_RANK: Final = attrgetter("at", "is_hub", "mailbox")
_NEVER: Final = Word(datetime.max.replace(tzinfo=UTC), is_hub=True, mailbox="")


@dataclass(frozen=True, slots=True)
class Support:
    """Who stands for one value of one field.

    `kept` are the oldest two cards, among those mirrored before, that hold it: a value is as old as the first, for a
    person who changes another field does not say this one anew; held by two, it was once agreed on. `said` is the
    newest word of somebody who chose it: an edit against the base, or a card not mirrored before. `value` is the one
    carried of those that compare as equal.
    """

    value: FieldValue | None
    kept: tuple[Word, ...] = ()
    said: Word | None = None

    @classmethod
    def join(cls, supports: "Sequence[Support]") -> "Support":
        """All together, at least one; a contact may have as many as there are mailboxes."""
        if len(supports) == 1:
            return supports[0]
        kept = nsmallest(_AGREED, {word for support in supports for word in support.kept}, key=_RANK)
        said = max((support.said for support in supports if support.said), key=_RANK, default=None)
        value = supports[0].value
        if not isinstance(value, str):  # of texts, only the same one is equal
            value = min((support.value for support in supports), key=_stable)
        return cls(value, tuple(kept), said)

    @property
    def word(self) -> Word:
        """The word that this value is weighed by."""
        return max(word for word in (*self.kept[:1], self.said) if word)


Votes = Mapping[FieldValue | None, Support]
Ballot = Mapping[str, Votes]
"""By field, the values that were said (None: cleared) with their support."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One replica's card of a contact; `mirrored` if it bore our marker or stamp before this run."""

    item: Item
    is_hub: bool
    mirrored: bool
    link: Link | None = None

    @property
    def word(self) -> Word:
        """The card's time and place."""
        return Word(self.item.modified_at, self.is_hub, self.item.mailbox)


def voices_of(sync_id: SyncId, cards: Mapping[str, Item], hub: str, memory: Memory) -> Iterator[Voice]:
    """The voices of a contact's cards, which are given by mailbox; `hub` is the hub's."""
    for mailbox, item in cards.items():
        mirrored = item.marker == sync_id or (item.stamp is not None and item.stamp.sync_id == sync_id)
        yield Voice(item, mailbox == hub, mirrored, memory.link(item))


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two replicas gave a field different values: what counts, and what was kept only in report and history.

    `agreed` if the loser is what all seem to have held before an edit; nobody disagrees then, but without a memory
    that is no more than likely.
    """

    sync_id: SyncId
    field: str
    winner: FieldValue | None
    winner_word: Word
    loser: FieldValue | None
    loser_word: Word
    agreed: bool = False


@dataclass(frozen=True, slots=True)
class Merged:
    """The contact that all replicas shall hold, and the words that made it differ from the current version."""

    contact: Contact
    conflicts: tuple[Conflict, ...]
    words: Mapping[str, Word]


def ballots(voices: Iterable[Voice], current: Version | None) -> Iterator[Ballot]:
    """What the replicas say about the contact whose current version, if any is remembered, is `current`.

    Cards without a base that hold the same to the letter speak together: once a state is lost, that is nearly all.
    """
    choirs: dict[Hashable, list[Voice]] = defaultdict(list)
    for voice in voices:
        if voice.link and current:
            yield _changes(voice, voice.link)
        else:
            choirs[_letters(voice.item.contact)].append(voice)
    for choir in choirs.values():
        contact = choir[0].item.contact
        yield _statements(choir, contact.differing(current.contact) if current else contact.fields)


def _letters(contact: Contact) -> Hashable:
    """Equal for contacts that are so to the letter, in what their addresses carry and are not compared by, too."""
    emails = contact.get("emailAddresses")
    entries = emails if isinstance(emails, tuple) else ()
    carried = [(one.address, one.name) for one in entries if isinstance(one, Email)]
    return tuple(contact.fields.items()), tuple(carried)


def _statements(choir: Sequence[Voice], fields: Container[str]) -> Ballot:
    """Without a base: every present value is a word; an absent one says nothing, it never erases."""
    kept = nsmallest(_AGREED, {voice.word for voice in choir if voice.mirrored}, key=_RANK)
    said = max((voice.word for voice in choir if not voice.mirrored), key=_RANK, default=None)
    values = {name: value for name, value in choir[0].item.contact.fields.items() if name in fields}
    return {name: {value: Support(value, tuple(kept), said)} for name, value in values.items()}


def _changes(voice: Voice, link: Link) -> Ballot:
    """With a base: only what differs from it is a word, a cleared field included."""
    contact = voice.item.contact
    return {name: _said(contact.get(name), voice.word) for name in contact.differing(link.ancestor())}


def current_ballot(current: Version, fields: Iterable[str]) -> Ballot:
    """The current version's own word on fields where it moved since a base that is spoken against."""
    word = Word(current.at, is_hub=True, mailbox=current.by)
    return {name: _said(current.contact.get(name), word) for name in fields}


def _said(value: FieldValue | None, word: Word) -> Votes:
    return {value: Support(value, said=word)}


def join(one: Ballot, other: Ballot) -> Ballot:
    """Both ballots together."""
    return _join_all([one, other])


def _join_all(ballots: Iterable[Ballot]) -> Ballot:
    heard: dict[str, dict[FieldValue | None, list[Support]]] = {}
    for votes_by_field in ballots:
        for name, votes in votes_by_field.items():
            mine = heard.setdefault(name, {})
            for value, support in votes.items():
                mine.setdefault(value, []).append(support)
    return {name: {value: Support.join(supports) for value, supports in mine.items()} for name, mine in heard.items()}


def merge(sync_id: SyncId, voices: Iterable[Voice], current: Version | None = None) -> Merged:
    """The merged contact; the result does not depend on the order of `voices`."""
    voices = list(voices)
    votes = _join_all(ballots(voices, current))
    if current:
        votes = join(votes, current_ballot(current, _contested(votes, voices, current)))
    return resolve(sync_id, votes, current)


def _contested(votes: Ballot, voices: list[Voice], current: Version) -> set[str]:
    """The fields on which the current version has a word: it moved them since the base of somebody who spoke.

    Against a card without a base it has one only where it holds a value: what it lacks erases nothing.
    """
    fields: set[str] = set()
    for voice in voices:
        if voice.link is None:
            fields |= voice.item.contact.differing(current.contact) & current.contact.fields.keys()
        elif voice.link.base.number != current.number:
            fields |= voice.link.base.contact.differing(current.contact)
    return fields & votes.keys()


def resolve(sync_id: SyncId, votes: Ballot, current: Version | None = None) -> Merged:
    """Weigh the votes: the greatest word counts, the other values become conflicts."""
    fields = dict(current.contact.fields) if current else {}
    words: dict[str, Word] = {}
    conflicts: list[Conflict] = []
    for name, candidates in sorted(votes.items()):
        winner = max(candidates.values(), key=_weight)
        if winner.value is None:
            fields.pop(name, None)
        else:
            fields[name] = winner.value
        words[name] = winner.word
        conflicts += _conflicts(sync_id, name, candidates, winner)
    return Merged(with_display_name(Contact(fields)), tuple(conflicts), words)


def _conflicts(sync_id: SyncId, name: str, candidates: Votes, winner: Support) -> Iterator[Conflict]:
    before = _before(candidates)
    losers = [support for support in candidates.values() if support is not winner]
    for loser in sorted(losers, key=lambda support: _stable(support.value)):
        yield Conflict(sync_id, name, winner.value, winner.word, loser.value, loser.word, loser.value in before)


def _before(candidates: Votes) -> set[FieldValue | None]:
    """The value, if any, that the mirrored cards agreed on before somebody changed it: the oldest, held by two."""
    oldest = min(candidates.values(), key=lambda support: (support.kept[:1] or (_NEVER,), _stable(support.value)))
    return {oldest.value} if len(oldest.kept) == _AGREED and not oldest.said else set()


def _weight(support: Support) -> tuple[Word, bool, str]:
    return (support.word, support.value is not None, _stable(support.value))


def _stable(value: FieldValue | None) -> str:
    return repr(sorted(value)) if isinstance(value, frozenset) else repr(value)
