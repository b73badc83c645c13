"""The page states the most serious status that applies, and what to check."""

import pytest

from rtdecode.view.status_text import Ages, Level, run_status

FRESH = Ages(decoded_s=0.03, displayed_s=0.03, responses_s=0.03)


def test_a_run_without_problems_is_live() -> None:
    status = run_status(FRESH, warm=True, ended=False, lost=0)
    assert (status.level, status.title, status.sentence) == (Level.GOOD, "Live", "")


@pytest.mark.parametrize(
    ("ages", "title", "part"),
    [
        (Ages(), "Waiting", "No data from screen or microscope yet"),
        (Ages(displayed_s=0.1), "Waiting", "no activity yet"),
        (Ages(displayed_s=0.1, responses_s=0.1), "Waiting", "no reconstruction yet"),
        (Ages(decoded_s=4, displayed_s=0, responses_s=0), "Stale", "check the decoder"),
        (Ages(decoded_s=4, displayed_s=0, responses_s=4), "Stale", "check the microscope"),
        (
            Ages(decoded_s=0, displayed_s=9, responses_s=0),
            "No displayed frames",
            "No displayed frame for 9 s",
        ),
        (Ages(decoded_s=0, responses_s=0), "Live", "nothing is scored"),
        (Ages(decoded_s=3, decoder="decoder is restarting"), "Stale", "for 3 s: decoder is rest"),
        (Ages(responses_s=0, decoder="decoder is restarting"), "Waiting", "decoder is restarting"),
        (Ages(decoded_s=0, displayed_s=0, loss_s=3), "Lost data", "since the start: 5"),
        (Ages(decoded_s=0, alarms=2, recorder_s=5), "Alarm", "neither over nor acknowledged: 2"),
        (Ages(decoded_s=0, recorder_s=5), "Recorder silent", "No heartbeat of the recorder for 5"),
        (Ages(decoded_s=0, score="evaluate is restarting"), "No score", "score is outdated"),
        (
            Ages(decoded_s=0, warning="bridge: scans are black"),
            "Warning",
            "bridge: scans are black",
        ),
        (Ages(decoded_s=0, displayed_s=0, loss_s=60), "Live", ""),
    ],
)
def test_each_problem_has_its_title_and_sentence(ages: Ages, title: str, part: str) -> None:
    status = run_status(ages, warm=True, ended=False, lost=5)
    assert status.title == title
    assert part in status.sentence


def test_stale_is_more_serious_than_lost_and_ended_than_stale() -> None:
    ages = Ages(decoded_s=4, displayed_s=4, responses_s=4, loss_s=4)
    assert run_status(ages, warm=True, ended=False, lost=5).level is Level.BAD
    assert run_status(ages, warm=True, ended=True, lost=5).title == "Ended"


def test_a_filling_horizon_is_no_problem() -> None:
    status = run_status(FRESH, warm=False, ended=False, lost=0)
    assert (status.level, status.title) == (Level.WAITING, "Warming up")
