"""Protocols are read from YAML and Python; each mistake is one sentence with its place."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.runtime.config_file import read_config
from rtdecode.runtime.protocol_file import read_protocol, write_protocol
from rtdecode.schema.config.monitor import MonitorConfig
from rtdecode.schema.config.protocol import DriftingGrating, Movie
from rtdecode.schema.config.stimulus import StimulusConfig
from rtdecode.schema.errors import ConfigError, MissingFileError, ProtocolCodeError
from rtdecode.schema.planned_trials import planned_trials
from rtdecode.schema.protocol_limits import Limits

LIMITS = Limits.of(
    StimulusConfig(monitor=MonitorConfig(distance_cm=15, width_cm=48)), frame_rate_hz=30.0
)
YAML = """
seed: 5
blocks:
  - name: directions
    order: random
    repeats: 3
    stimuli:
      - kind: drifting_grating
        spatial_cpd: 0.04
        temporal_hz: 2
        duration_s: 1.5
        vary: {orientation_deg: [0, 90]}
      - {kind: movie, file: clip.mp4}
"""
PYTHON = """
from rtdecode.schema.config.protocol import Block, DriftingGrating

seed = 5
directions = [
    DriftingGrating(
        spatial_cpd=0.04, temporal_hz=2, duration_s=1.5, vary={"orientation_deg": (0, 90)}
    ),
    {"kind": "movie", "file": "clip.mp4"},
]
protocol = [Block(name="directions", order="random", repeats=3, stimuli=tuple(directions))]
"""


def written(folder: Path, text: str, name: str = "protocol.yaml") -> Path:
    (folder / "clip.mp4").touch()
    (folder / name).write_text(text)
    return folder / name


def test_both_forms_give_the_same_protocol(tmp_path: Path) -> None:
    from_yaml = read_protocol(written(tmp_path, YAML), LIMITS)
    from_python = read_protocol(written(tmp_path, PYTHON, "protocol.py"), LIMITS)
    assert from_yaml == from_python
    block = from_yaml.blocks[0]
    grating, movie = block.stimuli
    assert isinstance(grating, DriftingGrating)
    assert isinstance(movie, Movie)
    assert movie.file == tmp_path / "clip.mp4"
    assert len(block.conditions()) == 3


def test_a_written_protocol_is_read_as_an_equal_one(tmp_path: Path) -> None:
    protocol = read_protocol(written(tmp_path, PYTHON, "protocol.py"), LIMITS)
    (tmp_path / "kept").mkdir()
    write_protocol(protocol, tmp_path / "kept" / "protocol.yaml")
    assert read_protocol(tmp_path / "kept" / "protocol.yaml", LIMITS) == protocol


def test_blocks_in_python_may_be_maps(tmp_path: Path) -> None:
    text = "protocol = [{'stimuli': [{'kind': 'blank', 'duration_s': n}]} for n in (1, 2)]"
    protocol = read_protocol(written(tmp_path, text, "maps.py"), LIMITS)
    assert [block.stimuli[0].duration_s for block in protocol.blocks] == [1, 2]


def test_varied_files_are_relative_to_the_protocol(tmp_path: Path) -> None:
    text = "blocks: [{stimuli: [{kind: movie, vary: {file: [clip.mp4, clip.mp4]}}]}]"
    protocol = read_protocol(written(tmp_path, text), LIMITS)
    assert {one.label() for one in protocol.blocks[0].conditions()} == {"clip.mp4"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            YAML.replace("drifting_grating", "drifting_gratng"),
            ("line 8: blocks.0.stimuli.0", "unknown kind 'drifting_gratng': give one of 'blank'"),
        ),
        (YAML.replace("kind: movie, ", ""), ("line 13", "it has no kind")),
        (YAML.replace("repeats: 3", "repeats: 0"), ("line 6: blocks.0.repeats", "got 0")),
        (YAML.replace("[0, 90]", "[]"), ("line 8", "vary.orientation_deg is empty")),
        (YAML.replace("1.5", "0.01"), ("line 8: blocks.0.stimuli.0 (drifting_grating)", "frame")),
        (YAML.replace("clip.mp4", "no.mp4"), ("line 13", "no.mp4 does not exist")),
        (YAML.replace("temporal_hz: 2", "temporal_hz: 15"), ("line 8", "less than 15 Hz")),
        ("blocks: []", ("line 1", "the list of blocks is empty")),
        ('blocks:\n- name: "\\ud800"', ("line 2: half a surrogate pair",)),
        ("", ("blocks: Field required",)),
        ("blocks: [{stimuli: []}]", ("the list of stimuli is empty",)),
        ("blocks: [{stimuli: 3, wait: 1}]", ("blocks.0.wait: unknown key",)),
    ],
)
def test_mistakes_in_yaml_have_their_line(
    tmp_path: Path, text: str, parts: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as refused:
        read_protocol(written(tmp_path, text), LIMITS)
    for part in parts:
        assert part in str(refused.value)


def mutated(value: Any, replacement: Any, place: int) -> Any:
    """`value` with the key or item number `place`, counted over all levels, replaced."""
    count = iter(range(10**6))

    def changed(one: Any) -> Any:
        if next(count) == place:
            return replacement
        if isinstance(one, dict):
            return {key: changed(inner) for key, inner in one.items()}
        return [changed(inner) for inner in one] if isinstance(one, list) else one

    return changed(value)


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)


@given(replacement=ODD, place=st.integers(0, 16))
def test_any_other_value_is_displayable_or_refused(
    tmp_path_factory: pytest.TempPathFactory, replacement: Any, place: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    content = json.dumps({"protocol": mutated(yaml.safe_load(YAML)["blocks"], replacement, place)})
    text = f"from json import loads\nprotocol = loads({content!r})['protocol']"
    try:
        protocol = read_protocol(written(folder, text, "any.py"), LIMITS)
    except ConfigError:
        return
    assert next(planned_trials(protocol)).clip()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = 1\nprotocol = [b]", "line 2: NameError: name 'b' is not defined"),
        ("a = 1\n\nprotocol = [", "line 3: SyntaxError"),
        ("import nowhere_at_all", "line 1: ModuleNotFoundError"),
        ("def f():\n    raise OSError('x')\nf()", "line 2: OSError: x"),
        ("exit(3)", "line 1: SystemExit: 3"),
        ("raise OSError('mouse\\udcff')", "line 1: OSError: mouse\\udcff"),
        ("class E(Exception):\n    __str__ = None\nraise E", "line 3: E: <exception str() failed>"),
        (PYTHON.replace("=1.5", "=-1"), "line 6: DriftingGrating.duration_s: Input should be"),
    ],
)
def test_an_error_in_python_is_one_sentence_with_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ProtocolCodeError) as refused:
        read_protocol(written(tmp_path, text, "wrong.py"), LIMITS)
    assert f"wrong.py, {words}" in str(refused.value)
    assert "must define the list `protocol`" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("blocks = []", "`protocol` must be a list of blocks, got nothing"),
        ("protocol = 'x'", "`protocol` must be a list of blocks, got a str"),
        ("protocol = [{'stimuli': [{'kind': 'snow'}]}]", "unknown kind 'snow'"),
        ("protocol = []", "the list of blocks is empty"),
        ("protocol = []\nprotocol.append(protocol)", "`protocol` contains itself"),
        ("seed = -1\nprotocol = [{'stimuli': [{'kind': 'blank', 'duration_s': 1}]}]", "seed"),
    ],
)
def test_python_that_defines_something_else_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        read_protocol(written(tmp_path, text, "other.py"), LIMITS)


def test_a_protocol_that_is_not_there_or_has_another_ending_is_named(tmp_path: Path) -> None:
    for name in ("none.yaml", "none.py"):
        with pytest.raises(MissingFileError, match=r"stimulus\.protocol .*none"):
            read_protocol(tmp_path / name, LIMITS)
    with pytest.raises(ConfigError, match=r"ends with '\.txt': give a file that ends with"):
        read_protocol(written(tmp_path, YAML, "a.txt"), LIMITS)


ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "stimulus.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("language", "name"), [("yaml", "page.yaml"), ("python", "page.py")])
def test_the_protocols_of_the_page_are_valid(tmp_path: Path, language: str, name: str) -> None:
    shown = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    texts = [block for block in shown if re.search(r"^(blocks:|protocol =)", block, re.M)]
    read = [read_protocol(written(tmp_path, text, name), LIMITS) for text in texts]
    conditions = [[len(block.conditions()) for block in protocol.blocks] for protocol in read]
    assert conditions == ([[9], [6]] if language == "yaml" else [[8, 8, 8]])


def test_the_example_of_the_project_is_valid() -> None:
    config = read_config(ROOT / "configs" / "gratings.yaml")
    assert config.stimulus.protocol == ROOT / "configs" / "protocol_gratings.yaml"
    limits = Limits.of(config.stimulus, frame_rate_hz=config.frame_rate_hz)
    trials = list(planned_trials(read_protocol(config.stimulus.protocol, limits)))
    assert len(trials) == 30
