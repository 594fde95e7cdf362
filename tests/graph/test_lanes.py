"""Whose request is sent next, and with whom."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.graph.batch import Room
from shared.graph.budget import Budgets
from shared.graph.lanes import Lanes, Waiting
from tests.graph.model import Traffic, waiting

LATENCY = 0.05


def boxes(batch: list[Waiting]) -> list[str]:
    """Whom a batch is for."""
    return [item.request.mailbox for item in batch]


def paths(batch: list[Waiting]) -> list[str]:
    """What a batch asks for."""
    return [item.request.path for item in batch]


def test_the_last_batch_takes_of_everybody() -> None:
    """When only one batch may go, a mailbox with much to do shares it with those who have little."""
    lanes = Lanes()
    for mailbox in ["busy"] * 30 + ["anna", "ben"]:
        lanes.add(waiting(mailbox))
    assert boxes(lanes.take(Room(), 0.0)) == ["busy"] * 4 + ["anna", "ben"]


def test_a_busy_mailbox_travels_alone() -> None:
    """With batches to spare, a mailbox that fills its places has one to itself, and the others share one."""
    lanes = Lanes()
    for mailbox in ["anna", "ben", *["busy"] * 5, *["full"] * 4, "chris"]:
        lanes.add(waiting(mailbox))
    assert boxes(lanes.take(Room(), 0.0, 8)) == ["anna", "ben", "chris"]
    assert boxes(lanes.take(Room(), 0.0, 7)) == ["busy"] * 4
    assert boxes(lanes.take(Room(), 0.0, 6)) == ["full"] * 4
    assert lanes.take(Room(), 0.0, 5) == []


def test_busy_mailboxes_share_when_batches_are_scarce() -> None:
    """Six busy mailboxes and two batches make three to a batch; then nobody is left behind."""
    lanes = Lanes()
    for mailbox in "abcdef":
        for _ in range(4):
            lanes.add(waiting(mailbox))
    assert boxes(lanes.take(Room(), 0.0, 2)) == list("aaaabbbbcccc")
    assert boxes(lanes.take(Room(), 0.0, 1)) == list("ddddeeeeffff")


def test_twenty_requests_of_twenty_mailboxes_are_one_batch() -> None:
    """Little work of many mailboxes saves round trips, however many batches might go."""
    lanes = Lanes()
    for number in range(45):
        lanes.add(waiting(f"m{number}"))
    assert [len(lanes.take(Room(), 0.0, 64)) for _ in range(4)] == [20, 20, 5, 0]


def test_who_is_patient_lets_a_few_wait_for_company() -> None:
    """Small requests go when they fill a batch, or when nobody is patient any more; a busy mailbox never waits."""
    lanes = Lanes()
    for number in range(25):
        lanes.add(waiting(f"light {number}"))
    assert len(lanes.take(Room(), 0.0, 8, patient=True)) == 20
    for _ in range(4):
        lanes.add(waiting("busy"))
    assert boxes(lanes.take(Room(), 0.0, 8, patient=True)) == ["busy"] * 4
    assert lanes.take(Room(), 0.0, 8, patient=True) == []
    assert lanes.some_wait_for_company
    assert [len(lanes.take(Room(), 0.0, 8)) for _ in range(3)] == [4, 1, 0]
    assert not lanes.some_wait_for_company


def test_while_somebody_is_busy_little_work_goes_four_to_a_batch() -> None:
    """A batch of four is back after one latency: who has little left is not kept five times as long to save batches."""
    lanes = Lanes()
    for mailbox in ["busy"] * 4 + [f"light {number}" for number in range(10)]:
        lanes.add(waiting(mailbox))
    assert lanes.is_hurried
    assert [len(lanes.take(Room(), 0.0, batches)) for batches in (9, 8, 7, 6)] == [4, 4, 4, 2]


def test_what_is_left_of_much_work_is_in_a_hurry_too() -> None:
    """The last requests of busy mailboxes are few; only when all is done there is time again."""
    lanes = Lanes()
    for mailbox in [*["busy"] * 5, "light"]:
        lanes.add(waiting(mailbox))
    sent = boxes(lanes.take(Room(), 0.0))
    for mailbox in sent[:4]:
        lanes.done(mailbox)
    assert boxes(lanes.take(Room(), 0.0)) == ["busy"]
    assert lanes.is_hurried
    for mailbox in [*sent[4:], "busy"]:
        lanes.done(mailbox)
    assert not lanes.is_hurried


def test_where_batches_are_scarce_little_work_shares_them_all_the_same() -> None:
    """Somebody busy does not make others wait for a batch to come back."""
    lanes = Lanes()
    for mailbox in [f"light {number}" for number in range(30)] + ["busy"] * 4:
        lanes.add(waiting(mailbox))
    assert [len(lanes.take(Room(), 0.0, batches)) for batches in (3, 2, 1)] == [10, 10, 14]


def test_where_all_are_busy_patience_holds_up_nobody() -> None:
    """Mailboxes that asked for little before they asked for much go at once, and nobody waits for their company."""
    lanes = Lanes()
    for number in range(20):
        for _ in range(4):
            lanes.add(waiting(f"m{number}"))
    assert not lanes.some_wait_for_company
    lanes.add(waiting("light"))
    assert [len(lanes.take(Room(), 0.0, 64, patient=True)) for _ in range(21)] == [4] * 20 + [0]
    assert boxes(lanes.take(Room(), 0.0, 64)) == ["light"]


def test_four_at_a_time() -> None:
    """The fifth request of a mailbox waits for the first to come back, in whatever batch."""
    lanes = Lanes()
    for number in range(6):
        lanes.add(waiting("hub", f"/{number}"))
    assert paths(lanes.take(Room(), 0.0)) == ["/0", "/1", "/2", "/3"]
    assert lanes.take(Room(), 0.0) == []
    lanes.done("hub")
    assert paths(lanes.take(Room(), 0.0)) == ["/4"]


def test_a_paused_mailbox_rests_alone_and_comes_back_slowly() -> None:
    """Throttling of one mailbox leaves the others running, ends with the longest wait, and is followed by no rush."""
    lanes = Lanes()
    for mailbox in ["slow"] * 9 + ["quick"]:
        lanes.add(waiting(mailbox))
    lanes.pause("slow")
    lanes.pause("slow")
    assert boxes(lanes.take(Room(), 0.0)) == ["quick"]
    lanes.resume("slow")
    assert lanes.take(Room(), 0.0) == []
    lanes.resume("slow")
    rounds = []
    for _ in range(4):
        batch = boxes(lanes.take(Room(), 0.0))
        rounds.append(len(batch))
        for mailbox in batch:
            lanes.done(mailbox)
    assert rounds == [1, 2, 4, 2]


def test_what_nobody_waits_for_is_not_sent() -> None:
    """A cancelled request leaves its place to the next."""
    lanes = Lanes()
    gone = waiting("anna", "/gone")
    lanes.add(gone)
    lanes.add(waiting("anna", "/next"))
    gone.future.cancel()
    assert paths(lanes.take(Room(), 0.0)) == ["/next"]


def test_a_suspect_travels_alone() -> None:
    """A request that may have spoilt a batch gets one to itself, and stays next in turn."""
    lanes = Lanes()
    lanes.add(waiting("anna"))
    lanes.add(waiting("suspect", alone=True))
    lanes.add(waiting("ben"))
    assert boxes(lanes.take(Room(), 0.0)) == ["anna", "ben"]
    assert boxes(lanes.take(Room(), 0.0)) == ["suspect"]


def test_a_mailbox_whose_budget_is_spent_waits_by_itself() -> None:
    """The hub rests until its window has moved on; whoever else has work is served meanwhile."""
    lanes = Lanes(budgets=Budgets(3))
    for mailbox in ["hub"] * 5 + ["anna"] * 2:
        lanes.add(waiting(mailbox))
    assert sorted(boxes(lanes.take(Room(), 100.0))) == ["anna"] * 2 + ["hub"] * 3
    for _ in range(3):
        lanes.done("hub")
    assert lanes.take(Room(), 101.0) == []
    assert lanes.opens_at == 710.0
    lanes.add(waiting("anna"))
    assert boxes(lanes.take(Room(), 102.0)) == ["anna"]
    assert boxes(lanes.take(Room(), 710.0)) == ["hub"] * 2
    assert lanes.opens_at is None


def test_lanes_of_one_tenant_share_a_mailboxs_budget() -> None:
    """What another run has sent counts, also while a mailbox waits here."""
    budgets = Budgets(3)
    one, other = Lanes(budgets=budgets), Lanes(budgets=budgets)
    for lanes in (one, other):
        for _ in range(2):
            lanes.add(waiting("hub"))
    assert len(one.take(Room(), 100.0)) == 2
    assert len(other.take(Room(), 100.0)) == 1
    assert other.opens_at == 710.0
    one.add(waiting("hub"))
    assert len(one.take(Room(), 710.0)) + len(other.take(Room(), 710.0)) == 2


@given(st.lists(st.sampled_from("abcdef"), max_size=120), st.integers(1, 30))
def test_everything_is_sent_once_and_in_order(mailboxes: list[str], batches: int) -> None:
    """Whatever the mix, each request comes out once, in its mailbox's order, at most 20 and 4 a mailbox at a time."""
    lanes = Lanes()
    for number, mailbox in enumerate(mailboxes):
        lanes.add(waiting(mailbox, f"/{number:04}"))
    sent: list[Waiting] = []
    while batch := lanes.take(Room(), 0.0, batches):
        assert len(batch) <= 20
        assert max(Counter(boxes(batch)).values()) <= 4
        sent += batch
        for item in batch:
            lanes.done(item.request.mailbox)
    assert len(sent) == len(mailboxes)
    for mailbox in set(mailboxes):
        mine = [item.request.path for item in sent if item.request.mailbox == mailbox]
        assert mine == sorted(mine)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 30_000_000)), max_size=60), st.integers(1, 9))
def test_the_answers_that_a_batch_may_bring_are_bounded(asked: list[tuple[str, int]], batches: int) -> None:
    """No batch expects more bytes than its room holds, but for a request that is too large for any."""
    lanes = Lanes()
    for mailbox, size in asked:
        lanes.add(waiting(mailbox, answer_bytes=size))
    count = 0
    while batch := lanes.take(Room(), 0.0, batches):
        assert len(batch) == 1 or sum(item.request.answer_bytes for item in batch) <= Room().answer_bytes
        count += len(batch)
        for item in batch:
            lanes.done(item.request.mailbox)
    assert count == len(asked)


def test_twenty_mailboxes_get_all_that_four_at_a_time_allow() -> None:
    """At saturation a batch lasts one latency: 20 mailboxes of 50 ms answer 1,600 requests a second."""
    model = Traffic(Lanes(), lambda mailbox: LATENCY, batches=64)
    for number in range(20):
        model.add(f"m{number}")
    model.run(10.0)
    assert sum(model.answered.values()) / model.now >= 0.99 * 20 * 4 / LATENCY
    assert set(model.most_out.values()) == {4}


def test_scarce_batches_are_full_and_shared_fairly() -> None:
    """A thousand busy mailboxes and ten batches: twenty requests in each, and the same for everybody."""
    model = Traffic(Lanes(), lambda mailbox: LATENCY, batches=10)
    for number in range(1000):
        model.add(f"m{number:03}")
    model.run(30.0)
    assert set(model.sizes) == {20}
    assert sum(model.answered.values()) / model.now >= 0.99 * 10 * 4 / LATENCY
    assert max(model.answered.values()) - min(model.answered.values()) <= 4


def test_a_slow_mailbox_holds_up_nobody() -> None:
    """One mailbox that takes a hundred times as long costs the others nothing."""
    model = Traffic(Lanes(), lambda mailbox: 100 * LATENCY if mailbox == "slow" else LATENCY, batches=64)
    for number in range(19):
        model.add(f"m{number}")
    model.add("slow")
    model.run(20.0)
    del model.answered["slow"]
    assert min(model.answered.values()) / model.now >= 0.99 * 4 / LATENCY


def test_a_spent_hub_holds_up_nobody() -> None:
    """The hub has its share of every ten minutes and no more, while a spoke goes on at full speed."""
    model = Traffic(Lanes(budgets=Budgets(960)), lambda mailbox: 10 * LATENCY, batches=64)
    model.add("hub")
    model.add("anna", 1)
    model.run(3000.0)
    assert 0.9 * 5 * 960 <= model.answered["hub"] <= 6 * 960
    assert model.answered["anna"] <= 6 * 960


@given(
    st.lists(st.tuples(st.sampled_from([0.05, 0.1, 0.2]), st.integers(1, 6)), min_size=1, max_size=30),
    st.integers(1, 30),
)
def test_nobody_starves(people: list[tuple[float, int]], batches: int) -> None:
    """With any number of mailboxes, of any speed and with any amount of work, everybody is answered."""
    speed = {f"m{number}": latency for number, (latency, _) in enumerate(people)}
    model = Traffic(Lanes(), speed.__getitem__, batches)
    for mailbox, (_, requests) in zip(speed, people, strict=True):
        model.add(mailbox, requests)
    model.run(2 * 0.2 * 5 * (1 + len(people) / (5 * batches)))
    assert all(model.answered[mailbox] for mailbox in speed)
    assert max(model.most_out.values()) <= 4


class LanesMachine(RuleBasedStateMachine):
    """Any order of adding, taking, answering, pausing and resuming keeps the limits and forgets nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes = Lanes()
        self.queued: Counter[str] = Counter()
        self.out: Counter[str] = Counter()
        self.width: dict[str, int] = {}
        self.paused: Counter[str] = Counter()

    def sendable(self) -> int:
        """How many requests could be sent now."""
        return sum(
            max(0, min(self.queued[m], self.width.get(m, 4) - self.out[m])) for m in self.queued if not self.paused[m]
        )

    @rule(mailbox=st.sampled_from("abcdefg"), first=st.booleans(), count=st.integers(1, 5))
    def add(self, mailbox: str, *, first: bool, count: int) -> None:
        if not (self.queued[mailbox] or self.out[mailbox] or self.paused[mailbox]):
            self.width.pop(mailbox, None)
        for _ in range(count):
            self.lanes.add(waiting(mailbox), first=first)
        self.queued[mailbox] += count

    @rule(batches=st.integers(1, 6))
    def send(self, batches: int) -> None:
        """No batch is held back, and the last one no place, while something may be sent."""
        for left in range(batches, 0, -1):
            before = self.sendable()
            batch = self.lanes.take(Room(), 0.0, left)
            assert bool(batch) == bool(before)
            assert left > 1 or len(batch) == min(20, before)
            for mailbox in boxes(batch):
                assert not self.paused[mailbox]
                self.queued[mailbox] -= 1
                self.out[mailbox] += 1

    @precondition(lambda self: any(self.out.values()))
    @rule(data=st.data(), well=st.booleans())
    def answer(self, data: st.DataObject, *, well: bool) -> None:
        mailbox = data.draw(st.sampled_from(sorted(m for m in self.out if self.out[m])))
        self.lanes.done(mailbox, well=well)
        self.out[mailbox] -= 1
        if mailbox in self.width and well:
            self.width[mailbox] = min(4, self.width[mailbox] + 1)

    @rule(mailbox=st.sampled_from("abcdefg"))
    def pause(self, mailbox: str) -> None:
        self.lanes.pause(mailbox)
        self.paused[mailbox] += 1
        self.width[mailbox] = 1

    @precondition(lambda self: any(self.paused.values()))
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        mailbox = data.draw(st.sampled_from(sorted(m for m in self.paused if self.paused[m])))
        self.lanes.resume(mailbox)
        self.paused[mailbox] -= 1

    @invariant()
    def four_at_most(self) -> None:
        assert all(count <= 4 for count in self.out.values())


TestLanesMachine = LanesMachine.TestCase
