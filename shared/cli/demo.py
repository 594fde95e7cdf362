"""`demo`: the whole story on a local Microsoft 365, with no account and no configuration."""

import asyncio
from typing import TYPE_CHECKING

import click

from shared.cli.console import open_console
from shared.cli.emulator import load
from shared.engine.options import RunOptions
from shared.state.memory import MemoryStateStore

if TYPE_CHECKING:
    from rich.console import Console

    from shared.sync.report import RunReport
    from tests.emulator import Emulator

_DOMAIN = "contoso.example"
_HUB = f"addressbook@{_DOMAIN}"
_HOUR_SECONDS = 3600
_PEOPLE = ("anna", "ben", "carla", "dmitri")


@click.command(short_help="Watch the mirror at work; needs no account.")
def demo() -> int:
    """Watch the mirror at work on a local Microsoft 365; needs no account.

    A first run, people's edits, a second run, and a third that writes nothing.
    """
    return asyncio.run(_play())


async def _play() -> int:
    emulator_type = load("tests.emulator").Emulator
    console = open_console()
    async with emulator_type() as emulator:
        stage = _Stage(emulator, console)
        stage.furnish()
        console.rule("1. First run: everybody's contacts become one address book")
        await stage.run()
        console.rule("2. People go on with their lives")
        stage.edit()
        console.rule("3. Second run: what changed arrives, and nothing else is touched")
        await stage.run()
        stage.check()
        console.rule("4. Third run: nothing to do")
        report = await stage.run()
    return stage.verdict(report)


class _Stage:
    """The sample tenant, its people and what they do."""

    def __init__(self, emulator: "Emulator", console: "Console") -> None:
        self._emulator = emulator
        self._console = console
        self._state = MemoryStateStore()
        self._tenant = emulator.add_tenant(None, domain=_DOMAIN)
        self._is_right = True

    def furnish(self) -> None:
        """Give everybody a mailbox with a few contacts of their own; some know the same people."""
        self._tenant.add_shared_mailbox(_HUB)
        for name in _PEOPLE:
            self._tenant.add_user(f"{name}@{_DOMAIN}")
        for name, card in _CARDS:
            self._box(name).add_contact(dict(card))

    def _box(self, name: str):  # type: ignore[no-untyped-def]  # the emulator's mailbox
        return self._tenant.mailbox(f"{name}@{_DOMAIN}")

    async def run(self) -> "RunReport":
        """One real run over HTTPS, with the official SDK, and its report."""
        from shared.bootstrap import sync
        from shared.cli.summary import print_summary

        environ = self._emulator.environment()
        clock = self._emulator.clock
        report = await sync(environ, RunOptions(), trust=self._emulator.ca_file, clock=clock, state=self._state)
        clock.advance(_HOUR_SECONDS)
        print_summary(report, verbose=True, console=self._console)
        return report

    def edit(self) -> None:
        """One new card, one changed number, one private card and one note."""
        self._say("Anna gets Grace Hopper's new number, Ben adds Katherine Johnson,")
        self._say("Carla keeps her doctor to herself, Dmitri takes a note on Alan Turing.")
        anna, ben, carla, dmitri = map(self._box, _PEOPLE)
        anna.edit_contact(self._id(anna, "Grace Hopper"), {"mobilePhone": "+1 202 555 0199"})
        ben.add_contact({"givenName": "Katherine", "surname": "Johnson", "displayName": "Katherine Johnson"})
        carla.add_contact({"displayName": "Dr. Weber", "mobilePhone": "+49 30 555 0100"}, private=True)
        card = self._card(dmitri, "Alan Turing")
        dmitri.edit_contact(card["id"], {"personalNotes": f"Likes apples.\r\n{card['personalNotes']}"})

    def check(self) -> None:
        """Look into the mailboxes, and say what is there."""
        boxes = [self._box(name) for name in _PEOPLE]
        others = [box for name, box in zip(_PEOPLE, boxes, strict=True) if name != "carla"]
        self._confirm(
            "Grace Hopper's new number is in every mailbox",
            all(self._card(box, "Grace Hopper")["mobilePhone"] == "+1 202 555 0199" for box in boxes),
        )
        self._confirm(
            "Katherine Johnson is in every mailbox", all(self._has(box, "Katherine Johnson") for box in boxes)
        )
        self._confirm("Carla's doctor is nobody else's", not any(self._has(box, "Dr. Weber") for box in others))
        note = self._card(self._box("dmitri"), "Alan Turing")["personalNotes"]
        self._confirm("Dmitri's note is there, to the letter", note.startswith("Likes apples.\r\nSyncId="))
        self._confirm(
            "and in no other mailbox",
            not any("apples" in (self._card(box, "Alan Turing")["personalNotes"] or "") for box in boxes[:3]),
        )

    def verdict(self, report: "RunReport") -> int:
        """0 if everything is as promised."""
        tenant = report.tenants[0]
        written = tenant.stamped + sum(one.created + one.updated for one in (tenant.step1, tenant.step2))
        self._confirm("The third run wrote nothing", written == 0)
        return 0 if self._is_right and report.exit_code == 0 else 1

    def _card(self, box, name: str):  # type: ignore[no-untyped-def]  # the emulator's mailbox and card
        return next(card for card in box.contacts() if card["displayName"] == name)

    def _has(self, box, name: str) -> bool:  # type: ignore[no-untyped-def]  # the emulator's mailbox
        return any(card["displayName"] == name for card in box.contacts())

    def _id(self, box, name: str) -> str:  # type: ignore[no-untyped-def]  # the emulator's mailbox
        return str(self._card(box, name)["id"])

    def _say(self, text: str) -> None:
        self._console.print(text)

    def _confirm(self, text: str, is_so: bool) -> None:
        self._is_right = self._is_right and is_so
        self._console.print(f"[green]✓[/] {text}" if is_so else f"[red]✗ not so:[/] {text}")


def _person(given: str, surname: str, **more: object) -> dict[str, object]:
    return {"givenName": given, "surname": surname, "displayName": f"{given} {surname}", **more}


def _mail(address: str) -> list[dict[str, str]]:
    return [{"address": address, "name": address}]


_CARDS = (
    ("anna", _person("Grace", "Hopper", emailAddresses=_mail("grace@navy.example"), mobilePhone="+1 202 555 0100")),
    ("anna", _person("Zoë", "Müller", emailAddresses=_mail("zoe@mueller.example"), birthday="1985-04-12T00:00:00Z")),
    ("ben", _person("Grace", "Hopper", emailAddresses=_mail("Grace@Navy.example"), jobTitle="Rear Admiral")),
    ("ben", _person("Alan", "Turing", emailAddresses=_mail("alan@bletchley.example"), companyName="Bletchley Park")),
    ("carla", _person("Ada", "Lovelace", businessPhones=["+44 20 7946 0000"], categories=["Customer"])),
    ("carla", _person("花子", "山田", yomiGivenName="はなこ", emailAddresses=_mail("hanako@yamada.example"))),
    (
        "dmitri",
        _person("Alan", "Turing", emailAddresses=_mail("alan@bletchley.example"), mobilePhone="+44 7700 900000"),
    ),
    ("dmitri", {"companyName": "Taxi Zentrale", "businessPhones": ["+41 44 555 00 00"]}),
)
