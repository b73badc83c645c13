"""Effect of each shipped policy in simulated closed-loop sessions, against open loop.

    python benchmarks/policies.py --sessions 5 --workers 2

The demo mouse is in the loop (`DemoRig`): its cortex, microscope and calcium chain, and the decoder
of the live system, faster than real time. Each session has its own clips, and its own spikes and
photons. Intervals are bootstrapped over sessions; the two sides of a difference are of the same
clips. Writes `benchmarks/results/policies.json`.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import count, pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simulated_loop import Record, simulate

from acquisition_bridge.sources.simulated.microscope import SimulatedMicroscope
from rtdecode.bench.result_file import write_benchmark
from rtdecode.control.policies import POLICIES
from rtdecode.control.policy import PolicySetting
from rtdecode.evaluate.metrics import bootstrap_interval, mean_of_finite, video_r
from rtdecode.evaluate.response_similarity import ClipResponses, shown_back_similarity
from rtdecode.pipeline.decoding_stage import assembled
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config.acquisition import SimulatedSource
from rtdecode.schema.frame_grid import FrameGrid
from rtdecode.schema.messages import (
    Behaviour,
    Body,
    Received,
    Reconstruction,
    Responses,
    Scan,
    Stamped,
)
from rtdecode.session.replay import RecordedClock
from stimulus.clips import Split, embedded_clips

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "policies.json"
DEMO = ROOT / "rtdecode" / "demo_mouse"
RATE_HZ, CLIPS, CLIP_S, TRIAL_S = 30.0, 12, 3.0, 2.0
GRID = FrameGrid(RATE_HZ)
CHOICE_S, BACK_S, HOLD_S = 72.0, 44.0, 76.0
SEEN_S, SETTLED_S = CLIPS * CLIP_S + 3.0, 20.0
TARGET, LOW, HIGH = 0.6, 0.05, 1.0
STAIRCASE = {
    "parameter": "contrast", "target": TARGET, "start": 0.5, "low": LOW, "high": HIGH,
    "gain": 2.5, "scale": "log",
}  # fmt: skip
RANDOM_VALUE = {
    "action": "set_parameter", "target": "contrast", "low": LOW, "high": HIGH,
    "every_s": 2 * TRIAL_S,
}  # fmt: skip
TEMPLATE = {
    "quantity": "template", "above": 0.6, "hysteresis": 0.1, "window_frames": 15, "output": "ttl",
}  # fmt: skip
MATCH = {"output": "ttl", "window_frames": 15, "above": 0.4, "margin": 0.1, "hold_frames": 5}
_COMPUTATION_NS = 20_000_000
"""Time from the end of a scan to the reconstruction at the controller."""


class DemoRig:
    """The demo mouse, its microscope, its calcium chain and its decoder."""

    def __init__(self, run_seed: int) -> None:
        config = read_config(DEMO / "demo.yaml")
        source = config.acquisition.source
        if not isinstance(source, SimulatedSource):
            raise TypeError(source)
        self._clock = RecordedClock()
        self._stage = assembled(config, detected_by="decoder", clock=self._clock).stage
        self._microscope = SimulatedMicroscope(source, run_seed)
        self._seq = {kind: count() for kind in ("scan", "behaviour")}

    def show(self, luminance: NDArray[np.uint8], t_ns: int) -> None:
        self._microscope.show(luminance, t_ns)

    def advance_to(self, t_ns: int) -> list[tuple[int, Body]]:
        bodies = self._microscope.advance_to(t_ns)
        return [one for body in bodies for one in self._measured(body)]

    def _measured(self, body: Scan | Behaviour) -> Iterator[tuple[int, Body]]:
        t_ns = body.t_end_ns if isinstance(body, Scan) else body.t_sample_ns
        stamped = Stamped("bridge", next(self._seq[body.kind]), t_ns, "host", body)
        for out in self._stage.step(self._clock.follow([Received(stamped, t_ns)])):
            if isinstance(out, Responses | Reconstruction):
                yield t_ns + _COMPUTATION_NS, out


class Sessions:
    """The simulated sessions of one seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.mask = np.load(DEMO / "mask.npy")

    def setting(self, clip_s: float) -> PolicySetting:
        """The setting of a policy with the clips of this seed."""
        made = embedded_clips(
            Split.SHOW, count=CLIPS, seconds=clip_s, seed=self._seed, frame_rate_hz=RATE_HZ
        )
        clips = {clip.name: clip.frames for clip in made}
        return PolicySetting(
            RATE_HZ, tuple(clips), self.mask, self._seed, clips.__getitem__, lambda _: ()
        )

    def run(self, policy: str, seconds: float, *, clip_s: float = CLIP_S, **options: Any) -> Record:
        """One session under a policy."""
        setting = self.setting(clip_s)
        clips = {clip: setting.clip_frames(clip) for clip in setting.clips}
        made = POLICIES[policy](setting, **options)
        rig = DemoRig(run_seed=1000 + self._seed)
        return simulate(made, rig, clips, setting=setting, seconds=seconds)

    def scores(self, record: Record, *, from_s: float) -> list[float]:
        """video_r of each presentation that began after `from_s`."""
        decoded = {one.frame: one.luminance for one in record.reconstructions if one.warm}
        scores = []
        for first, end in presentations(record):
            frames = [k for k in range(first, end) if k in decoded]
            if first < from_s * RATE_HZ or len(frames) < RATE_HZ:
                continue
            truth = np.stack([record.displayed[k].luminance for k in frames])
            scores.append(video_r(truth, np.stack([decoded[k] for k in frames]), self.mask))
        return scores


def presentations(record: Record) -> list[tuple[int, int]]:
    """First frame of each presentation, and the first one after it; the last one is left out."""
    starts = [k for k, frame in enumerate(record.displayed) if frame.index == 0]
    return list(pairwise(starts))


def triggers(
    record: Record, setting: PolicySetting, policy: str, options: Mapping[str, Any]
) -> list[tuple[int, int]]:
    """Frame of the grid, and value, of each trigger of a policy that looks at a recorded session.

    A trigger that is no reaction to a reconstruction has the newest reconstructed frame.
    """
    decider, frame, found = POLICIES[policy](setting, **options), 0, list[tuple[int, int]]()
    for observation in record.observations:
        if isinstance(observation.body, Reconstruction):
            frame = observation.body.frame
        found += [(frame, int(request.value)) for request in decider.decide(observation)]
    return found


def detection(record: Record, setting: PolicySetting) -> dict[str, float]:
    """Hit and false-alarm rate of a threshold on the correlation with each clip as template.

    A hit is a presentation of the template with a trigger, a false alarm one of another clip. Open
    loop fires at random, as often as the threshold does.
    """
    shown = [(record.displayed[first].clip, first, end) for first, end in presentations(record)]
    fired: dict[str, list[tuple[bool, bool]]] = {"closed": [], "open": []}
    for clip in setting.clips:
        closed = triggers(record, setting, "threshold", {**TEMPLATE, "template": clip})
        every_s = CHOICE_S / max(1, len(closed))
        options = {"action": "trigger", "target": "ttl", "every_s": every_s}
        random = triggers(record, setting, "open_loop", options)
        for kind, found in (("closed", closed), ("open", random)):
            fired[kind] += [
                (name == clip, any(first <= frame < end for frame, _ in found))
                for name, first, end in shown
            ]
    rates = {}
    for kind, pairs in fired.items():
        hit = np.mean([one for is_template, one in pairs if is_template])
        alarm = np.mean([one for is_template, one in pairs if not is_template])
        rates |= {f"{kind}_hit": float(hit), f"{kind}_false_alarm": float(alarm)}
    return rates


def identification(record: Record, setting: PolicySetting, seed: int) -> dict[str, float]:
    """Fraction of presentations for which the right, a wrong or no clip was named.

    Open loop names a random clip in each presentation.
    """
    found = triggers(record, setting, "template_match", MATCH)
    rng = np.random.default_rng([seed, 8])
    right = wrong = none = by_chance = 0
    for first, end in presentations(record):
        named = [setting.clips[value] for frame, value in found if first <= frame < end]
        clip = record.displayed[first].clip
        right += clip in named and set(named) == {clip}
        wrong += any(one != clip for one in named)
        none += not named
        by_chance += setting.clips[int(rng.integers(CLIPS))] == clip
    total = len(presentations(record))
    return {
        "closed": right / total, "wrong": wrong / total, "none": none / total,
        "open": by_chance / total,
    }  # fmt: skip


def similarity(record: Record, seed: int) -> dict[str, float]:
    """Similarity of responses to originals and to what was shown back, and to sham."""
    responses = ClipResponses(GRID)
    for seq, frame in enumerate(record.displayed):
        responses.add(Stamped("stimulus", seq, frame.t_flip_ns, "host", frame))
    for seq, one in enumerate(record.responses):
        responses.add(Stamped("decoder", seq, one.t_ready_ns, "host", one))
    rng = np.random.default_rng(seed)
    found = shown_back_similarity(responses.presented(), frame_rate_hz=RATE_HZ, rng=rng)
    if found is None:
        raise ValueError("nothing was shown back")
    return {
        "closed": found.shown_back.mean, "open": found.sham.mean, "ceiling": found.ceiling.mean,
        "seconds": found.n_seconds,
    }  # fmt: skip


def measured(seed: int) -> dict[str, dict[str, float]]:
    """Figures of all policies in the sessions of one seed."""
    sessions = Sessions(seed)
    setting = sessions.setting(CLIP_S)
    random = sessions.run("open_loop", CHOICE_S)
    hardest = sessions.run("hardest_next", CHOICE_S)
    back = sessions.run("show_back", BACK_S, clips=list(setting.clips[:4]))
    held = sessions.run("adaptive_parameter", HOLD_S, clip_s=TRIAL_S, **STAIRCASE)
    drawn = sessions.run("open_loop", HOLD_S, clip_s=TRIAL_S, **RANDOM_VALUE)
    held_r, drawn_r = (sessions.scores(one, from_s=SETTLED_S) for one in (held, drawn))
    levels = [float(one.uncertainty[sessions.mask].mean()) for one in random.reconstructions]
    return {
        "hardest_next": {
            "closed": mean_of_finite(sessions.scores(hardest, from_s=SEEN_S)),
            "open": mean_of_finite(sessions.scores(random, from_s=SEEN_S)),
        },
        "threshold": detection(random, setting),
        "template_match": identification(random, setting, seed),
        "show_back": similarity(back, seed),
        "adaptive_parameter": {
            "closed": float(np.mean(np.abs(np.array(held_r) - TARGET))),
            "open": float(np.mean(np.abs(np.array(drawn_r) - TARGET))),
            "closed_mean": float(np.mean(held_r)),
            "closed_mean_error": abs(float(np.mean(held_r)) - TARGET),
            "open_mean_error": abs(float(np.mean(drawn_r)) - TARGET),
            "open_mean": float(np.mean(drawn_r)),
            "closed_contrast": float(np.mean(held.contrasts[round(SETTLED_S * RATE_HZ) :])),
        },
        "uncertainty": {"mean": float(np.mean(levels)), "sd_over_frames": float(np.std(levels))},
    }


def summarised(rows: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """Mean and interval over sessions of each figure, and of closed − open loop."""
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for policy in rows[0]:
        values = {name: [row[policy][name] for row in rows] for name in rows[0][policy]}
        if policy == "threshold":
            for kind in ("closed", "open"):
                pairs = zip(values[f"{kind}_hit"], values[f"{kind}_false_alarm"], strict=True)
                values[kind] = [hit - alarm for hit, alarm in pairs]
        if "open" in values:
            pairs = zip(values["closed"], values["open"], strict=True)
            values["effect"] = [closed - opened for closed, opened in pairs]
        found[policy] = {
            name: asdict(bootstrap_interval(one, rng=rng)) | {"per_session": one}
            for name, one in values.items()
        }
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, default=RESULTS)
    asked = parser.parse_args()
    with ProcessPoolExecutor(asked.workers, mp_context=get_context("spawn")) as pool:
        rows = list(pool.map(measured, range(asked.sessions)))
    config = {
        "sessions": asked.sessions, "clips": CLIPS, "clip_s": CLIP_S, "trial_s": TRIAL_S,
        "choice_s": CHOICE_S, "show_back_s": BACK_S, "hold_s": HOLD_S, "target": TARGET,
    }  # fmt: skip
    results = summarised(rows)
    write_benchmark(asked.json, name="policies", config=config, results=results)
    for policy, figures in results.items():
        for name, one in figures.items():
            print(f"{policy:20} {name:20} {one['mean']:.3f} [{one['low']:.3f}, {one['high']:.3f}]")


if __name__ == "__main__":
    main()
