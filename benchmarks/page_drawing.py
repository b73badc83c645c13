"""Frames a second that Debian's Chromium draws of the Microscope tab, and its memory over minutes.

    python benchmarks/page_drawing.py --session SESSION --seconds 30
    python benchmarks/page_drawing.py --session SESSION --seconds 600 --json memory.json

The page of this checkout is fed with 20 s of a recorded session, again and again, at the pace of
the recording; without `--session` the demo records one with 30 scans a second first. A frame is
drawn for each scan, so that a session of 15 scans a second permits 15. A headless browser shows the
tab. Drawn frames are counted each 5 s. At the beginning and each minute JavaScript heap, typed
arrays and DOM nodes are read through the DevTools protocol, after a garbage collection. Writes
`benchmarks/results/page_drawing.json`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from loop_latency import Setting, config_of
from page_screenshot import CHROMIUM, FLAGS
from playwright.sync_api import CDPSession, Page, sync_playwright
from session_feed import SessionFeed

from rtdecode.bench.result_file import write_benchmark
from rtdecode.demo.config import Purpose
from rtdecode.runtime.clock import HostClock
from rtdecode.schema.config.session import ViewConfig
from rtdecode.view.server import PageServer

RESULTS = Path(__file__).parent / "results" / "page_drawing.json"
_BIN_S, _MEMORY_S, _WARM_UP_S = 5.0, 60.0, 25.0
"""The first 20 s fill all arrays of the page."""
_DRAWN = "Number(document.getElementById('raster').dataset.drawn ?? 0)"
_RECORDED_S = 40.0
_RECORDED = Setting("30 scans/s", 30.0, Purpose.DISPLAY, 3, reacts=False)


def memory(protocol: CDPSession) -> dict[str, float]:
    """MB of the JavaScript heap and of typed arrays, and DOM nodes, after a garbage collection."""
    protocol.send("HeapProfiler.collectGarbage")
    heap = protocol.send("Runtime.getHeapUsage")
    return {
        "heap_mb": heap["usedSize"] / 1e6,
        "arrays_mb": heap["backingStorageSize"] / 1e6,
        "nodes": protocol.send("Memory.getDOMCounters")["nodes"],
    }


def watched(address: str, *, seconds: float) -> dict[str, Any]:
    """Drawn frames a second in bins of 5 s, and memory each minute."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}#microscope")
        protocol = page.context.new_cdp_session(page)
        page.wait_for_timeout(_WARM_UP_S * 1000)
        rates, memories = list[float](), [memory(protocol)]
        drawn, cpu_s, begun_s = page.evaluate(_DRAWN), browser_cpu_s(), time.monotonic()
        while (passed_s := time.monotonic() - begun_s) < seconds:
            if passed_s > _MEMORY_S * len(memories):
                memories.append(memory(protocol))
            rates.append(drawn_a_second(page))
        cpu_ms = 1000 * (browser_cpu_s() - cpu_s) / max(1, page.evaluate(_DRAWN) - drawn)
        memories.append(memory(protocol))
        browser.close()
    return {"drawn_a_second": rates, "cpu_ms_a_frame": cpu_ms, "memory": memories}


def browser_cpu_s() -> float:
    """Processor time in s that all processes of the browser have taken."""
    mine = psutil.Process().children(recursive=True)
    times = [one.cpu_times() for one in mine if "chrom" in one.name()]
    return float(sum(one.user + one.system for one in times))


def drawn_a_second(page: Page) -> float:
    """Frames that are drawn in 5 s, by the browser's own clock, a second."""
    at = f"[performance.now(), {_DRAWN}]"
    before_ms, before = page.evaluate(at)
    page.wait_for_timeout(_BIN_S * 1000)
    after_ms, after = page.evaluate(at)
    return float((after - before) / (after_ms - before_ms) * 1000)


def recorded_session(folder: Path) -> Path:
    """A session of the demo with 30 scans a second."""
    config = config_of(_RECORDED, folder, seconds=_RECORDED_S)
    session = folder / "session"
    command = [sys.executable, "-m", "rtdecode", "run", str(config), "--out", str(session)]
    subprocess.run(command, check=True)
    return session


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--session", type=Path)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", type=Path, default=RESULTS)
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        session = given.session or recorded_session(Path(folder))
        feed = SessionFeed(session, seconds=20.0)
    clock = HostClock()
    server = PageServer(ViewConfig(), frame_rate_hz=30.0, clock=clock)
    address = server.start()
    try:
        with feed.running(server.push, clock=clock):
            found = watched(address, seconds=given.seconds)
    finally:
        server.stop()
    rates = np.array(found["drawn_a_second"])
    figures = {
        "neurons": feed.neurons,
        "fed_a_second": feed.scans_a_second,
        "drawn_a_second": float(rates.mean()),
        "drawn_a_second_least": float(rates.min()),
        "cpu_ms_a_frame": found["cpu_ms_a_frame"],
        "load_before": load,
        "load_after": os.getloadavg()[0],
    }
    print(figures)
    for one in found["memory"]:
        print(one)
    config = {"seconds": given.seconds}
    write_benchmark(
        given.json, name="page drawing", config=config, results={"figures": figures, **found}
    )


if __name__ == "__main__":
    main()
