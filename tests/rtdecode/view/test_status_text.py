"""The page states the most serious status that applies, and what to check."""

import pytest

from rtdecode.evaluate.output_count import LateFrames
from rtdecode.schema.config.roles import Role
from rtdecode.view.process_watch import Problem
from rtdecode.view.status_text import Ages, Level, run_status

RESTART = Problem(Role.DECODER, "Decoder restarting", "decoder restarting since 3 s")
NO_SCANS = Problem(Role.BRIDGE, "No scans", "no scans from the microscope since 2 s")
SILENT = Problem(Role.RECORDER, "Recorder silent", "recorder silent since 5 s")
FRESH = Ages(decoded_s=0.03, displayed_s=0.03, responses_s=0.03)


def test_a_run_without_problems_is_live() -> None:
    status = run_status(FRESH, warm=True, ended=False, lost=0)
    assert (status.level, status.title, status.sentence) == (Level.GOOD, "Live", "")


@pytest.mark.parametrize(
    ("ages", "title", "part"),
    [
        (Ages(), "Waiting", "No data from screen or microscope yet"),
        (Ages(displayed_s=0.1), "Waiting", "no activity yet: it begins when the cells are"),
        (Ages(displayed_s=0.1, responses_s=0.1), "Waiting", "no reconstruction yet"),
        (Ages(decoded_s=4, displayed_s=0, responses_s=0), "Stale", "check the decoder"),
        (Ages(decoded_s=4, displayed_s=0, responses_s=4), "Stale", "check the microscope"),
        (
            Ages(decoded_s=0, displayed_s=9, responses_s=0),
            "No displayed frames",
            "No displayed frame for 9 s",
        ),
        (Ages(decoded_s=0, responses_s=0), "Live", "nothing is scored"),
        (Ages(decoded_s=4, problems=(RESTART,)), "Decoder restarting", "since 3 s. No reconstr"),
        (Ages(decoded_s=4, problems=(NO_SCANS, RESTART)), "No scans", "2 s; decoder restarting"),
        (Ages(responses_s=0, problems=(RESTART,)), "Waiting", "decoder restarting since 3 s"),
        (Ages(decoded_s=0.3, problems=(RESTART,)), "Decoder restarting", "Decoder restarting"),
        (Ages(decoded_s=0, displayed_s=0, loss_s=3), "Lost data", "since the start: 5"),
        (
            Ages(decoded_s=0, alarms=2, problems=(SILENT,)),
            "Alarm",
            "neither over nor acknowledged: 2",
        ),
        (Ages(decoded_s=0, problems=(SILENT,)), "Recorder silent", "Recorder silent since 5 s."),
        (
            Ages(decoded_s=0, late=LateFrames(30, 300, 0), late_cause="processors saturated"),
            "Late frames",
            "30 of 300 frames of the last 10 s were late (10 %); processors saturated.",
        ),
        (Ages(decoded_s=0, displayed_s=0, late=LateFrames(6, 300, 0)), "Live", ""),
        (Ages(decoded_s=0, displayed_s=0, late=LateFrames(9, 20, 0)), "Live", ""),
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


def test_outdated_pictures_are_marked_as_such() -> None:
    for ages, outdated in ((FRESH, False), (Ages(decoded_s=4, problems=(RESTART,)), True)):
        assert run_status(ages, warm=True, ended=False, lost=0).is_outdated == outdated


@pytest.mark.parametrize(
    ("ages", "level", "title", "part"),
    [
        (Ages(), Level.WAITING, "Waiting", "records and decodes nothing"),
        (Ages(displayed_s=0), Level.GOOD, "Recording", "displayed frames arrive"),
        (Ages(displayed_s=0, responses_s=0), Level.GOOD, "Recording", "frames and activity arrive"),
        (Ages(displayed_s=0), Level.GOOD, "Recording", "it begins when the cells are found"),
        (Ages(displayed_s=0, problems=(NO_SCANS,)), Level.WARNING, "No scans", "since 2 s"),
    ],
)
def test_a_run_that_decodes_nothing_is_no_run_without_a_reconstruction(
    ages: Ages, level: Level, title: str, part: str
) -> None:
    found = run_status(ages, warm=False, ended=False, lost=0, decodes=False)
    assert (found.level, found.title) == (level, title)
    assert part in found.sentence
    assert "no reconstruction" not in found.sentence


def test_processes_that_start_are_no_warning() -> None:
    start = Problem(Role.BRIDGE, "Bridge starting", "bridge is starting", is_start=True)
    for problems, level in (((start,), Level.WAITING), ((start, SILENT), Level.WARNING)):
        found = run_status(Ages(problems=problems), warm=False, ended=False, lost=0, decodes=False)
        assert (found.level, found.title) == (level, "Bridge starting")
