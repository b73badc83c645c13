"""Take the screenshot of the page in the README from a run of the demo.

    .venv/bin/python benchmarks/page_screenshot.py --out docs/images/page.png

Starts `rtdecode demo --headless`, opens its page in Debian's Chromium, waits for scores, and
saves the screenshot. Needs `apt-get install chromium` and the `dev` extra.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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


def take(address: str, *, after_s: float, out: Path, size: tuple[int, int]) -> None:
    """Open `address`, wait `after_s`, save a screenshot as `out`."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        browser = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            args=FLAGS,
            viewport={"width": size[0], "height": size[1]},
        )
        page = browser.pages[0]
        page.goto(address)
        time.sleep(after_s)
        out.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(out))
        browser.close()


def main() -> int:
    """Run the demo and take the screenshot."""
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--out", type=Path, default=Path("docs/images/page.png"))
    args.add_argument("--after-s", type=float, default=25.0, help="time of the screenshot")
    args.add_argument("--size", type=int, nargs=2, default=(1440, 900), help="width, height in px")
    opt = args.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds, session = str(opt.after_s + 15), str(Path(folder) / "session")
        command = [sys.executable, "-m", "rtdecode", "demo", "--headless"]
        demo = subprocess.Popen(
            [*command, "--seconds", seconds, "--out", session], stdout=subprocess.PIPE, text=True
        )
        try:
            take(page_address(demo), after_s=opt.after_s, out=opt.out, size=tuple(opt.size))
        finally:
            print(demo.communicate()[0])
    return demo.returncode


if __name__ == "__main__":
    raise SystemExit(main())
