"""Fills a tenant with made-up people who know each other; the same seed makes the same tenant."""

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.emulator import words
from tests.emulator.directory import Tenant
from tests.emulator.mailbox import Mailbox

ODD_EVERY: Final = 12
Fields = dict[str, Any]


@dataclass(slots=True)
class Sample:
    """One made-up card."""

    fields: Fields
    private: bool = False
    extended: Mapping[str, str] = field(default_factory=dict)


def populate(
    tenant: Tenant, users: int = 50, contacts_per_user: int = 40, overlap: float = 0.3, seed: int = 1
) -> list[str]:
    """Add a shared mailbox if there is none, and so many licensed users with so many cards each; gives their UPNs.

    `overlap` is the share of each user's cards that colleagues have as well, with little differences. One card in
    twelve is odd: see `ODD`.
    """
    dice = random.Random(f"{seed}/{tenant.domain}")
    if not tenant.hub:
        tenant.add_shared_mailbox(f"addressbook@{tenant.domain}")
    makers = _Makers(dice)
    shared = round(contacts_per_user * overlap)
    known = [makers.person(f"s{number}") for number in range(shared * 2)]
    names = []
    for number in range(users):
        name = f"{makers.latin_name()}.{number}@{tenant.domain}"
        tenant.add_user(name)
        names.append(name)
        _fill(tenant.mailbox(name), makers, known, (number, contacts_per_user, shared))
    return names


def _fill(box: Mailbox, makers: "_Makers", known: list[Sample], how_many: tuple[int, int, int]) -> None:
    user, total, shared = how_many
    samples = [makers.variation(sample) for sample in makers.dice.sample(known, min(shared, len(known)))]
    own = total - len(samples)
    samples += [makers.own(f"{user}x{number}", odd=number % ODD_EVERY == ODD_EVERY - 1) for number in range(own)]
    for sample in samples:
        box.add_contact(sample.fields, private=sample.private, extended=sample.extended)


class _Makers:
    """Makes cards with one set of dice."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self._odd = 0

    def latin_name(self) -> str:
        """A name for a user's address."""
        latin = words.SCRIPTS[0]
        return f"{self.dice.choice(latin.given)[1]}.{self.dice.choice(latin.surnames)[1]}"

    def own(self, key: str, *, odd: bool) -> Sample:
        """A card of one user alone; `key` makes its address unique."""
        if not odd:
            return self.person(key)
        self._odd += 1
        return ODD[self._odd % len(ODD)](self, key)

    def person(self, key: str) -> Sample:
        """A usual card: some of the usual fields."""
        dice = self.dice
        script = words.SCRIPTS[int(dice.random() ** 2 * len(words.SCRIPTS))]
        given, surname = dice.choice(script.given), dice.choice(script.surnames)
        parts = (surname[0], given[0]) if script.surname_first else (given[0], surname[0])
        fields: Fields = {
            "givenName": given[0],
            "surname": surname[0],
            "displayName": ("" if script.surname_first else " ").join(parts),
            "emailAddresses": [self._email(f"{given[1]}.{surname[1]}.{key}", " ".join(parts))],
        }
        if given[2]:
            fields.update(yomiGivenName=given[2], yomiSurname=surname[2])
        self._add_work(fields)
        self._add_home(fields)
        return Sample(fields)

    def _email(self, local: str, name: str) -> dict[str, str]:
        return {"address": f"{local}@{self.dice.choice(words.DOMAINS)}", "name": name}

    def _phone(self) -> str:
        return f"+{self.dice.choice((1, 33, 49, 81, 380))} {self.dice.randrange(10**8, 10**9)}"

    def _add_work(self, fields: Fields) -> None:
        dice = self.dice
        if dice.random() < 0.6:
            fields.update(companyName=dice.choice(words.COMPANIES), jobTitle=dice.choice(words.JOBS))
            fields["businessPhones"] = [self._phone() for _ in range(dice.choice((1, 1, 2)))]
        if dice.random() < 0.2:
            fields.update(department=dice.choice(words.DEPARTMENTS), officeLocation=f"B{dice.randrange(9)}")
            fields["businessAddress"] = self._address()
        if dice.random() < 0.15:
            fields["categories"] = dice.sample(words.CATEGORIES, 2)

    def _add_home(self, fields: Fields) -> None:
        dice = self.dice
        if dice.random() < 0.7:
            fields["mobilePhone"] = self._phone()
        if dice.random() < 0.2:
            fields["birthday"] = f"{dice.randrange(1940, 2005)}-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02}"
        if dice.random() < 0.15:
            fields.update(homeAddress=self._address(), homePhones=[self._phone()], children=["Mia", "Léo"])
        if dice.random() < 0.25:
            fields["personalNotes"] = dice.choice(words.NOTES)

    def _address(self) -> dict[str, str]:
        city, state, code, country = self.dice.choice(words.CITIES)
        street = f"{self.dice.choice(words.STREETS)} {self.dice.randrange(1, 200)}"
        whole = {"street": street, "city": city, "state": state, "postalCode": code, "countryOrRegion": country}
        return {part: text for part, text in whole.items() if text and self.dice.random() < 0.9}

    def variation(self, sample: Sample) -> Sample:
        """The same person as somebody else wrote the card: one thing more, less or otherwise."""
        fields = dict(sample.fields)
        change = self.dice.randrange(5)
        if change == 0:
            email = fields["emailAddresses"][0]
            fields["emailAddresses"] = [{**email, "address": email["address"].upper()}]
        elif change == 1:
            fields["mobilePhone"] = self._phone()
        elif change == 2:
            fields.pop("companyName", None)
        elif change == 3:
            fields["personalNotes"] = self.dice.choice(words.NOTES)
        return Sample(fields)

    def nobody(self, key: str) -> Sample:
        """A number, and not whose."""
        return Sample({"mobilePhone": self._phone()})

    def no_email(self, key: str) -> Sample:
        """Somebody without an address."""
        fields = self.person(key).fields
        del fields["emailAddresses"]
        return Sample({**fields, "displayName": f"{fields['displayName']} {key}"})

    def company(self, key: str) -> Sample:
        """A firm."""
        return Sample({"companyName": f"{self.dice.choice(words.COMPANIES)} {key}", "businessPhones": [self._phone()]})

    def info(self, key: str) -> Sample:
        """One of several people behind one address."""
        fields = self.person(key).fields
        return Sample({**fields, "emailAddresses": [{"address": "info@fabrikam.example", "name": "Info"}]})

    def three_emails(self, key: str) -> Sample:
        """Somebody with as many addresses as there can be."""
        fields = self.person(key).fields
        fields["emailAddresses"] += [self._email(f"{kind}.{key}", kind) for kind in ("home", "other")]
        return Sample(fields)

    def private(self, key: str) -> Sample:
        """A card with the Private flag."""
        return Sample(self.person(key).fields, private=True)

    def long_note(self, key: str) -> Sample:
        """A card whose note a listing cuts."""
        return Sample({**self.person(key).fields, "personalNotes": words.LEADING_BREAK_NOTE + key})

    def stamped(self, key: str) -> Sample:
        """A card that the older automation stamped; the address belongs to nobody else."""
        tags = {
            "SyncId": str(uuid.UUID(int=self.dice.getrandbits(128), version=4)),
            "CreatedBy": "somebody@contoso.example",
            "LastUpdatedAt": "2024-05-06T07:08:09Z",
            "LastUpdatedBy": "somebody@contoso.example",
        }
        joiner = self.dice.choice((";", "\r\n"))
        stamp = joiner.join(f"{name}={value}" for name, value in tags.items())
        return Sample({**self.person(key).fields, "personalNotes": f"Old friend.\r\n{stamp}"})

    def everything(self, key: str) -> Sample:
        """A card with every field."""
        fields = self.person(key).fields
        fields.update(
            dict.fromkeys(
                ("title", "generation", "middleName", "nickName", "profession", "manager", "spouseName"), "Q"
            ),
            imAddresses=["xmpp:q@example.org"],
            businessHomePage="https://example.org/ü?q=1",
            otherAddress=self._address(),
            birthday="1952-02-29",
        )
        return Sample(fields)


ODD: Final[tuple[Callable[[_Makers, str], Sample], ...]] = (
    _Makers.nobody,
    _Makers.no_email,
    _Makers.company,
    _Makers.info,
    _Makers.three_emails,
    _Makers.private,
    _Makers.long_note,
    _Makers.stamped,
    _Makers.everything,
)
"""The odd sorts of cards, taken in turn."""
