import numpy as np
import pytest
import torch

from rtdecode.datasets.sensorium import SensoriumFolder
from rtdecode.datasets.video_session import TRAIN
from rtdecode.schema.errors import TooShortError
from rtdecode.train.crops import Crops

SIZES = {"batch": 3, "frames": 10, "history": 6}


def test_a_step_gets_the_same_crops_in_every_run(blob_session: SensoriumFolder) -> None:
    one, other = (Crops(blob_session, TRAIN, seed=1, **SIZES) for _ in range(2))
    one.batch(0)
    for kind in ("video", "behaviour", "responses"):
        assert torch.equal(getattr(one.batch(7), kind), getattr(other.batch(7), kind))


def test_another_seed_gets_other_crops(blob_session: SensoriumFolder) -> None:
    one, other = (Crops(blob_session, TRAIN, seed=seed, **SIZES) for seed in (1, 2))
    assert not torch.equal(one.batch(0).video, other.batch(0).video)


def test_activity_is_that_of_the_last_frames_of_the_video(blob_session: SensoriumFolder) -> None:
    batch = Crops(blob_session, TRAIN, seed=0, **SIZES).batch(0)
    assert batch.video.shape[1] == SIZES["history"] + SIZES["frames"]
    whole = [blob_session.segment(k) for k in blob_session.trials(TRAIN)]
    for video, responses in zip(batch.video.numpy(), batch.responses.numpy(), strict=True):
        places = [
            (cut, first)
            for cut in whole
            for first in range(len(cut.video) - len(video) + 1)
            if np.array_equal(cut.video[first : first + len(video)], video)
        ]
        cut, first = places[0]
        tail = cut.responses[first + SIZES["history"] : first + len(video)]
        np.testing.assert_array_equal(tail, responses)


def test_machines_share_what_one_would_see(blob_session: SensoriumFolder) -> None:
    crops = Crops(blob_session, TRAIN, seed=3, **SIZES)
    alone = torch.cat([crops.batch(step).video for step in range(4)])
    shared = torch.cat([crops.batch(k, rank=r, ranks=2).video for k in range(2) for r in range(2)])
    assert torch.equal(alone, shared)


def test_a_pass_sees_every_part_of_every_trial_once(blob_session: SensoriumFolder) -> None:
    crops = Crops(blob_session, TRAIN, seed=0, batch=1, frames=84, history=6)
    steps = len(blob_session.trials(TRAIN))  # each crop is a whole trial
    seen = [crops.batch(k).video.numpy().tobytes() for k in range(steps)]
    whole = [blob_session.video(k).tobytes() for k in blob_session.trials(TRAIN)]
    assert sorted(seen) == sorted(whole)


def test_cutmix_keeps_pixels_and_mixes_activity_by_area(blob_session: SensoriumFolder) -> None:
    plain = Crops(blob_session, TRAIN, seed=0, **SIZES).batch(0)
    mixed = Crops(blob_session, TRAIN, seed=0, cutmix=1.0, **SIZES).batch(0)
    own = (mixed.video == plain.video).all(1)
    foreign = (mixed.video == plain.video.roll(-1, 0)).all(1)
    assert bool((own | foreign).all())
    assert not bool(own.all())
    low = torch.minimum(plain.responses, plain.responses.roll(-1, 0)) - 1e-5
    high = torch.maximum(plain.responses, plain.responses.roll(-1, 0)) + 1e-5
    assert bool(((mixed.responses >= low) & (mixed.responses <= high)).all())


def test_a_session_of_trials_too_short_is_refused(blob_session: SensoriumFolder) -> None:
    with pytest.raises(TooShortError, match="90 frames, at least 110 are needed"):
        Crops(blob_session, TRAIN, batch=1, frames=100, history=10, seed=0)


def test_a_mixture_is_measured_where_both_crops_are(holed_session: SensoriumFolder) -> None:
    plain = Crops(holed_session, TRAIN, seed=0, **SIZES).batch(0)
    mixed = Crops(holed_session, TRAIN, seed=0, cutmix=1.0, **SIZES).batch(0)
    missing = plain.responses.isnan()
    assert bool(missing.any())
    assert torch.equal(mixed.responses.isnan(), missing | missing.roll(-1, 0))
