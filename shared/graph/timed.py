"""Whether Graph's clock and ours agree, told by the answers that come anyway."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from shared.graph.answers import Answer, Lost
from shared.graph.dispatcher import Wire
from shared.ports import Clock, Traffic


class Timed:
    """A way to Graph that compares each answer's Date with the clock, and notes the difference in the traffic.

    The header is whole seconds, and the answer was under way for a moment: a second or two mean nothing.
    """

    def __init__(self, wire: Wire, clock: Clock, traffic: Traffic) -> None:
        self._wire, self._clock, self._traffic = wire, clock, traffic
        self._told = ""

    @property
    def base_url(self) -> str:
        """Graph's address with the version."""
        return self._wire.base_url

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer | Lost:
        """Send one HTTP request."""
        answer = await self._wire.send(method, url, headers, body)
        if isinstance(answer, Answer) and (told := answer.headers.get("date", "")) != self._told:
            self._told = told
            self._compare(told)
        return answer

    def _compare(self, told: str) -> None:
        """Note the difference; of the many answers of one second the first says all."""
        if date := _moment(told):
            self._traffic.ahead_seconds = (date - self._clock.now()).total_seconds()

    def renew_token(self) -> None:
        """Ask for a fresh token before the next request."""
        self._wire.renew_token()


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
