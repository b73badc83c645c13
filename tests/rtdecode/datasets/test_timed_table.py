"""Tables of other programs: separators, names in any case, and times of scans."""

from pathlib import Path

import numpy as np
import pytest

from rtdecode.datasets.timed_table import read_table, times_of_scans
from rtdecode.schema.errors import UnreadableFileError


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_are_found_by_name_whatever_separates_them(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "table.csv"
    rows = ["T_s, Clip", "1.5,a.mp4", "", "2,b c.mp4"]
    path.write_text("\ufeff" + "\n".join(rows).replace(",", separator), encoding="utf-8")
    table = read_table(path, what="log", needed=("t_s", "clip"))
    assert table == {"t_s": ["1.5", "2"], "clip": ["a.mp4", "b c.mp4"]}


def test_scan_times_are_read_from_text_and_arrays(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("t_s\n0.1\n0.2\n0.3\n")
    np.save(tmp_path / "t.npy", np.array([0.1, 0.2, 0.3]))
    for name in ("t.csv", "t.npy"):
        assert times_of_scans(tmp_path / name, scans=3).tolist() == [0.1, 0.2, 0.3]
    np.save(tmp_path / "back.npy", np.array([0.1, 0.3, 0.2]))
    with pytest.raises(UnreadableFileError, match="increasing times"):
        times_of_scans(tmp_path / "back.npy", scans=3)
    with pytest.raises(UnreadableFileError, match="3 times"):
        times_of_scans(tmp_path / "t.npy", scans=4)
