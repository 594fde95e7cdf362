"""The form of a batch, both ways."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.graph.answers import Answer, Lost, UnreadableBodyError
from shared.graph.batch import Room, SubRequest, encode, take_apart

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def answer_to(entries: list[dict[str, object]]) -> bytes:
    return json.dumps({"responses": entries}).encode()


def test_a_body_goes_in_as_json_with_its_own_content_type() -> None:
    """Inner headers are not inherited from the outer request, so each carries its own."""
    request = SubRequest("m", "PATCH", "/users/m/contacts/1", {"If-Match": 'W/"x"'}, b'{"title":"Dr"}')
    entry = json.loads(encode([request]))["requests"][0]
    assert entry == {
        "id": "1",
        "method": "PATCH",
        "url": "/users/m/contacts/1",
        "headers": {"If-Match": 'W/"x"', "Content-Type": "application/json"},
        "body": {"title": "Dr"},
    }


def test_a_read_has_no_body() -> None:
    """A GET carries neither body nor content type."""
    entry = json.loads(encode([SubRequest("m", "GET", "/users")]))["requests"][0]
    assert entry == {"id": "1", "method": "GET", "url": "/users"}


@given(st.lists(st.tuples(st.integers(100, 599), JSON), min_size=1, max_size=20), st.randoms())
def test_answers_are_told_apart_in_any_order(parts: list[tuple[int, object]], dice: Random) -> None:
    """Each request gets its own answer, however Graph orders them."""
    entries: list[dict[str, object]] = [
        {"id": str(number), "status": status, "headers": {"X-Number": str(number)}, "body": body}
        for number, (status, body) in enumerate(parts, start=1)
    ]
    dice.shuffle(entries)
    answers = take_apart(answer_to(entries), len(parts))
    for number, (answer, (status, body)) in enumerate(zip(answers, parts, strict=True), start=1):
        assert isinstance(answer, Answer)
        assert (answer.status, json.loads(answer.body)) == (status, body)
        assert answer.ok or answer.headers["x-number"] == str(number)


def test_an_answer_that_is_missing_is_lost_and_not_empty() -> None:
    """A batch that forgets a request says nothing of it."""
    answers = take_apart(answer_to([{"id": "2", "status": 200, "body": {}}]), 3)
    assert [type(answer) for answer in answers] == [Lost, Answer, Lost]


@pytest.mark.parametrize(
    "entry",
    [
        {"id": "9", "status": 200},
        {"id": "0", "status": 200},
        {"id": "²", "status": 200},
        {"id": None, "status": 200},
        {"id": "1"},
        {"id": "1", "status": "fine"},
        {"status": 200},
        "text",
        None,
    ],
)
def test_an_odd_answer_hides_no_other(entry: object) -> None:
    """What cannot be read of one answer leaves the others as they are."""
    body = json.dumps({"responses": [entry, {"id": "2", "status": 200, "body": {"a": 1}}]}).encode()
    first, second = take_apart(body, 2)
    assert isinstance(first, Lost)
    assert isinstance(second, Answer)


@pytest.mark.parametrize("headers", [None, "text", ["Retry-After"], {"Retry-After": None}, {"Retry-After": {"a": 1}}])
def test_odd_headers_are_none(headers: object) -> None:
    """A refusal whose headers make no sense is a refusal without headers."""
    (answer,) = take_apart(answer_to([{"id": "1", "status": 429, "headers": headers, "body": {}}]), 1)
    assert isinstance(answer, Answer)
    assert (answer.status, dict(answer.headers)) == (429, {})


def test_half_a_surrogate_pair_in_a_header_hides_no_other() -> None:
    """Headers are read as tolerantly as bodies."""
    entry = '{"id":"1","status":429,"headers":{"Retry-After":"7","X-Odd":"\\ud83d"},"body":{}}'
    (answer,) = take_apart(b'{"responses":[' + entry.encode() + b"]}", 1)
    assert isinstance(answer, Answer)
    assert answer.headers["retry-after"] == "7"


def test_half_a_surrogate_pair_hides_no_other_answer() -> None:
    """Exchange stores UTF-16 and may send half a character; the rest of the batch is read all the same."""
    body = b'{"responses":[{"id":"1","status":200,"body":{"n":"a\\ud83d"}},{"id":"2","status":200,"body":{"n":"b"}}]}'
    first, second = take_apart(body, 2)
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert json.loads(first.body) == {"n": "a\N{REPLACEMENT CHARACTER}"}
    assert json.loads(second.body) == {"n": "b"}


@given(st.binary(max_size=60))
def test_rubbish_is_refused_as_a_whole(body: bytes) -> None:
    """Whatever bytes come, the outcome is answers or one clear error."""
    try:
        answers = take_apart(body, 2)
    except UnreadableBodyError:
        return
    assert len(answers) == 2


@given(st.lists(st.tuples(st.integers(0, 4_000_000), st.integers(0, 30_000_000)), max_size=40))
def test_a_batch_stays_within_its_room(sizes: list[tuple[int, int]]) -> None:
    """Number and bytes are bounded, but the first request always fits, or it could never be sent."""
    room, taken = Room(), 0
    total = 0
    for size, answer_bytes in sizes:
        request = SubRequest("m", "POST", "/x", body=b"x" * (size // 1000), answer_bytes=answer_bytes)
        if room.fits(request):
            room.take(request)
            taken, total = taken + 1, total + answer_bytes
    assert taken <= 20
    assert not sizes or taken >= 1
    assert taken <= 1 or total <= 16_000_000
