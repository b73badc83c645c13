"""The file for Foxglove has the schemas that it documents, and the session on one time axis."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from jsonschema import Draft202012Validator
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory
from shown_run import FRAMES, LAG, SCAN_PX, write_shown_run
from written_run import WrittenRun

from rtdecode.export.colours import error_rgb, uncertainty_rgb
from rtdecode.export.foxglove import write_foxglove
from rtdecode.export.foxglove_file import FoxgloveFile
from rtdecode.export.span import Span
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import NoSuchStreamError
from rtdecode.schema.messages import Gap, Start
from rtdecode.session.notes import append_note
from rtdecode.session.recorded import RecordedSession
from rtdecode.session.session_file import recorded_wall_clock

LAYOUT = Path(__file__).resolve().parents[3] / "docs" / "foxglove_layout.json"
FIELDS = {
    "foxglove.RawImage": "timestamp frame_id width height encoding step data",
    "foxglove.Log": "timestamp level message name file line",
}
"""Names of the fields, as https://docs.foxglove.dev/docs/sdk/schemas lists them."""
HOUR_NS = 3_600_000_000_000


class Read(NamedTuple):
    """A file, read with the libraries of MCAP and protobuf."""

    times_ns: dict[str, list[int]]
    messages: dict[str, list[Any]]
    schemas: dict[str, Any]
    order: list[int]


def read(path: Path) -> Read:
    times, messages = defaultdict(list), defaultdict(list)
    schemas, order = {}, []
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
        for schema, channel, raw in reader.iter_messages(log_time_order=False):
            times[channel.topic].append(raw.log_time)
            schemas[channel.topic] = schema
            order.append(raw.log_time)
            if channel.message_encoding == "json":
                messages[channel.topic].append(json.loads(raw.data))
        for _, channel, _, decoded in reader.iter_decoded_messages(
            topics=[topic for topic, one in schemas.items() if one.encoding == "protobuf"]
        ):
            messages[channel.topic].append(decoded)
    return Read(times, messages, schemas, order)


@pytest.fixture(scope="module")
def written(shown: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Read, list[str]]:
    path = tmp_path_factory.mktemp("foxglove") / "a.mcap"
    lacks = write_foxglove(RecordedSession(shown), path)
    return read(path), lacks


def pixels(image: Any) -> np.ndarray:
    shape = (image.height, image.width, *([3] if image.encoding == "rgb8" else []))
    assert image.step == len(image.data) // image.height
    return np.frombuffer(image.data, np.uint8).reshape(shape)


def test_the_schemas_have_the_names_and_fields_that_foxglove_documents(
    written: tuple[Read, list[str]],
) -> None:
    found, _ = written
    of_foxglove = {one.name: one for one in found.schemas.values() if one.encoding == "protobuf"}
    assert set(of_foxglove) == set(FIELDS)
    for name, schema in of_foxglove.items():
        files = FileDescriptorSet.FromString(schema.data).file
        kinds = {
            f"{file.package}.{kind.name}": kind for file in files for kind in file.message_type
        }
        assert {field.name for field in kinds[name].field} == set(FIELDS[name].split())
    for topic, schema in found.schemas.items():
        if schema.encoding == "protobuf":
            continue
        assert schema.encoding == "jsonschema"
        content = json.loads(schema.data)
        assert all(isinstance(one["type"], str) for one in content["properties"].values())
        assert all(map(Draft202012Validator(content).is_valid, found.messages[topic]))


def test_pictures_are_those_of_the_session_and_belong_together(
    written: tuple[Read, list[str]], session: RecordedSession
) -> None:
    found, _ = written
    displayed, decoded, sd = (
        session.stream(name).values for name in ("displayed", "decoded", "uncertainty")
    )
    assert len(found.messages["/displayed"]) == FRAMES
    for topic in ("/decoded", "/error", "/uncertainty"):
        assert found.times_ns[topic] == found.times_ns["/displayed"][: FRAMES - LAG]
    for k in range(0, FRAMES - LAG, 10):
        np.testing.assert_array_equal(pixels(found.messages["/displayed"][k]), displayed[k])
        np.testing.assert_array_equal(pixels(found.messages["/decoded"][k]), np.rint(decoded[k]))
        expected = error_rgb(displayed[k], decoded[k])
        np.testing.assert_array_equal(pixels(found.messages["/error"][k]), expected)
        expected = uncertainty_rgb(sd[k])
        np.testing.assert_array_equal(pixels(found.messages["/uncertainty"][k]), expected)
    field = found.messages["/field_of_view"]
    assert (field[0].height, field[0].width) == (SCAN_PX, SCAN_PX)
    # 30 scans a second for three seconds, about two of them a second
    assert len(field) == FRAMES / 15


def test_times_rise_and_count_from_an_hour_where_the_wall_clock_is_not_known(
    written: tuple[Read, list[str]], session: RecordedSession
) -> None:
    found, lacks = written
    assert found.order == sorted(found.order)
    expected = HOUR_NS + np.round((np.arange(FRAMES) + 0.5) / 30 * 1e9)
    np.testing.assert_allclose(found.times_ns["/displayed"], expected, atol=1e4)
    stamped = [one.timestamp.ToNanoseconds() for one in found.messages["/displayed"]]
    assert stamped == found.times_ns["/displayed"]
    assert [text for text in lacks if "wall clock is not known" in text]
    assert recorded_wall_clock(session.layout) is None


def test_numbers_and_events_are_there(
    written: tuple[Read, list[str]], session: RecordedSession
) -> None:
    found, _ = written
    assert [one["video_r"] for one in found.messages["/score"]] == [0.29, 0.59, 0.89]
    assert len(found.messages["/behaviour"]) == len(session.behaviour)
    assert found.messages["/behaviour"][5]["running_cm_s"] == 5
    assert len(found.messages["/latency"]) == FRAMES - LAG
    # from the middle of the frame to the start of the fourth after it
    assert found.messages["/latency"][0]["total_ms"] == pytest.approx(3.5 / 30 * 1000, abs=0.01)
    assert [one["clip"] for one in found.messages["/clip"]] == ["waves", "grains", "waves"]
    (event,) = found.messages["/log"]
    assert (event.name, event.message) == ("bridge", "a warning")
    assert event.Level.Name(event.level) == "WARNING"


def test_the_wall_clock_notes_and_missing_messages_are_stated(
    session: RecordedSession, tmp_path: Path
) -> None:
    run = WrittenRun(tmp_path / "run", RunConfig())
    frame = 4_000_000
    t_ns, utc_ns = run.grid.start_ns(frame), 1_700_000_000_000_000_000
    begin = Start("s", "", "", "", utc_ns=utc_ns, utc_at_ns=t_ns - 5_000_000_000)
    run.send("supervisor", begin, frame)
    for stamped in session.messages("displayed_frame"):
        run.send("stimulus", stamped.message.body, frame)
    run.send("view", Gap("bridge/scan", 3, 2, "view"), frame + 1)
    other = RecordedSession(run.end().folder)
    clock = recorded_wall_clock(other.layout)
    assert clock is not None
    append_note(other.layout, "the eye was closed", utc=clock.utc(t_ns))
    lacks = write_foxglove(other, tmp_path / "a.mcap")
    found = read(tmp_path / "a.mcap")
    first_ns = utc_ns + 5_000_000_000 + round(0.5 / 30 * 1e9)
    assert found.times_ns["/displayed"][0] == pytest.approx(first_ns, abs=1e4)
    texts = [one.message for one in found.messages["/log"]]
    assert texts[0] == "2 messages of bridge/scan are missing"
    assert re.fullmatch(r"Note of 2023-11-14 .* UTC: the eye was closed", texts[-1])
    assert not [text for text in lacks if "wall clock" in text]
    assert "/decoded" not in found.messages


def test_a_span_has_what_lies_in_it(session: RecordedSession, tmp_path: Path) -> None:
    write_foxglove(session, tmp_path / "a.mcap", span=Span(1.0, 1.5))
    found = read(tmp_path / "a.mcap")
    times_s = (np.array(found.order) - HOUR_NS) / 1e9
    assert (times_s.min(), times_s.max()) == (
        pytest.approx(1.0, abs=0.02),
        pytest.approx(1.5, abs=0.02),
    )
    assert len(found.messages["/decoded"]) == 15


def test_a_session_without_frames_is_refused(tmp_path: Path) -> None:
    run = WrittenRun(tmp_path / "run", RunConfig())
    run.send("view", Gap("bridge/scan", 3, 2, "view"), 4_000_000)
    with pytest.raises(NoSuchStreamError, match="no displayed and no decoded frames"):
        write_foxglove(RecordedSession(run.end().folder), tmp_path / "a.mcap")


def test_several_planes_have_their_own_field_of_view(tmp_path: Path) -> None:
    session = RecordedSession(write_shown_run(tmp_path / "run", planes=2).folder)
    write_foxglove(session, tmp_path / "a.mcap", span=Span(0, 0.5))
    found = read(tmp_path / "a.mcap").messages
    assert {"/field_of_view/plane_0", "/field_of_view/plane_1"} <= set(found)


def test_what_is_not_finite_is_left_out(tmp_path: Path) -> None:
    with FoxgloveFile(tmp_path / "a.mcap") as file:
        file.values("/score", {"video_r": 0.5, "ssim": 0.25}, 10)
        file.values("/score", {"video_r": float("nan"), "ssim": float("inf")}, 20)
    assert read(tmp_path / "a.mcap").messages["/score"] == [{"video_r": 0.5, "ssim": 0.25}, {}]


def test_the_layout_shows_topics_and_fields_that_are_there(
    written: tuple[Read, list[str]],
) -> None:
    found, _ = written
    panels = json.loads(LAYOUT.read_text(encoding="utf-8"))["configById"]
    topics = {one["imageMode"]["imageTopic"] for one in panels.values() if "imageMode" in one}
    topics |= {one["topicToRender"] for one in panels.values() if "topicToRender" in one}
    assert topics <= set(found.messages)
    for panel in panels.values():
        for path in panel.get("paths", ()):
            topic, _, name = path["value"].partition(".")
            assert name in found.messages[topic][0]
