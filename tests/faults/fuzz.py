"""Mutated messages to every socket of rtdecode, beside valid ones, and mutated bytes to readers.

    python tests/faults/fuzz.py --messages 1000000 --json benchmarks/results/fuzz.json

Each of the eight doors of `fuzz_doors` gets its share. Nothing may end; every message is read or
refused, and the two numbers together are what was sent; the valid messages all arrive; the memory
of the process does not grow after the first third. A subscriber's messages count where their first
bytes are those of a kind that it subscribes to. Messages that are larger than a socket permits are
not among them, because they end their connection.
"""

import argparse
import gc
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fuzz_doors import Door, doors, log_is_whole
from mutations import Mutator, batches
from small_rig import SmallRig

from rtdecode.bench.result_file import write_benchmark
from rtdecode.calcium.roi_files import read_pixel_lists
from rtdecode.runtime.clock import HostClock
from rtdecode.runtime.codec import pack
from rtdecode.runtime.config_file import read_config
from rtdecode.schema.config import RunConfig
from rtdecode.schema.errors import RtdecodeError
from rtdecode.schema.messages import Scan, Stamped
from rtdecode.session.reader import LogReader
from rtdecode.session.recover import recover

ROOT = Path(__file__).resolve().parents[2]
SHARES = {
    "recorder": 0.2,
    "bridge": 0.15,
    "decoder": 0.05,
    "evaluate": 0.1,
    "view": 0.1,
    "controller": 0.1,
    "commands": 0.1,
    "control": 0.2,
}
"""Part of the messages that each door gets; the fastest ones get most."""
BATCH = 50
_WARM_UP = 1 / 3
_CALIBRATION_SCANS = 25


@dataclass(frozen=True, slots=True)
class DoorResult:
    """What one door did with what it was sent."""

    door: str
    sent: int
    read: int
    refused: int
    legitimate_sent: int
    legitimate_read: int
    grown_kb: float
    """Growth of the process's memory after the first third of this door's messages."""

    @property
    def mistakes(self) -> list[str]:
        """What must not be."""
        found = {
            "messages are not counted": self.sent != self.read + self.refused,
            "valid messages are missing": self.legitimate_sent != self.legitimate_read,
        }
        return [mistake for mistake, holds in found.items() if holds]


def small_config(folder: Path) -> RunConfig:
    """Config of a run on the small rig, whose ROIs are written to `folder`."""
    rois = folder / "masks.npz"
    SmallRig().rois.save(rois)
    return RunConfig.model_validate(
        {
            "acquisition": {"source": {"kind": "raw_movie", "scan_rate_hz": 15.0}},
            "stimulus": {"clips": folder, "rows_px": 6, "cols_px": 8},
            "calcium": {"rois": rois, "reference_scans": 4, "calibration_s": 0.5},
            "decode": None,
        }
    )


def fuzzed(
    folder: Path,
    *,
    messages: int,
    seed: int,
    report: Callable[[DoorResult], None] = lambda _result: None,
) -> list[DoorResult]:
    """Send `messages` mutated messages to all doors together; results by door."""
    results = []
    with doors(folder, small_config(folder)) as made:
        for number, (name, share) in enumerate(SHARES.items()):
            result = _door(made[name], round(messages * share), seed=seed * 100 + number)
            report(result)
            results.append(result)
        made["recorder"].close()
    if not log_is_whole(folder, recorded=results[0].read):
        raise AssertionError("the log lacks messages that were read")
    return results


def _door(door: Door, n: int, *, seed: int) -> DoorResult:
    clock = HostClock()
    shape = (48, 56) if door.name == "decoder" else (6, 8)
    mutator = Mutator(seed, kinds=door.kinds, shape=shape, now_ns=clock.now_ns())
    if door.name == "decoder":
        _calibrate(door, clock)
    rss_kb, measured = 0.0, False
    for number, batch in enumerate(batches(mutator, n, size=BATCH)):
        for parts in batch:
            door.send(parts)
        door.send_legitimate(clock.now_ns())
        if not door.step_until_all_came():
            break
        if not measured and number * BATCH >= n * _WARM_UP:
            rss_kb, measured = resident_kb(), True
    return DoorResult(
        door=door.name,
        sent=door.n_sent,
        read=door.counted.n_read,
        refused=door.counted.n_unread,
        legitimate_sent=door.n_legitimate,
        legitimate_read=len(door.counted.legitimate),
        grown_kb=resident_kb() - rss_kb,
    )


def _calibrate(door: Door, clock: HostClock) -> None:
    """Send the scans from which the chain is calibrated, before any mutated one."""
    rig, period_ns = SmallRig(), round(1e9 / 15)
    begun_ns = clock.now_ns() - _CALIBRATION_SCANS * period_ns
    for number in range(_CALIBRATION_SCANS):
        _, scan = rig.bodies(number)
        start_ns = begun_ns + number * period_ns
        body = Scan(scan.pixels_counts, number, 0, start_ns, start_ns + period_ns // 2)
        door.send([pack(Stamped("bridge", number, start_ns, "host", body))])
    if not door.step_until_all_came():
        raise AssertionError("the scans of the calibration did not arrive")


def resident_kb() -> float:
    """Memory of this process in kB, after unused objects were removed."""
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return float(line.split()[1])


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    """The intact file."""
    read: Callable[[Path], object]


def _read_log(path: Path) -> None:
    reader = LogReader(path)
    list(reader.messages())
    reader.summary()
    recover(path.parent)
    list(LogReader(path).messages())


def files_fuzzed(folder: Path, *, files: int, seed: int) -> Counter[str]:
    """Read `files` mutated files of each kind; how many were read, and how many refused."""
    folder.mkdir(exist_ok=True)
    SmallRig().rois.save(folder / "masks.npz")
    kinds = {
        "log": _File(ROOT / "tests" / "golden" / "session_wire1" / "log.mcap", _read_log),
        "config": _File(ROOT / "configs" / "demo.yaml", read_config),
        "ROIs": _File(folder / "masks.npz", lambda path: read_pixel_lists(path, shape=(48, 56))),
    }
    mutator, found = Mutator(seed), Counter[str]()
    for name, file in kinds.items():
        intact = file.path.read_bytes()
        for number in range(files):
            changed = folder / f"{name}{number}" / file.path.name
            changed.parent.mkdir()
            changed.write_bytes(mutator.changed(intact))
            found[f"{name}: {_outcome(file, changed)}"] += 1
            for one in changed.parent.iterdir():
                one.unlink()
            changed.parent.rmdir()
    return found


def _outcome(file: _File, changed: Path) -> str:
    try:
        file.read(changed)
    except RtdecodeError:
        return "refused"
    return "read"


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print and write the result; 1 where something is not counted or missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=10_000, help="mutated messages in all")
    parser.add_argument("--files", type=int, default=300, help="mutated files of each kind")
    parser.add_argument("--seed", type=int, default=0, help="seed of the mutations")
    parser.add_argument("--json", type=Path, help="file of the result")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        found = fuzzed(Path(folder), messages=args.messages, seed=args.seed, report=_print)
        files = files_fuzzed(Path(folder) / "files", files=args.files, seed=args.seed)
    for outcome, n in files.items():
        print(f"{outcome}: {n:,}")
    if args.json is not None:
        results = {"doors": [asdict(one) for one in found], "files": dict(files)}
        settings = {"messages": args.messages, "files": args.files, "seed": args.seed}
        write_benchmark(args.json, name="mutated messages", config=settings, results=results)
    return int(any(one.mistakes for one in found))


def _print(result: DoorResult) -> None:
    print(
        f"{result.door}: {result.sent:,} sent, {result.read:,} read, {result.refused:,} refused, "
        f"{result.grown_kb:,.0f} kB more memory {result.mistakes or ''}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
