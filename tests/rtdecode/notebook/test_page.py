"""The first block of docs/notebook.md runs as it stands, from a session to a figure."""

import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from linear_twin import write_linear_twin
from notebook_page import block_of_page, run_block
from shown_run import COLS, FRAMES, NEURONS, ROWS, write_shown_run

import rtdecode
from rtdecode.session.stream_kinds import STREAM_KINDS

mpl.use("Agg")


def test_ten_lines_lead_from_a_session_to_a_figure_and_three_decode_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shown_run(tmp_path / "sessions" / "2026-11-30_09-00-00", textured=True)
    write_linear_twin(
        tmp_path / "twin",
        neurons=NEURONS,
        videos=[np.random.default_rng(0).uniform(0, 255, (40, ROWS, COLS))],
    )
    monkeypatch.chdir(tmp_path)
    made = run_block(block_of_page(0))
    again = run_block(block_of_page(1), rd=made["rd"], session=made["session"])
    assert [frame is None for frame in again["frames"]] == [k < 12 for k in range(FRAMES)]
    try:
        images = [ax.images[0].get_array() for ax in made["axes"].flat]
        assert len(images) == 12
        np.testing.assert_array_equal(images[0], made["session"].displayed[20:21].values[0])
        made["figure"].savefig(tmp_path / "figure.png")
    finally:
        plt.close("all")


def test_it_imports_matplotlib_and_rtdecode_alone_in_ten_lines_or_so() -> None:
    block = block_of_page(0)
    imported = re.findall(r"^(?:import|from) (\w+)", block, re.MULTILINE)
    assert imported == ["matplotlib", "rtdecode"]
    assert len([line for line in block.splitlines() if line.strip()]) <= 12


def test_what_the_page_fits_with_is_there() -> None:
    block = block_of_page(2)
    assert all(hasattr(rtdecode, name) for name in re.findall(r"rd\.(\w+)", block))
    compile(block, "notebook.md", "exec")


def test_the_page_names_every_stream() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "notebook.md"
    text = page.read_text(encoding="utf-8")
    assert [name for name in STREAM_KINDS if f"`{name}`" not in text] == []
