"""Take the pictures of the page in the documents from runs of the demo.

    .venv/bin/python benchmarks/page_screenshot.py --out docs/images

Starts `rtdecode demo --headless`, opens its page in Debian's Chromium, waits for scores, and saves
each tab, dark and light, the full-screen view, a phone, and what the page states at the end; a
second, short run closes the loop for the tab of that name. `page.png` is the one in the README.
Needs `apt-get install chromium` and the `dev` extra.
"""

import argparse
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK, WALL, PHONE = (1440, 900), (1920, 1080), (390, 844)
LARGEST_BYTES = 300_000
_SCORED = "() => document.getElementById('video-r').textContent !== '–'"
_ACTED = "() => document.querySelectorAll('#loop-actions tr').length >= 3"
_ENDED = "() => document.body.classList.contains('over')"
_START_MS = 120_000


def page_address(demo: "subprocess.Popen[str]") -> str:
    """The address that the demo prints when its page is available."""
    if demo.stdout is None:
        raise RuntimeError("the demo has no output to read")
    for line in demo.stdout:
        print(line, end="")
        found = re.search(r"http://\S+", line)
        if found:
            return found.group()
    raise RuntimeError(
        f"the demo ended with exit code {demo.wait()} before it printed the address of its page"
    )


@contextmanager
def demo_run(*options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A run of the demo with these options, and the address of its page."""
    with tempfile.TemporaryDirectory() as folder:
        session = Path(folder) / "2026-11-30_09-00-00"
        command = [sys.executable, "-m", "rtdecode", "demo", "--headless", *options]
        demo = subprocess.Popen(
            [*command, "--out", str(session)], stdout=subprocess.PIPE, text=True
        )
        try:
            yield demo, page_address(demo)
        finally:
            if demo.poll() is None:
                demo.send_signal(signal.SIGINT)
            print(demo.communicate()[0])


def opened(browser: Browser, address: str, size: tuple[int, int], *, theme: str = "light") -> Page:
    """The page at `address` in a window of `size` (width, height in px), once it has scores."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(address)
    page.wait_for_function(_SCORED, timeout=_START_MS)
    return page


def save(page: Page, out: Path, *, key: str = "", full: bool = False) -> None:
    """Press `key`, let the page draw for a second, and save a screenshot as `out`."""
    if key:
        page.keyboard.press(key)
    page.wait_for_timeout(1500)
    page.screenshot(path=str(out), full_page=full)
    make_small(out)
    print(out, f"{out.stat().st_size / 1000:.0f} kB")


def make_small(out: Path) -> None:
    """Reduce the colours of a picture that is too large for the documents, as one of scans is."""
    image = Image.open(out).convert("RGB")
    for colours in (256, 128, 64, 32):
        if out.stat().st_size < LARGEST_BYTES:
            return
        image.quantize(colours, dither=Image.Dither.NONE).save(out, optimize=True)


def take(browser: Browser, folder: Path, *, after_s: float) -> None:
    """Pictures of a run from its first scores to its end."""
    with demo_run("--seconds", str(after_s + 120)) as (demo, address):
        page = opened(browser, address, DESK)
        page.wait_for_timeout(1000 * after_s)
        save(page, folder / "page.png")
        save(page, folder / "page_microscope.png", key="2")
        save(page, folder / "page_events.png", key="4")
        dark = opened(browser, address, DESK, theme="dark")
        save(dark, folder / "page_dark.png")
        dark.context.close()
        phone = opened(browser, address, PHONE, theme="dark")
        save(phone, folder / "page_phone.png", full=True)
        phone.context.close()
        wall = opened(browser, address, WALL, theme="dark")
        save(wall, folder / "page_wide.png", key="f")
        wall.context.close()
        page.keyboard.press("1")
        demo.send_signal(signal.SIGINT)
        page.wait_for_function(_ENDED, timeout=_START_MS)
        demo.wait()
        save(page, folder / "page_end.png")
        page.context.close()


def take_loop(browser: Browser, folder: Path) -> None:
    """The tab Loop of a run whose policy has acted."""
    with demo_run("--seconds", "120", "--policy", "threshold") as (_, address):
        page = opened(browser, address, DESK)
        page.keyboard.press("3")
        page.wait_for_function(_ACTED, timeout=_START_MS)
        save(page, folder / "page_loop.png")
        page.context.close()


def main() -> int:
    """Run the demo twice and take the screenshots."""
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--out", type=Path, default=Path("docs/images"), help="folder")
    args.add_argument("--after-s", type=float, default=20.0, help="time after the first score, s")
    opt = args.parse_args()
    opt.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        take(browser, opt.out, after_s=opt.after_s)
        take_loop(browser, opt.out)
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
