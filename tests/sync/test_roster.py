"""Whose mailboxes take part."""

import pytest

from shared.sync.roster import Roster, User, enrol

HUB = User("id-hub", "Shared@contoso.com", "shared@contoso.com", ("all@contoso.com",))
ANN = User("id-ann", "ann@contoso.com")
BEN = User("id-ben", "ben@contoso.com")
KNOWN = {name.lower(): user for user in (HUB, ANN, BEN) for name in (user.user_id, user.user_principal_name, user.mail)}


def chosen(*names: str) -> Roster:
    """The roster of these names, as a directory that knows users by any of their names finds them."""
    return enrol([], HUB, names, {name: KNOWN.get(name.lower()) for name in names})


def test_all_licensed_users_but_the_shared_mailbox() -> None:
    """A shared mailbox with a licence is no spoke; the order is always the same."""
    assert enrol([BEN, HUB, ANN], HUB, [], {}) == Roster((ANN, BEN), ())


@pytest.mark.parametrize("name", ["Shared@contoso.com", "SHARED@CONTOSO.COM", "id-hub", "shared@contoso.com"])
def test_the_shared_mailbox_is_never_a_spoke(name: str) -> None:
    """However it is named among the chosen: UPN in any case, object id, e-mail address."""
    assert chosen(name, "ann@contoso.com") == Roster((ANN,), ())
    assert chosen(name).users == ()


def test_a_user_named_twice_takes_part_once() -> None:
    """By UPN and by id, or twice in the directory's list."""
    assert chosen("ann@contoso.com", "ANN@contoso.com", "id-ann") == Roster((ANN,), ())
    assert enrol([ANN, BEN, ANN], HUB, [], {}).users == (ANN, BEN)


def test_unknown_names_are_given_back() -> None:
    """In the order in which they were chosen, for the report; the others take part."""
    assert chosen("zoe@contoso.com", "ben@contoso.com", "adam@contoso.com") == Roster(
        (BEN,), ("zoe@contoso.com", "adam@contoso.com")
    )


def test_a_name_that_was_not_looked_up_is_unknown() -> None:
    """Nobody is enrolled on trust."""
    assert enrol([ANN], HUB, ["ben@contoso.com"], {}) == Roster((), ("ben@contoso.com",))


def test_chosen_users_replace_the_licensed_ones() -> None:
    """Whether they have a licence or not."""
    assert enrol([ANN], HUB, ["ben@contoso.com"], {"ben@contoso.com": BEN}).users == (BEN,)
