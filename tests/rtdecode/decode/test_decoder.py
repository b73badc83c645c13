"""Each frame goes out once, in order, at its lag, as well as the deadline allows."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.fft import dctn

import rtdecode.decode.decoder as decoder_module
from rtdecode.decode.decoder import Decoder
from rtdecode.decode.noise import Noise
from rtdecode.decode.prior import VideoPrior, spectral_shrinkage
from rtdecode.schema.config.decode import DecodeConfig
from rtdecode.schema.errors import BehaviourChannelsError, FrameOrderError, NeuronCountError
from rtdecode.schema.messages import Reconstruction, WindowFrame
from rtdecode.twins.linear import Linear

CONFIG = DecodeConfig(window_frames=12, estimated_frames=6, lag_frames=3, steps=1)
NEURONS = 7
MakeFrame = Callable[..., WindowFrame]
MakeDecoder = Callable[..., Decoder]

reused = settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class StepClock:
    """Goes on by `pace_ms` each time it is looked at."""

    def __init__(self, pace_ms: float = 0.0) -> None:
        self.now_ms, self.pace_ms = 0.0, pace_ms

    def now_ns(self) -> int:
        self.now_ms += self.pace_ms
        return round(self.now_ms * 1e6)

    def sleep_until(self, t_ns: int) -> None:
        raise AssertionError("the decoder never sleeps")


@pytest.fixture
def make_decoder(twin: Linear, prior: VideoPrior, noise: Noise) -> MakeDecoder:
    def decoder(config: DecodeConfig = CONFIG, *, pace_ms: float = 0.0) -> Decoder:
        return Decoder(config, twin, prior, noise=noise, clock=StepClock(pace_ms))

    return decoder


@pytest.fixture
def make_stream(twin: Linear, make_frame: MakeFrame) -> Callable[..., list[WindowFrame]]:
    """Frames of a bar that jumps about, as the twin would answer."""
    rng = np.random.default_rng(4)
    video = 110 + 60 * np.sign(rng.normal(size=(200, 1, 8))).repeat(3, 0) * np.ones((1, 6, 1))
    seen = torch.tensor(video[None], dtype=torch.float32)
    rate = twin(seen, torch.zeros(1, len(video), 4))[0].clamp_min(0).numpy()

    def stream(numbers: range | list[int]) -> list[WindowFrame]:
        return [make_frame(number, rate[number % len(rate)]) for number in numbers]

    return stream


MakeStream = Callable[..., list[WindowFrame]]


def one_by_one(decoder: Decoder, items: list[WindowFrame]) -> list[Reconstruction]:
    return [out for item in items for out in decoder.step([item])]


def numbers(given_out: list[Reconstruction]) -> list[int]:
    return [out.frame for out in given_out]


def test_a_frame_is_given_out_when_the_frame_one_lag_later_has_arrived(
    make_decoder: MakeDecoder, make_stream: MakeStream
) -> None:
    decoder = make_decoder()
    for item in make_stream(range(50, 70)):
        newest = item.responses.frame
        due = [newest - 3] if newest >= 53 else []
        assert numbers(decoder.step([item])) == due


def test_without_lag_the_newest_frame_is_given_out(
    make_decoder: MakeDecoder, make_stream: MakeStream
) -> None:
    decoder = make_decoder(DecodeConfig(window_frames=8, estimated_frames=3, lag_frames=0, steps=1))
    assert numbers(one_by_one(decoder, make_stream(range(5)))) == [0, 1, 2, 3, 4]


@reused
@given(
    cuts=st.sets(st.integers(1, 19)),
    jumps=st.lists(st.sampled_from([1, 1, 1, 1, 2, 3, 5, 9, 12, 40]), min_size=20, max_size=20),
)
def test_any_cutting_of_the_stream_gives_the_same_frames_once_and_in_order(
    make_decoder: MakeDecoder, make_stream: MakeStream, cuts: set[int], jumps: list[int]
) -> None:
    items = make_stream([int(n) for n in np.cumsum(jumps)])
    batched, single = make_decoder(), make_decoder()
    edges = [0, *sorted(cuts), len(items)]
    together = [out for first, last in pairwise(edges) for out in batched.step(items[first:last])]
    alone = one_by_one(single, items)
    assert numbers(together) == numbers(alone)
    assert all(later > earlier for earlier, later in pairwise(numbers(alone)))
    observed = {item.responses.frame for item in items}
    assert {n for n in observed if n <= max(observed) - 3} <= set(numbers(alone))


def test_a_batch_within_the_estimated_frames_is_improved_once(
    make_decoder: MakeDecoder, make_stream: MakeStream
) -> None:
    """Steps of single frames add up; a batch has those of one inversion."""
    clock = StepClock(pace_ms=1)
    decoder = make_decoder()
    decoder._clock = clock
    decoder.step(make_stream(range(6)))
    begun_ms = clock.now_ms
    decoder.step(make_stream(range(6, 9)))
    looks_for_one_inversion = clock.now_ms - begun_ms
    begun_ms = clock.now_ms
    decoder.step(make_stream([9]))
    assert clock.now_ms - begun_ms == looks_for_one_inversion


def show_all(patch: pytest.MonkeyPatch) -> None:
    """From now on, decoders show what is fine whole, as their window holds it."""
    patch.setattr(decoder_module, "spectral_shrinkage", lambda prior: torch.ones_like(prior.power))


def test_the_estimate_predicts_the_recorded_activity(
    make_decoder: MakeDecoder,
    make_stream: MakeStream,
    twin: Linear,
    prior: VideoPrior,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    show_all(monkeypatch)
    items = make_stream(range(30))
    out = one_by_one(
        make_decoder(CONFIG.model_copy(update={"steps": 8, "likelihood_weight": 50.0})), items
    )
    shown = torch.tensor(np.stack([frame.luminance for frame in out]))[None]
    still = torch.zeros(1, len(out), 4)
    observed = np.stack([item.responses.activity for item in items[: len(out)]])
    explained = twin(shown, still)[0].numpy()
    at_first = twin(prior.mean.expand_as(shown), still)[0].numpy()
    assert (
        np.square(explained - observed)[8:].mean() < 0.2 * np.square(at_first - observed)[8:].mean()
    )


def test_of_what_is_fine_it_shows_the_share_that_is_to_be_believed(
    make_decoder: MakeDecoder,
    make_stream: MakeStream,
    prior: VideoPrior,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items = make_stream(range(12))
    gain = spectral_shrinkage(prior).numpy()
    shrunk = cosines(one_by_one(make_decoder(), items), prior)
    show_all(monkeypatch)
    whole = cosines(one_by_one(make_decoder(), items), prior)
    assert gain.min() < 0.6
    assert np.abs(whole).max() > 10
    np.testing.assert_allclose(shrunk, gain * whole, atol=0.1)


def cosines(out: list[Reconstruction], prior: VideoPrior) -> np.ndarray:
    about_mean = np.stack([frame.luminance for frame in out]) - prior.mean.numpy()
    kept_rows, kept_cols = prior.power.shape
    return dctn(about_mean, axes=(1, 2))[:, :kept_rows, :kept_cols]


@pytest.mark.parametrize("cut", [4, 9, 13])
def test_frames_that_were_given_out_do_not_depend_on_later_activity(
    make_decoder: MakeDecoder, make_stream: MakeStream, make_frame: MakeFrame, cut: int
) -> None:
    items = make_stream(range(15))
    changed = items[:cut] + [make_frame(n, np.full(NEURONS, 30.0)) for n in range(cut, 15)]
    one, other = one_by_one(make_decoder(), items), one_by_one(make_decoder(), changed)
    for frame in range(cut - 3):
        np.testing.assert_array_equal(one[frame].luminance, other[frame].luminance)
    assert not np.array_equal(one[cut - 3].luminance, other[cut - 3].luminance)


def test_the_same_stream_gives_the_same_video(
    make_decoder: MakeDecoder, make_stream: MakeStream
) -> None:
    one, other = (one_by_one(make_decoder(), make_stream(range(20))) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.luminance, b.luminance)


@pytest.mark.parametrize(("step_ms", "steps"), [(0.1, 8), (3.0, 4), (10.0, 1), (200.0, 1)])
def test_a_slow_machine_makes_fewer_steps_but_at_least_one(
    make_decoder: MakeDecoder, make_stream: MakeStream, step_ms: float, steps: int
) -> None:
    """Of each step the clock sees beginning and end, which by this clock are `step_ms` apart."""
    config = CONFIG.model_copy(update={"steps": 8, "deadline_ms": 25.0})
    out = one_by_one(make_decoder(config, pace_ms=step_ms), make_stream(range(5)))
    assert {frame.steps for frame in out} == {steps}


def test_what_is_ready_after_the_deadline_is_late(
    make_decoder: MakeDecoder, make_stream: MakeStream
) -> None:
    config = CONFIG.model_copy(update={"deadline_ms": 25.0})
    in_time = one_by_one(make_decoder(config, pace_ms=4), make_stream(range(6)))
    late = one_by_one(make_decoder(config, pace_ms=9), make_stream(range(6)))
    assert [frame.late for frame in in_time] == [False] * 3
    assert [frame.late for frame in late] == [True] * 3


def test_frames_are_warm_once_the_horizon_is_full(
    make_decoder: MakeDecoder, make_stream: MakeStream
) -> None:
    out = one_by_one(make_decoder(), make_stream(range(100, 120)))
    assert [frame.frame for frame in out if frame.warm] == list(range(108, 117))


def test_a_reconstruction_has_the_times_of_its_frame_and_of_the_responses_that_made_it_due(
    make_decoder: MakeDecoder, make_stream: MakeStream
) -> None:
    out = one_by_one(make_decoder(pace_ms=2), make_stream(range(5)))[1]
    assert out.frame == 1
    assert out.t_frame_mid_ns == 50_000_000  # the middle of the second thirtieth of a second
    assert (out.t_scan_ns, out.t_scan_end_ns) == (4001, 4002)
    assert (out.t_received_ns, out.t_responses_ns) == (4003, 4004)
    assert out.lag_frames == 3
    assert out.luminance.shape == out.uncertainty.shape == (6, 8)
    assert out.luminance.dtype == np.float32


def test_the_uncertainty_is_that_of_the_age_of_a_frame(
    twin: Linear, prior: VideoPrior, noise: Noise, make_stream: MakeStream
) -> None:
    sd = torch.arange(5.0)[:, None, None].expand(-1, 6, 8).clone()
    decoder = Decoder(CONFIG, twin, prior, noise=noise, clock=StepClock(0.0), sd=sd)
    at_lag = one_by_one(decoder, make_stream(range(5)))
    assert {float(out.uncertainty.max()) for out in at_lag} == {3.0}
    together = decoder.step(make_stream(range(5, 8)))
    assert [float(out.uncertainty.min()) for out in together] == [4.0, 4.0, 3.0]


def test_without_a_posterior_it_gives_zeros(
    make_decoder: MakeDecoder, make_stream: MakeStream
) -> None:
    assert not one_by_one(make_decoder(), make_stream(range(5)))[0].uncertainty.any()


def test_frames_that_were_lost_go_out_from_what_is_around_them(
    make_decoder: MakeDecoder, make_stream: MakeStream
) -> None:
    decoder = make_decoder()
    one_by_one(decoder, make_stream(range(20)))
    [*filled] = decoder.step(make_stream([24]))
    assert numbers(filled) == [17, 18, 19, 20, 21]
    assert {out.t_scan_ns for out in filled[:3]} == {24_001}  # what made them due was lost too


def test_after_a_jump_over_the_horizon_it_decodes_as_a_new_decoder(
    make_decoder: MakeDecoder, make_stream: MakeStream
) -> None:
    tried, new = make_decoder(), make_decoder()
    one_by_one(tried, make_stream(range(20)))
    waiting = tried.step(make_stream([500]))
    assert numbers(waiting) == [17, 18, 19]
    assert new.step(make_stream([500])) == []
    after = make_stream(range(501, 515))
    for one, other in zip(one_by_one(tried, after), one_by_one(new, after), strict=True):
        assert one.frame == other.frame
        assert one.warm == other.warm
        np.testing.assert_array_equal(one.luminance, other.luminance)


def test_without_input_there_is_no_output(make_decoder: MakeDecoder) -> None:
    assert make_decoder().step([]) == []


def test_other_neurons_or_channels_than_the_twin_s_are_refused(
    make_decoder: MakeDecoder, make_frame: MakeFrame
) -> None:
    with pytest.raises(NeuronCountError, match="6 neurons, but twin 'linear' was trained on 7"):
        make_decoder().step([make_frame(0, np.zeros(6))])
    with pytest.raises(BehaviourChannelsError, match="2 behaviour channels"):
        make_decoder().step([make_frame(0, np.zeros(7), behaviour=np.zeros(2, np.float32))])


@pytest.mark.parametrize("repeated", [[0, 1, 1], [3, 2]])
def test_frames_out_of_order_are_refused(
    make_decoder: MakeDecoder, make_stream: MakeStream, repeated: list[int]
) -> None:
    with pytest.raises(FrameOrderError, match="in order, once"):
        make_decoder().step(make_stream(repeated))
    with pytest.raises(FrameOrderError, match="in order, once"):
        one_by_one(make_decoder(), make_stream(repeated))


FORECAST = DecodeConfig(
    window_frames=12, estimated_frames=6, lag_frames=0, forecast_frames=2, steps=1
)


def test_a_forecast_is_given_out_before_its_responses_once_and_in_order(
    make_decoder: MakeDecoder, make_stream: MakeStream
) -> None:
    decoder, newest_only = (
        make_decoder(FORECAST),
        make_decoder(FORECAST.model_copy(update={"forecast_frames": 0})),
    )
    items = make_stream([*range(50, 60), 63, *range(64, 70), 120, 121])
    given_out = [(item.responses.frame, decoder.step([item])) for item in items]
    assert numbers(given_out[0][1]) == [50, 51, 52]
    for newest, out in given_out[1:]:
        assert numbers(out)[-1] == newest + 2
    every = [out for _, group in given_out for out in group]
    assert all(later > earlier for earlier, later in pairwise(numbers(every)))
    assert {out.lag_frames for out in every} == {-2}
    # the solution does not depend on what is given out
    plain = one_by_one(newest_only, items)
    assert [out.objective for out in plain if out.frame == 69] == [
        out.objective for out in every if out.frame == 71
    ]


def test_a_forecast_is_less_certain_than_the_newest_estimate(
    twin: Linear, prior: VideoPrior, noise: Noise, make_stream: MakeStream
) -> None:
    sd = torch.full((3, *prior.mean.shape), 5.0)
    decoder = Decoder(FORECAST, twin, prior, noise=noise, sd=sd, clock=StepClock())
    first, one_ahead, two_ahead = decoder.step(make_stream([0]))
    np.testing.assert_array_equal(first.uncertainty, 5.0)
    assert (one_ahead.uncertainty > 5).all()
    assert (two_ahead.uncertainty > one_ahead.uncertainty).all()
