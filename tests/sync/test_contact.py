"""What is compared: every rule of the field table, and that what is written is what will be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sync.contact import (
    ADDRESS_PARTS,
    FIELDS,
    NOT_COMPARED,
    Contact,
    Email,
    FieldValue,
    PostalAddress,
    field_json,
    normalise,
    with_display_name,
)
from tests.builders import contact

CLEARED = [None, "", "   ", "\r\n", {}, [], [""], [None], {"city": ""}, [{"address": " ", "name": "Anna"}]]
WRONG = [7, True, 1.5, "no list", {"a": 1}, [[]], [{}], [7], {"street": ["x"]}, [{"address": 7}], object()]
OTHER_KIND: dict[str, object] = {
    "displayName": ["Anna"],
    "children": "Lea",
    "birthday": 19800501,
    "categories": {"a": 1},
}

words = st.text(min_size=1, max_size=8).filter(lambda text: text.strip() == text and "\r" not in text)
texts = st.lists(words, min_size=1, max_size=3)
values: dict[str, st.SearchStrategy[FieldValue]] = {
    "displayName": words,
    "businessPhones": texts.map(tuple),
    "emailAddresses": st.lists(st.builds(Email, words, words), min_size=1, max_size=3).map(tuple),
    "homeAddress": st.tuples(words, words, words, words, words).map(PostalAddress),
    "birthday": st.dates().map(lambda date: date.isoformat()),
    "categories": texts.map(frozenset),
}


@pytest.mark.parametrize("raw", CLEARED, ids=repr)
@pytest.mark.parametrize("field", FIELDS)
def test_every_way_to_say_nothing_is_absent(field: str, raw: object) -> None:
    """Null, empty text, {}, [] and lists of nothing mean what a missing key means."""
    assert normalise({field: raw}) == normalise({})


@pytest.mark.parametrize("raw", WRONG, ids=lambda raw: type(raw).__name__)
@pytest.mark.parametrize("field", ["businessPhones", "emailAddresses", "homeAddress", "birthday", "categories"])
def test_a_wrong_type_counts_as_absent(field: str, raw: object) -> None:
    """What cannot be such a field is not taken for one."""
    assert normalise({field: raw}).get(field) is None


@pytest.mark.parametrize(("field", "raw"), OTHER_KIND.items())
def test_another_fields_type_counts_as_absent(field: str, raw: object) -> None:
    """A list where a text belongs, or the other way round, says nothing."""
    assert normalise({field: raw}).get(field) is None


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("displayName", " Anna Meier ", "Anna Meier"),
        ("jobTitle", "a\r\nb", "a\nb"),
        ("jobTitle", "a\rb", "a\nb"),
        ("businessPhones", [" +41 1 ", "", None], ["+41 1"]),
        ("emailAddresses", [{"address": "Anna@X.org", "name": "A"}], [{"address": " anna@x.org", "name": "B"}]),
        ("emailAddresses", [{"address": "a@x.org"}, {"name": "no address"}, 7], [{"address": "a@x.org"}]),
        ("homeAddress", {"city": " Bern ", "street": None}, {"city": "Bern", "street": "", "postalCode": ""}),
        ("birthday", "1980-05-01T11:59:00Z", "1980-05-01T00:00:00Z"),
        ("categories", ["b", "a", "a"], ["a", "b"]),
    ],
)  # fmt: skip
def test_what_means_the_same_is_equal(field: str, one: object, other: object) -> None:
    """Differences that no person made are none."""
    assert normalise({field: one}) == normalise({field: other})
    assert normalise({field: one}).get(field) is not None


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        ("displayName", "Anna", "anna"),
        ("businessPhones", ["1", "2"], ["2", "1"]),
        ("emailAddresses", [{"address": "a@x"}, {"address": "b@x"}], [{"address": "b@x"}, {"address": "a@x"}]),
        ("homeAddress", {"city": "Bern"}, {"state": "Bern"}),
        ("birthday", "1980-05-01T11:59:00Z", "1980-05-02T11:59:00Z"),
        ("categories", ["a"], ["a", "b"]),
    ],
)  # fmt: skip
def test_what_a_person_changed_differs(field: str, one: object, other: object) -> None:
    """Case of a name, order of numbers and addresses, each part and each day count."""
    assert normalise({field: one}).differing(normalise({field: other})) == {field}


@pytest.mark.parametrize("raw", ["soon", "1980-13-01T00:00:00Z", "1980", "T11:59:00Z"])
def test_a_birthday_that_is_no_date_is_absent(raw: str) -> None:
    """What Graph would refuse to store is never carried on."""
    assert normalise({"birthday": raw}).get("birthday") is None


@pytest.mark.parametrize("field", NOT_COMPARED)
def test_what_is_not_compared_is_not_read(field: str) -> None:
    """Notes, times, ids and what Exchange computes are no part of the contact."""
    assert normalise({field: "something"}) == normalise({})


def test_nothing_is_both_compared_and_not() -> None:
    """The two tables do not overlap, and every entry of them has its reason."""
    assert FIELDS.keys().isdisjoint(NOT_COMPARED)
    assert all([*NOT_COMPARED.values(), *(kind.reason for kind in FIELDS.values())])


def test_properties_that_graph_may_add_are_left_out() -> None:
    """An unknown property is nobody's field."""
    assert normalise({"@odata.etag": "x", "gender": "x", "displayName": "Anna"}) == contact("Anna")


@pytest.mark.parametrize(
    ("categories", "kept"),
    [
        (["All Contacts", "Friends"], {"Friends"}),
        (["all contacts"], set()),
        (["Friends"], {"Friends"}),
        (["All Contacts 2"], {"All Contacts 2"}),
        ([], set()),
    ],
)
def test_the_hub_folders_name_is_no_category(categories: list[str], kept: set[str]) -> None:
    """Graph may inject the folder's name, in whatever case; nobody chose it."""
    found = normalise({"categories": categories}, without_categories=["All Contacts"])
    assert found.categories == kept
    assert ("categories" in found.fields) == bool(kept)


def test_the_name_of_an_address_is_carried() -> None:
    """It is not compared, but a new card gets it."""
    raw = [{"address": "anna@x.org", "name": "Anna Meier"}]
    assert field_json("emailAddresses", normalise({"emailAddresses": raw}).get("emailAddresses")) == raw


def test_an_address_without_a_name_is_written_under_its_own() -> None:
    """Graph wants a name; the address is the one that it would make itself."""
    value = normalise({"emailAddresses": [{"address": "anna@x.org"}]}).get("emailAddresses")
    assert field_json("emailAddresses", value) == [{"address": "anna@x.org", "name": "anna@x.org"}]


def test_equal_addresses_are_one_in_a_set() -> None:
    """Comparing and hashing agree, and an address is not equal to its text."""
    assert {Email("Anna@x.org", "A"), Email("anna@X.org", "B")} == {Email("anna@x.org")}
    assert Email("anna@x.org") != "anna@x.org"


@given(st.fixed_dictionaries({}, optional=values))
def test_what_is_written_is_what_is_read(fields: dict[str, FieldValue]) -> None:
    """Writing every field and reading it back gives the same contact."""
    body = {field: field_json(field, fields.get(field)) for field in FIELDS}
    assert normalise(body) == Contact(fields)


@pytest.mark.parametrize("field", FIELDS)
def test_clearing_a_field_makes_it_absent(field: str) -> None:
    """What is written for a cleared field is read as absent; lists are emptied, for null is refused there."""
    cleared = field_json(field, None)
    assert normalise({field: cleared}).get(field) is None
    assert cleared is None or cleared == [] or cleared == dict.fromkeys(ADDRESS_PARTS)


def test_normalising_twice_changes_nothing() -> None:
    """A normalised value is normal."""
    raw = {"displayName": " Anna ", "children": [" Lea "], "homeAddress": {"city": " Bern "}, "categories": ["b", "a"]}
    once = normalise(raw)
    assert normalise({field: field_json(field, value) for field, value in once.fields.items()}) == once


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"displayName": "Anna M.", "givenName": "Anna"}, "Anna M."),
        (
            {"title": "Dr.", "givenName": "Anna", "middleName": "B.", "surname": "Meier", "generation": "Jr."},
            "Dr. Anna B. Meier Jr.",
        ),
        ({"surname": "Meier", "companyName": "Fabrikam"}, "Meier"),
        ({"companyName": "Fabrikam"}, "Fabrikam"),
        ({"emailAddresses": [{"address": "Anna@X.org"}]}, "anna@x.org"),
        ({"mobilePhone": "1"}, ""),
    ],
)  # fmt: skip
def test_a_contact_without_a_display_name_gets_one(fields: dict[str, object], name: str) -> None:
    """Its names, else its company, else its address: the same in every mailbox, unlike what Exchange would make."""
    assert with_display_name(normalise(fields)).text("displayName") == name


def test_what_is_absent_reads_as_nothing() -> None:
    """An empty contact has no text, no address and no category."""
    nobody = normalise({"children": ["Lea"]})
    assert (nobody.text("displayName"), nobody.text("children"), nobody.primary_email) == ("", "", "")
    assert nobody.categories == frozenset()
