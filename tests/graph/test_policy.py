"""The retry policy: what each answer asks for, and how long to wait."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.graph.faults import Fault
from shared.graph.policy import (
    LONGEST_TRY_SECONDS,
    LONGEST_WAIT_SECONDS,
    MANY,
    RULES,
    Action,
    Attempt,
    Chance,
    decide,
    parse_retry_after,
    wait_seconds,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHANCE = Chance(NOW, 0.5)
METHODS = st.sampled_from(["GET", "POST", "PATCH", "DELETE"])


@pytest.mark.parametrize(
    ("fault", "get", "post"),
    [
        (Fault(429), Action.RETRY, Action.VERIFY),
        (Fault(424), Action.RETRY, Action.VERIFY),
        (Fault(500), Action.RETRY, Action.VERIFY),
        (Fault(502), Action.RETRY, Action.VERIFY),
        (Fault(503), Action.RETRY, Action.VERIFY),
        (Fault(504), Action.RETRY, Action.VERIFY),
        (Fault(0), Action.RETRY, Action.VERIFY),
        (Fault(500, ("errortoomanyobjectsopened",)), Action.RETRY, Action.VERIFY),
        (Fault(400, message="io error during request payload read"), Action.RETRY, Action.RETRY),
        (Fault(400, ("requestbodyread",)), Action.RETRY, Action.RETRY),
        (Fault(404, ("errorinvaliduser",)), Action.RETRY, Action.RETRY),
        (Fault(401), Action.RENEW_TOKEN, Action.RENEW_TOKEN),
        (Fault(400), Action.GIVE_UP, Action.GIVE_UP),
        (Fault(403), Action.GIVE_UP, Action.GIVE_UP),
        (Fault(404), Action.GIVE_UP, Action.GIVE_UP),
        (Fault(409), Action.GIVE_UP, Action.GIVE_UP),
        (Fault(410), Action.GIVE_UP, Action.GIVE_UP),
        (Fault(412), Action.RETRY, Action.GIVE_UP),
        (Fault(412, ("errorirresolvableconflict",)), Action.RETRY, Action.GIVE_UP),
        (Fault(413), Action.GIVE_UP, Action.GIVE_UP),
        (Fault(500, ("errorcorruptdata",)), Action.GIVE_UP, Action.GIVE_UP),
        (Fault(302), Action.GIVE_UP, Action.GIVE_UP),
        (Fault(599), Action.GIVE_UP, Action.GIVE_UP),
    ],
)
def test_each_answer_has_its_action(fault: Fault, get: Action, post: Action) -> None:
    """Reads are repeated when that can help, creates of unknown fate are looked up, the unknown is final."""
    assert decide(fault, Attempt("GET"), CHANCE).action is get
    assert decide(fault, Attempt("POST"), CHANCE).action is post


@given(st.integers(0, 599), METHODS, st.integers(MANY, 50), st.floats(0, 1e6))
def test_attempts_are_bounded(status: int, method: str, number: int, elapsed: float) -> None:
    """After the last attempt nothing is sent again, whatever the answer."""
    attempt = Attempt(method, number, elapsed, renewed=True)
    assert decide(Fault(status), attempt, CHANCE).action in (Action.GIVE_UP, Action.VERIFY)


@given(st.sampled_from([429, 500, 503, 504, 0]))
def test_time_is_bounded(status: int) -> None:
    """A request that was tried for long enough is given up, even on its second attempt."""
    assert decide(Fault(status), Attempt("GET", 2, LONGEST_TRY_SECONDS), CHANCE).action is Action.GIVE_UP


@given(st.integers(0, 599), st.integers(1, 20))
def test_a_create_that_may_have_happened_is_never_just_sent_again(status: int, number: int) -> None:
    """For a POST, 'retry' is only ever said where the write surely was not done."""
    verdict = decide(Fault(status), Attempt("POST", number), CHANCE)
    assert verdict.action is not Action.RETRY


@given(st.integers(0, 599), st.sampled_from(["PATCH", "DELETE"]), st.integers(1, 20), st.booleans())
def test_a_change_of_a_card_is_never_just_sent_again(status: int, method: str, number: int, sent: bool) -> None:
    """It was decided on the card as it was before the wait: the card is looked at first, or the write is given up."""
    assert decide(Fault(status), Attempt(method, number, sent=sent), CHANCE).action is not Action.RETRY


@given(st.integers(2, MANY - 1))
def test_a_wait_that_was_not_enough_grows(number: int) -> None:
    """Graph was seen to say "1" for minutes: asked again and again, it is left alone for longer."""
    assert wait_seconds("1", number, CHANCE) >= 2 ** (number - 1)


def test_a_conflict_is_a_reads_own_mishap_and_a_writes_answer() -> None:
    """Nothing is lost by reading again, three times in all; a write has to be decided anew by whoever sent it."""
    conflict = Fault(412, ("errorirresolvableconflict",))
    actions = [decide(conflict, Attempt("GET", number), CHANCE).action for number in (1, 2, 3)]
    assert actions == [Action.RETRY, Action.RETRY, Action.GIVE_UP]
    for method in ("PATCH", "DELETE"):
        assert decide(conflict, Attempt(method), CHANCE).action is Action.GIVE_UP


def test_a_create_that_never_left_is_sent_again() -> None:
    """A refused connection carried nothing: no look-up is needed."""
    assert decide(Fault(0), Attempt("POST", sent=False), CHANCE).action is Action.RETRY


def test_a_token_is_renewed_once() -> None:
    """The second 401 in a row is final."""
    assert decide(Fault(401), Attempt("GET", renewed=True), CHANCE).action is Action.GIVE_UP


@pytest.mark.parametrize("status", [400, 413])
def test_a_refused_batch_is_taken_apart(status: int) -> None:
    """One request that spoils a batch is found by sending each alone; alone, the refusal is its own."""
    whole = Fault(status, whole_batch=True)
    assert decide(whole, Attempt("POST", alone=False), CHANCE).action is Action.ISOLATE
    assert decide(whole, Attempt("POST", alone=True), CHANCE).action is Action.GIVE_UP


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("2.128", 2.128),
        ("0", 0.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_any_form(header: str | None, seconds: float | None) -> None:
    """Integer, fraction and date are obeyed; nonsense counts as missing."""
    assert parse_retry_after(header, NOW) == seconds


@given(st.one_of(st.none(), st.text(max_size=40), st.floats().map(str)), st.integers(-3, 2000), st.floats(0, 1))
def test_waits_are_sane_whatever_graph_says(header: str | None, number: int, jitter: float) -> None:
    """No header can make us wait for ever, or not at all where it says nothing."""
    wait = wait_seconds(header, number, Chance(NOW, jitter))
    assert 0 <= wait <= LONGEST_WAIT_SECONDS
    if parse_retry_after(header, NOW) is None:
        assert wait >= 1.0


@given(st.floats(0, LONGEST_WAIT_SECONDS), st.floats(0, 1))
def test_graph_is_never_asked_again_too_early(asked: float, jitter: float) -> None:
    """The wait is at least what Retry-After says, up to the cap."""
    assert wait_seconds(repr(asked), 1, Chance(NOW, jitter)) >= asked


@given(st.integers(1, 30), st.floats(0, 1))
def test_back_off_grows(number: int, jitter: float) -> None:
    """Without Retry-After each wait is at least as long as the one before it without jitter."""
    assert wait_seconds(None, number + 1, Chance(NOW, jitter)) >= wait_seconds(None, number, Chance(NOW, 0))


@pytest.mark.parametrize(
    ("status", "header", "throttled"),
    [
        (429, None, True),
        (503, None, False),
        (503, "soon", False),
        (503, "120", True),
        (503, format_datetime(NOW + timedelta(seconds=90), usegmt=True), True),
        (502, "120", False),
    ],
)
def test_only_throttling_pauses_a_mailbox(status: int, header: str | None, throttled: bool) -> None:
    """A gateway error is that request's; a 429, or a 503 that says how long to wait, is everybody's in that mailbox."""
    headers = {} if header is None else {"retry-after": header}
    assert decide(Fault(status), Attempt("GET"), CHANCE, headers).throttled is throttled


def test_every_rule_says_why() -> None:
    """The table is read by people."""
    assert all(rule.why for rule in RULES)
