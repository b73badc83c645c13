"""The page says the most serious thing that is true, and what to look at."""

import pytest

from rtdecode.view.status_text import Ages, Mood, notice

FRESH = Ages(decoded_s=0.03, shown_s=0.03, responses_s=0.03)


def test_all_well_is_one_word() -> None:
    says = notice(FRESH, warm=True, ended=False, lost=0)
    assert (says.mood, says.word, says.sentence) == (Mood.GOOD, "Live", "")


@pytest.mark.parametrize(
    ("ages", "word", "part"),
    [
        (Ages(), "Waiting", "Nothing has come yet"),
        (Ages(shown_s=0.1), "Waiting", "no activity yet"),
        (Ages(shown_s=0.1, responses_s=0.1), "Waiting", "no reconstruction yet"),
        (Ages(decoded_s=4, shown_s=0, responses_s=0), "Stale", "look at the decoder"),
        (Ages(decoded_s=4, shown_s=0, responses_s=4), "Stale", "look at the microscope"),
        (Ages(decoded_s=0, shown_s=9, responses_s=0), "No truth", "nothing for 9 s"),
        (Ages(decoded_s=0, responses_s=0), "Live", "no truth to compare"),
        (Ages(decoded_s=0, shown_s=0, loss_s=3), "Lost data", "lost: 5 since"),
        (Ages(decoded_s=0, shown_s=0, loss_s=60), "Live", ""),
    ],
)
def test_each_trouble_has_its_word(ages: Ages, word: str, part: str) -> None:
    says = notice(ages, warm=True, ended=False, lost=5)
    assert says.word == word
    assert part in says.sentence


def test_stale_is_more_serious_than_lost_and_ended_than_stale() -> None:
    ages = Ages(decoded_s=4, shown_s=4, responses_s=4, loss_s=4)
    assert notice(ages, warm=True, ended=False, lost=5).mood is Mood.BAD
    assert notice(ages, warm=True, ended=True, lost=5).word == "Ended"


def test_a_window_that_fills_is_no_trouble() -> None:
    says = notice(FRESH, warm=False, ended=False, lost=0)
    assert (says.mood, says.word) == (Mood.WAITING, "Warming up")
