"""A config file is read once; every mistake is told at once, with its line."""

import contextlib
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtdecode.runtime.config_file import config_yaml, read_config, write_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import ConfigError, MissingFileError

EARLIER_SESSION = Path(__file__).resolve().parents[2] / "golden" / "session_wire1" / "config.yaml"


def written(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text)
    return path


def test_an_empty_file_is_a_run_of_defaults(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, "# nothing\n")).decode == RunConfig().decode


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, "seconds: 3\ncalcium: {rois: here/masks.npz}\n"))
    write_config(config, tmp_path / "again.yaml")
    assert read_config(tmp_path / "again.yaml") == config


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, "calcium: {rois: ../masks.npz}\n"))
    assert config.calcium.rois == tmp_path / "../masks.npz"


@pytest.mark.parametrize("path", [r"D:\data\run 3\m.tif", "D:/data/m.tif", r"\\rig\share\m.tif"])
def test_a_path_of_another_hosts_system_stays_as_it_is(tmp_path: Path, path: str) -> None:
    source = f"acquisition: {{source: {{kind: tiff_tail, path: '{path}'}}}}\n"
    config = read_config(written(tmp_path, source))
    assert config.model_dump()["acquisition"]["source"]["path"] == Path(path)
    write_config(config, tmp_path / "again.yaml")
    assert read_config(tmp_path / "again.yaml") == config


@pytest.mark.parametrize(
    ("twins", "sentence"),
    [
        ("first", r"line 2: decode\.twins: give a list, as \[A, B\] .*, got 'first'"),
        ("[first, 3]", r"line 2: decode\.twins\.1: give the path of a file or folder, got 3"),
    ],
)
def test_a_mistake_is_stated_in_words_of_yaml(tmp_path: Path, twins: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read_config(written(tmp_path, f"decode:\n  twins: {twins}\n"))


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ("lag_frames: null", "null"),
        ("lag_frames: ~", "null"),
        ("twins: [first, yes]", "true"),
        ("lag_frames: soon", "'soon'"),
        ("lag_frames: 2026-12-01", '"2026-12-01"'),
        ("lag_frames: [1, null, off]", "[1, null, false]"),
        ("lag_frames: {a: null, 2026-12-01: 3}", '{"a": null}'),
    ],
)
def test_a_wrong_value_is_shown_as_yaml_and_not_as_python_has_it(
    tmp_path: Path, setting: str, shown: str
) -> None:
    with pytest.raises(ConfigError, match=rf"line 2: decode\.\S+: .*, got {re.escape(shown)}$"):
        read_config(written(tmp_path, f"decode:\n  {setting}\n"))


def test_all_mistakes_come_at_once_with_their_lines(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "seconds: soon\n"
        "decode:\n"
        "  window_frames: 8\n"
        "  lag_frames: 9\n"
        "acquisition:\n"
        "  source:\n"
        "    kind: simulated\n"
        "    neurons: -5\n"
        "calcum: {}\n",
    )
    with pytest.raises(ConfigError) as refusal:
        read_config(path)
    text = str(refusal.value)
    assert "4 mistakes" in text
    assert "line 1: seconds" in text
    assert "'soon'" in text
    assert "line 2: decode: lag_frames=9 lies outside the window" in text
    assert "line 8: acquisition.source" in text
    assert "line 9: calcum: unknown key" in text
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2\n", "just words"])
def test_what_is_no_map_of_sections_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"run\.yaml has 1 mistake"):
        read_config(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"nowhere\.yaml does not exist"):
        read_config(tmp_path / "nowhere.yaml")


def test_a_protocol_in_place_of_a_config_is_named_as_one(tmp_path: Path) -> None:
    text = "seed: 1\nblocks:\n  - stimuli:\n      - {kind: blank, duration_s: 1.0}\n"
    with pytest.raises(ConfigError, match=r"stimulus protocol.*stimulus\.protocol"):
        read_config(written(tmp_path, text))


def test_a_run_without_a_recorder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must include recorder"):
        read_config(written(tmp_path, "processes: [bridge]\n"))


def test_the_config_of_an_earlier_session_is_read_and_written_with_present_names(
    tmp_path: Path,
) -> None:
    text = EARLIER_SESSION.read_text(encoding="utf-8")
    assert "masks:" in text
    assert text.count("frame_rate_hz: 30.0") == 3
    config = read_config(EARLIER_SESSION)
    assert config.frame_rate_hz == 30
    write_config(config, tmp_path / "again.yaml")
    again = (tmp_path / "again.yaml").read_text(encoding="utf-8")
    assert "masks:" not in again
    assert again.count("frame_rate_hz: 30.0") == 1
    assert read_config(tmp_path / "again.yaml") == config


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        read_config(path)
    assert error.value.exit_code == 2
    return str(error.value)


def test_a_section_that_is_given_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    text = refusal(written(tmp_path, "view: {port: 1}\nseconds: 3\nview: {port: 2}\n"))
    assert "line 3: view is given twice, in line 1 and in line 3" in text


def test_all_keys_that_are_given_twice_are_listed_by_their_full_names(tmp_path: Path) -> None:
    text = refusal(written(tmp_path, "decode:\n  steps: 1\n  steps: 2\nview: {port: 1, port: 2}\n"))
    assert "2 mistakes" in text
    assert "line 3: decode.steps is given twice, in line 2 and in line 3" in text
    assert "line 4: view.port is given twice, in line 4 and in line 4" in text


def test_a_file_in_another_encoding_is_refused_with_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(b"seconds: 5\n# M\xe4use\n")
    assert "line 2: byte 0xe4 is not UTF-8: save the file as UTF-8" in refusal(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_windows_editors_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes("# Mäuse\r\nseconds: 5\r\n".encode(encoding))
    assert read_config(path).seconds == 5


def test_aliases_are_refused_before_they_are_expanded(tmp_path: Path) -> None:
    lines = ["x: &a [1,1,1,1,1,1,1,1,1]"]
    lines += [f"y{i}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]" for i in range(9)]
    assert "line 2: alias *a: write the value itself" in refusal(
        written(tmp_path, "\n".join(lines))
    )


def test_nesting_and_size_are_bounded(tmp_path: Path) -> None:
    assert "more than 20 levels" in refusal(written(tmp_path, "view: " + "[" * 5000))
    assert "characters" in refusal(written(tmp_path, f"seconds: 0x{'f' * 9000}"))
    assert "more than 1000000 bytes" in refusal(written(tmp_path, "#" * 1_000_001))


@pytest.mark.parametrize("text", ["", "\n", "# a comment\n"])
def test_an_empty_file_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    assert read_config(written(tmp_path, text)) == read_config(written(tmp_path, "seconds: null\n"))
    assert caplog.messages == [
        f"{tmp_path / 'run.yaml'} is empty: every setting of the run has its default"
    ]


def test_what_is_no_regular_file_is_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in (
        (tmp_path / "pipe", "is a named pipe"),
        (tmp_path, "is a folder"),
        (Path("/dev/zero"), "is a device"),
    ):
        with pytest.raises(MissingFileError, match=rf"config {path} {kind}, not a file"):
            read_config(path)


VALID = (
    (Path(__file__).resolve().parents[3] / "configs" / "demo.yaml").read_bytes(),
    config_yaml(RunConfig()).encode(),
    b"processes: [recorder, bridge]\nstimulus: {window_px: [64, 36], seed: 0x1f}\n",
)
YAML = b"&a *a !!int !!timestamp !!binary !!set ? <<: 2001-99-99 1:99:1 1e999 .nan ~ { [ : - | % '"
PIECES = (*YAML.split(), b'"', b"\n", b"\0", b"\xff", b"\xed\xa0\x80")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A config file that was truncated, or in which bytes were replaced or inserted."""
    raw = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 5))):
        place = draw(st.integers(0, len(raw) - 1))
        if draw(st.booleans()):
            raw[place] = draw(st.integers(0, 255))
        else:
            raw[place:place] = draw(st.sampled_from(PIECES))
    return bytes(raw[: draw(st.integers(0, len(raw)))] if draw(st.booleans()) else raw)


@given(content=damaged() | st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
def test_any_bytes_are_a_config_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "run.yaml"
    path.write_bytes(content)
    with contextlib.suppress(ConfigError):
        assert isinstance(read_config(path), RunConfig)


def test_each_of_several_paths_is_relative_to_the_file_of_the_config(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, "decode: {twins: [one, /elsewhere/two]}\n"))
    assert config.decode is not None
    assert config.decode.twins == (tmp_path / "one", Path("/elsewhere/two"))
    write_config(config, tmp_path / "resolved.yaml")
    assert read_config(tmp_path / "resolved.yaml") == config
