"""What a session log with one changed byte loses, and whether it states that rightly.

    .venv/bin/python benchmarks/changed_bytes.py

Changes one byte of a log at seeded positions, 100 in each of two logs: the session of
`tests/golden`, and one with scans that is written here. A fifth of the positions are in the header,
the lengths of chunks, the message indices, the summary and the footer, the others are uniform. The
intact log is read with `mcap` alone: its messages, and which record covers each byte. Of each
changed log `LogReader` must give every message outside the changed chunk, state streams, counts and
times of those that are missing, and leave a repaired log with the same messages, read with `mcap`.
Prints the totals and writes `benchmarks/results/changed_bytes.json`.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from mcap.reader import make_reader
from mcap.records import Channel, Chunk, Message
from mcap.stream_reader import StreamReader, breakup_chunk

from rtdecode.bench.result_file import write_benchmark
from rtdecode.runtime.codec import current_stream, pack
from rtdecode.schema.errors import UnreadableFileError
from rtdecode.schema.messages import Behaviour, Body, Scan, Stamped
from rtdecode.session.reader import LogReader
from rtdecode.session.recorder import Recorder
from rtdecode.session.recover import recover
from rtdecode.session.replay import RecordedClock

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "session_wire1" / "log.mcap"
RESULTS = ROOT / "benchmarks" / "results" / "changed_bytes.json"
MAGIC_BYTES, HEAD_BYTES = 8, 9
"""Lengths of the magic bytes, and of the opcode and the length that begin each record."""
CHOSEN_SHARE = 5
"""One of so many positions is in a chosen structure."""
MS = 1_000_000

Entry = tuple[str, int, bytes]
"""Stream, time of reception and bytes of one message."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of an intact log."""

    kind: str
    start: int
    stop: int
    messages: Sequence[Entry]
    """Those of a chunk."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one changed byte costs, and what is wrong about it; a right outcome has no mistake."""

    log: str
    position: int
    changed_to: int
    record: str
    messages_missing: int
    mistakes: Sequence[str]


def records(log: Path) -> list[Record]:
    """Every record with its first byte and the byte after it, read with `mcap` alone."""
    found, topics = list[Record](), dict[int, str]()
    with log.open("rb") as file:
        at = MAGIC_BYTES
        for record in StreamReader(file, emit_chunks=True).records:
            inner = breakup_chunk(record, validate_crc=True) if isinstance(record, Chunk) else []
            for one in [*inner, record]:
                if isinstance(one, Channel):
                    topics[one.id] = current_stream(one.topic)
            messages = [
                (topics[one.channel_id], one.log_time, one.data)
                for one in inner
                if isinstance(one, Message)
            ]
            found.append(Record(type(record).__name__, at, file.tell(), messages))
            at = file.tell()
    return found


def plain_messages(log: Path) -> Counter[Entry]:
    """All messages by the index of a log, read with `mcap` alone."""
    with log.open("rb") as file:
        found = make_reader(file, validate_crcs=True).iter_messages()
        return Counter((current_stream(c.topic), m.log_time, m.data) for _, c, m in found)


def positions(layout: Sequence[Record], size: int, n: int, rng: random.Random) -> Iterator[int]:
    """`n` positions: some in chosen structures, each in turn, and the others uniform."""
    by_kind = {
        kind: [one for one in layout if one.kind == kind]
        for kind in dict.fromkeys(map(_kind, layout))
    }
    turns = [*by_kind, "length of a chunk", "fields of a chunk", "magic bytes"]
    for number in range(n):
        if number % CHOSEN_SHARE:
            yield rng.randrange(size)
            continue
        turn = turns[number // CHOSEN_SHARE % len(turns)]
        if turn == "magic bytes":
            yield rng.choice([rng.randrange(MAGIC_BYTES), size - 1 - rng.randrange(MAGIC_BYTES)])
            continue
        record = rng.choice(by_kind.get(turn) or by_kind["Chunk"])
        first, last = {
            "length of a chunk": (1, HEAD_BYTES),
            "fields of a chunk": (HEAD_BYTES, HEAD_BYTES + 40),
        }.get(turn, (0, record.stop - record.start))
        yield record.start + rng.randrange(first, last)


def _kind(record: Record) -> str:
    return record.kind


def outcome(log: Path, position: int, mask: int, *, layout: Sequence[Record]) -> Outcome:
    """Read and repair a copy of `log` in which `mask` is applied to the byte at `position`."""
    content = bytearray(log.read_bytes())
    content[position] ^= mask
    hit = next((one for one in layout if one.start <= position < one.stop), None)
    with tempfile.TemporaryDirectory() as folder:
        changed = Path(folder) / "log.mcap"
        changed.write_bytes(content)
        missing, mistakes = _compared(changed, layout, hit)
    return Outcome(
        log=log.parent.name,
        position=position,
        changed_to=content[position],
        record="magic bytes" if hit is None else hit.kind,
        messages_missing=missing,
        mistakes=mistakes,
    )


def _compared(changed: Path, layout: Sequence[Record], hit: Record | None) -> tuple[int, list[str]]:
    """Number of missing messages, and what the reader or the repair states wrongly."""
    whole = Counter(entry for record in layout for entry in record.messages)
    reader = LogReader(changed)
    try:
        kept = Counter((one.stream, one.t_received_ns, one.data) for one in reader.logged())
    except UnreadableFileError as error:
        return whole.total(), [str(error)]
    missing = whole - kept
    expected = Counter(() if hit is None else hit.messages)
    stated = sum((Counter(one.counts) for one in reader.damage), Counter[str]())
    times = sorted(t_ns for _, t_ns, _ in missing)
    spans = [(one.first_ns, one.last_ns) for one in reader.damage if one.counts]
    right = {
        "messages were made up": not kept - whole,
        "messages outside the changed record are missing": missing <= expected,
        "a part of a chunk is missing": missing in (Counter(), expected),
        "streams or counts are wrong": stated == Counter(stream for stream, _, _ in missing),
        "the count is not stated as exact": all(one.counted for one in reader.damage),
        "times are wrong": spans == ([(times[0], times[-1])] if times else []),
        "a log with a gap is called complete": not (missing and reader.complete),
    }
    report = recover(changed.parent)
    right["the repaired log differs"] = plain_messages(changed) == kept
    right["the repair states another number"] = sum(report.counts.values()) == kept.total()
    return missing.total(), [mistake for mistake, holds in right.items() if not holds]


def write_own_session(folder: Path) -> Path:
    """A log of 40 scans of 128 x 128 pixels of noise and 200 samples of behaviour; its path."""
    folder.mkdir(parents=True)
    clock, rng = RecordedClock(), np.random.default_rng(3)
    recorder = Recorder(folder, flush_s=0.2, clock=clock)

    def say(body: Body, seq: int, t_ns: int) -> None:
        clock.sleep_until(t_ns)
        message = Stamped("bridge", seq, t_ns, "host", body)
        recorder.write(pack(message), message, t_ns)

    for n in range(200):
        t_ns = 10_000 * MS + n * 10 * MS
        say(Behaviour(t_ns, float(n), 20.0, np.array([1, 2], np.float32)), n, t_ns)
        if n % 5 == 0:
            pixels = rng.poisson(300, (128, 128)).astype(np.uint16)
            say(Scan(pixels, n // 5, 0, t_ns - 50 * MS, t_ns), n // 5, t_ns)
    recorder.close()
    return folder / "log.mcap"


def outcomes(logs: Sequence[Path], *, changes: int, seed: int) -> Iterator[Outcome]:
    """`changes` changed bytes, the same number in each of `logs`."""
    rng = random.Random(seed)  # noqa: S311 - a draw, not a secret
    for log in logs:
        layout = records(log)
        for at in positions(layout, log.stat().st_size, changes // len(logs), rng):
            yield outcome(log, at, rng.randrange(1, 256), layout=layout)


def main() -> int:
    """Run, print and write the result; 1 where something was stated wrongly."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--changes", type=int, default=200, help="changed bytes, one at a time")
    parser.add_argument("--seed", type=int, default=0, help="seed of the positions")
    parser.add_argument("--json", type=Path, default=RESULTS, help="file of the result")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        logs = [GOLDEN, write_own_session(Path(folder) / "own_session")]
        found = list(outcomes(logs, changes=args.changes, seed=args.seed))
    wrong = [one for one in found if one.mistakes]
    counts = Counter(one.record for one in found)
    for kind, n in counts.most_common():
        missing = max(one.messages_missing for one in found if one.record == kind)
        print(f"{n:4d} in {kind}: at most {missing} messages missing")
    print(f"{len(found)} changed bytes, {len(wrong)} with a wrong statement")
    results = {
        "changes": len(found),
        "wrong": [asdict(one) for one in wrong],
        "by_record": dict(counts),
        "with_missing_messages": sum(one.messages_missing > 0 for one in found),
        "outcomes": [asdict(one) for one in found],
    }
    settings = {"changes": args.changes, "seed": args.seed}
    write_benchmark(args.json, name="changed bytes", config=settings, results=results)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
