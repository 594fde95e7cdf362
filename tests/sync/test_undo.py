"""Undoing a run, as a rule on values: what goes back, what stays, and that undoing is itself undone."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.sync.contact import Contact
from shared.sync.mergebase import UNDO, Version
from shared.sync.undo import Fate, Reason, Step, plan_undo
from tests.builders import at, guid

NAMES = ("jobTitle", "mobilePhone", "department")
contents = st.dictionaries(st.sampled_from(NAMES), st.sampled_from("123")).map(
    lambda fields: Contact({"displayName": "Grace", **fields})
)


def grace(**fields: str) -> Contact:
    """A contact with these fields."""
    return Contact({"displayName": "Grace", **fields})


def history(*states: tuple[str, Contact | None]) -> list[Version]:
    """A contact's versions, each by the run of that name; None is a deletion."""
    versions: list[Version] = []
    for number, (run_id, contact) in enumerate(states, start=1):
        content = contact or versions[-1].contact
        version = Version(number, guid(1), content, at(number), "ann", run_id, is_new=number == 1)
        versions.append(replace(version, is_deleted=contact is None))
    return versions


def undone(run_id: str, versions: Sequence[Version], *, by_run: str = "undoing") -> list[Version]:
    """The history after the run was undone."""
    plan = plan_undo(run_id, [versions])
    return [*versions, *plan.versions(versions[-1].number, at(99), by_run)]


def the_step(run_id: str, versions: Sequence[Version]) -> Step:
    """What undoing means for the only contact."""
    (step,) = plan_undo(run_id, [versions]).steps
    return step


def test_what_nobody_touched_since_goes_back_whole() -> None:
    """The content from before the run is current again, said by "undo" in a run of its own."""
    versions = history(("a", grace(jobTitle="1")), ("b", grace(jobTitle="2", mobilePhone="2")))
    new = undone("b", versions)[-1]
    assert (new.number, new.by, new.run_id, new.contact) == (3, UNDO, "undoing", grace(jobTitle="1"))
    assert the_step("b", versions).fields == {"jobTitle": ("2", "1"), "mobilePhone": ("2", None)}


def test_what_somebody_changed_since_stays() -> None:
    """Only the fields that nobody has touched since the run go back; the others are named."""
    versions = history(
        ("a", grace(jobTitle="1", mobilePhone="1")),
        ("b", grace(jobTitle="2", mobilePhone="2")),
        ("c", grace(jobTitle="3", mobilePhone="2", department="3")),
    )
    step = the_step("b", versions)
    assert step.contact == grace(jobTitle="3", mobilePhone="1", department="3")
    assert (step.fate, step.kept, step.reason) == (Fate.CHANGED, ("jobTitle",), Reason.EDITED)


def test_a_contact_that_the_run_created_is_removed() -> None:
    """Its tombstone is said by "undo", and keeps the content to be undone from."""
    new = undone("a", history(("a", grace(jobTitle="1"))))[-1]
    assert (new.is_undone, new.is_new, new.contact) == (True, False, grace(jobTitle="1"))


def test_a_created_contact_that_somebody_edited_since_stays() -> None:
    """An edit beats the removal."""
    step = the_step("a", history(("a", grace()), ("b", grace(jobTitle="1"))))
    assert (step.fate, step.reason) == (Fate.KEPT, Reason.EDITED)


def test_a_contact_that_the_run_deleted_comes_back() -> None:
    """As it was; and it stays as it is if it came back before."""
    versions = history(("a", grace(jobTitle="1")), ("b", None))
    assert undone("b", versions)[-1].contact == grace(jobTitle="1")
    assert not undone("b", versions)[-1].is_deleted
    assert the_step("b", history(("a", grace()), ("b", None), ("c", grace()))).reason is Reason.ALIVE


def test_what_is_not_remembered_from_before_is_left_alone() -> None:
    """A first version of a contact that the hub had already, or whose past was forgotten, is no creation."""
    (first,) = history(("a", grace()))
    step = the_step("a", [replace(first, is_new=False)])
    assert (step.fate, step.reason) == (Fate.KEPT, Reason.FORGOTTEN)


def test_what_was_deleted_since_stays_deleted() -> None:
    """Undoing a change does not bring back what somebody deleted later."""
    versions = history(("a", grace()), ("b", grace(jobTitle="1")), ("c", None))
    assert the_step("b", versions).reason is Reason.DELETED


@given(st.lists(contents, min_size=2, max_size=5))
def test_undoing_an_undo_restores(contents: list[Contact]) -> None:
    """Whatever the latest run did, undone twice it is as it was."""
    versions = history(*((str(number), content) for number, content in enumerate(contents)))
    once = undone(str(len(contents) - 1), versions)
    twice = undone("undoing", once, by_run="again") if len(once) > len(versions) else once
    assert twice[-1].contact == versions[-1].contact
    assert not twice[-1].is_deleted


@given(st.booleans(), contents)
def test_undoing_an_undo_restores_existence(is_created: bool, content: Contact) -> None:
    """A creation undone twice exists again, a deletion undone twice does not."""
    versions = history(("a", content)) if is_created else history(("a", content), ("b", None))
    once = undone(versions[-1].run_id, versions)
    assert once[-1].is_deleted == is_created
    twice = undone("undoing", once, by_run="again")
    assert (twice[-1].is_deleted, twice[-1].contact) == (not is_created, content)


@given(contents, contents, contents)
def test_undoing_loses_no_later_edit(before: Contact, run: Contact, since: Contact) -> None:
    """Every field that somebody changed after the run keeps the value they gave it, and a second time is nothing."""
    versions = history(("a", before), ("b", run), ("c", since))
    step = the_step("b", versions)
    assert all(step.contact.get(name) == since.get(name) for name in since.differing(run))
    assert all(step.contact.get(name) in (before.get(name), since.get(name)) for name in NAMES)
    again = plan_undo("b", [undone("b", versions)])
    assert again.moving == ()


@given(st.permutations([1, 2, 3]))
def test_the_plan_does_not_depend_on_the_order(order: list[int]) -> None:
    """Histories may come in any order."""
    histories = {
        person: [replace(one, sync_id=guid(person)) for one in history(("a", grace()), ("b", grace(jobTitle="1")))]
        for person in order
    }
    assert plan_undo("b", [histories[person] for person in order]) == plan_undo(
        "b", [histories[one] for one in (1, 2, 3)]
    )


def test_a_steps_json_says_what_goes_back() -> None:
    """Contact, name, and every field with the value now and the value that it gets."""
    versions = history(("a", grace(jobTitle="1")), ("b", grace(jobTitle="2")))
    assert the_step("b", versions).to_json() == {
        "action": "changed",
        "sync_id": guid(1),
        "name": "Grace",
        "fields": {"jobTitle": {"from": "2", "to": "1"}},
        "kept": [],
        "reason": "",
    }


def test_a_deletion_that_somebody_repeated_stays() -> None:
    """What the run created and somebody deleted since needs no removing."""
    versions = history(("a", grace(jobTitle="1")), ("c", None))
    assert (the_step("a", versions).fate, the_step("a", versions).reason) == (Fate.KEPT, Reason.DELETED)
