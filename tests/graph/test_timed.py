"""Whether Graph's clock and ours agree."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from shared.graph.answers import Answer, Lost
from shared.graph.timed import Timed
from shared.ports import Traffic
from tests.emulator.clock import EmulatorClock

NOW = datetime(2026, 1, 5, 12, 0, 0, tzinfo=UTC)


class Wire:
    """A way to Graph with one answer."""

    base_url = "https://graph/v1.0"

    def __init__(self, answer: Answer | Lost) -> None:
        self.answer = answer
        self.renewed = 0

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer | Lost:
        return self.answer

    def renew_token(self) -> None:
        self.renewed += 1


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        ("Mon, 05 Jan 2026 12:02:00 GMT", 120),
        ("Mon, 05 Jan 2026 11:59:00 -0000", -60),
        ("Mon, 05 Jan 2026 13:00:00 +0100", 0),
        ("yesterday", None),
        ("", None),
    ],
)
async def test_the_date_of_an_answer_is_compared_with_the_clock(date: str, ahead: float | None) -> None:
    """In seconds; a header that is no date says nothing."""
    traffic, wire = Traffic(), Wire(Answer(429, {"date": date}))
    timed = Timed(wire, EmulatorClock(NOW), traffic)
    assert await timed.send("GET", "u", {}, b"") is wire.answer
    assert traffic.ahead_seconds == ahead


async def test_a_lost_answer_leaves_what_was_known() -> None:
    """And all else passes through."""
    traffic, wire = Traffic(ahead_seconds=5), Wire(Lost("gone"))
    timed = Timed(wire, EmulatorClock(NOW), traffic)
    assert await timed.send("GET", "u", {}, b"") is wire.answer
    timed.renew_token()
    assert (traffic.ahead_seconds, timed.base_url, wire.renewed) == (5, wire.base_url, 1)
