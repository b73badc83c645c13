"""Steps of both architectures are made on the same neurons and horizon, and each is timed."""

import torch
from dwiseneuro_rate import TimedSteps, dwiseneuro, rates
from timed_decoder import TWIN

from rtdecode.bench.decoder import load_population

NEURONS = 9
SIZES = {
    "expansion": 2, "squeeze": 4, "space_px": 3, "taps": 3, "groups": 2, "hop_frames": 8,
    "core_0": 4, "core_1": 8, "cortex_0": 8,
}  # fmt: skip


def test_each_architecture_has_a_row_with_its_own_times() -> None:
    rows = rates(load_population(TWIN), NEURONS, steps=2, sizes=SIZES)
    assert [row["architecture"] for row in rows] == ["dwiseneuro", "compact"]
    assert all(row["neurons"] == NEURONS for row in rows)
    assert all(0 < row["least_s"] <= row["step_s"] <= row["largest_s"] for row in rows)


def test_a_timed_step_moves_the_solution_of_a_frozen_twin() -> None:
    fitted = dwiseneuro(load_population(TWIN).of(NEURONS), SIZES)
    assert fitted.twin.spec.architecture == "dwiseneuro"
    assert not any(weights.requires_grad for weights in fitted.twin.parameters())
    timed = TimedSteps(fitted)
    before = torch.from_numpy(timed.video())
    timed.step()
    assert not torch.equal(torch.from_numpy(timed.video()), before)
    assert len(timed.seconds) == 1
