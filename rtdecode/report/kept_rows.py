"""Rows of a benchmark, in a file as soon as they are measured and found there after a kill."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtdecode.fit.reconstruct import without_nan
from rtdecode.report.benchmark_file import read_results, write_benchmark

Row = dict[str, Any]

_MAY_BE_NONE = "lag_frames"
"""None says that a whole clip is seen; any other None in a file is a figure that cannot be had."""


class KeptRows:
    """Rows in a benchmark's file, which holds all of them at any moment.

    Parameters
    ----------
    path, name, config
        As for `write_benchmark`; what lies in `path` already is gone on with.

    Raises
    ------
    OtherSettingsError, DamagedResultError
        As `read_results` does.
    """

    def __init__(self, path: Path, *, name: str, config: Mapping[str, Any]) -> None:
        self._path, self._name, self._config = path, name, config
        found = read_results(path, name=name, config=config) if path.is_file() else []
        self.rows: list[Row] = [_with_nan(row) for row in found]

    def find(self, **fields: Any) -> Row | None:
        """The row with these values, if it is there."""
        return next((row for row in self.rows if fields.items() <= row.items()), None)

    def add(self, row: Row) -> None:
        """Keep `row`."""
        self.rows.append(row)
        results = without_nan(self.rows)
        write_benchmark(self._path, name=self._name, config=self._config, results=results)


def _with_nan(plain: Any) -> Any:
    """A row from a file as it was before it was written."""
    if isinstance(plain, dict):
        return {k: v if k == _MAY_BE_NONE else _with_nan(v) for k, v in plain.items()}
    if isinstance(plain, list):
        return [_with_nan(value) for value in plain]
    return float("nan") if plain is None else plain
