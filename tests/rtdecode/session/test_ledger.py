from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtdecode.schema.messages import Gap, Stamped
from rtdecode.session.ledger import Ledger

Message = Callable[..., Stamped]
FIXTURES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@FIXTURES
@given(came=st.sets(st.integers(0, 60)), beyond=st.integers(0, 9))
def test_what_came_and_what_was_lost_is_what_was_sent(
    behaviour: Message, end: Message, came: set[int], beyond: int
) -> None:
    last = max(came, default=0) + beyond
    ledger = Ledger()
    holes = [ledger.enter(behaviour(seq)) for seq in sorted(came)]
    ledger.enter(end({"behaviour": last}))
    holes.extend(ledger.missing_tails())
    missing = {n for gap in holes for n in _missing(gap)}
    assert missing == set(range(last + 1)) - came
    count = ledger.streams["bridge/behaviour"]
    assert (count.messages, count.lost) == (len(came), len(missing))


def _missing(gap: Gap | None) -> range:
    return range(gap.first_missing, gap.first_missing + gap.n_missing) if gap else range(0)


def test_streams_are_followed_apart(behaviour: Message) -> None:
    ledger = Ledger()
    assert ledger.enter(behaviour(0, "bridge")) is None
    gap = ledger.enter(behaviour(3, "other"))
    assert gap is not None
    assert (gap.stream, gap.first_missing, gap.n_missing) == ("other/behaviour", 0, 3)
    assert ledger.enter(behaviour(1, "bridge")) is None


def test_a_number_that_comes_again_is_no_loss(behaviour: Message) -> None:
    ledger = Ledger()
    for seq in (0, 1, 2, 1, 3):
        assert ledger.enter(behaviour(seq)) is None
    count = ledger.streams["bridge/behaviour"]
    assert (count.messages, count.lost, count.repeated) == (5, 0, 1)


def test_a_sender_that_starts_anew_is_no_loss(behaviour: Message, end: Message) -> None:
    ledger = Ledger()
    for seq in (0, 1, 2):
        ledger.enter(behaviour(seq))
    ledger.enter(end({"behaviour": 2}))
    assert [ledger.enter(behaviour(seq)) for seq in (0, 1)] == [None, None]
    assert list(ledger.missing_tails()) == []
    assert ledger.streams["bridge/behaviour"].restarts == 1


def test_a_stream_of_which_nothing_came_is_wholly_lost(end: Message) -> None:
    ledger = Ledger()
    ledger.enter(end({"scan": 9}))
    [gap] = ledger.missing_tails()
    assert (gap.stream, gap.first_missing, gap.n_missing) == ("bridge/scan", 0, 10)
