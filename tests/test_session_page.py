"""docs/session.md says what lies in a session folder, and its lines of Python read a log."""

import re
from pathlib import Path

import numpy as np

from rtdecode.runtime.codec import pack
from rtdecode.schema.messages import Reconstruction, Stamped
from rtdecode.session.layout import SessionLayout
from rtdecode.session.log_parts import LogParts, parts_of

PAGE = Path(__file__).resolve().parents[1] / "docs" / "session.md"
MOST_LINES = 15
LAG_NS = 300_000_000


def block() -> str:
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def decoded(frame: int) -> Reconstruction:
    """Decoded frame number `frame`; every value states it."""
    grey = np.full((3, 4), frame, np.float32)
    times_ns = [frame * 1_000_000_000] * 6
    return Reconstruction(grey, grey, frame, *times_ns, 8, 3, 1.0, warm=True, late=False)


def write_session(folder: Path, *, frames: int) -> None:
    """A log in several parts, with a damaged copy of one of them beside it."""
    log = LogParts(SessionLayout(folder).log, name="of a test", part_bytes=2000)
    for frame in range(frames):
        data = pack(Stamped("emit", frame, 0, "host", decoded(frame)))
        t_ns = frame * 1_000_000_000 + LAG_NS
        log.add(data, stream="emit/reconstruction", seq=frame, t_sent_ns=t_ns, t_logged_ns=t_ns)
        log.flush()
        log.wait()
    log.close()
    for name in ("log.damaged.mcap", "log_0001.damaged.mcap"):
        (folder / name).write_bytes(b"damaged")


def test_the_lines_of_the_page_give_decoded_frames_with_times(tmp_path: Path) -> None:
    write_session(tmp_path, frames=20)
    assert len(parts_of(SessionLayout(tmp_path).log)) > 2
    found: dict[str, list[float]] = {}
    exec(block().replace("SESSION", str(tmp_path)), found)
    assert found["times_s"] == list(range(20))
    np.testing.assert_array_equal(np.stack(found["frames"])[:, 2, 3], np.arange(20))


def test_they_are_few_and_need_no_rtdecode() -> None:
    lines = [line for line in block().splitlines() if line.strip()]
    assert len(lines) <= MOST_LINES
    assert "rtdecode" not in block()
    packages = set(re.findall(r"^(?:from|import) (\w+)", block(), re.MULTILINE))
    assert packages == {"pathlib", "msgpack", "numpy", "mcap"}


def test_the_page_names_the_files_of_a_session() -> None:
    layout, page = SessionLayout(Path("session")), PAGE.read_text(encoding="utf-8")
    paths = {
        getattr(layout, name)
        for name, value in vars(SessionLayout).items()
        if isinstance(value, property) and isinstance(getattr(layout, name), Path)
    }
    missing = [path.name for path in paths - {layout.folder} if f"`{path.name}" not in page]
    assert sorted(missing) == []
