"""Draw docs/page.png anew: the first screen of the page that `make demo` wrote, by Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PAGE = Path("demo/report.html")
PICTURE = Path("docs/page.png")
WIDTH, HEIGHT = 1120, 640  # what a reader sees of the page without scrolling
COLORS = 128  # a page has few: a third of the bytes
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def main() -> int:
    """Write the picture; 2 where the page or a browser is missing."""
    browser = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None or not PAGE.is_file():
        print(f"expected {PAGE} (make demo) and Chromium on PATH or in $CHROMIUM")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        words = [
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            "--blink-settings=preferredColorScheme=1",
        ]
        place = [
            f"--window-size={WIDTH},{HEIGHT}",
            f"--screenshot={shot}",
            f"--user-data-dir={folder}",
        ]
        subprocess.run(
            [browser, *words, *place, PAGE.resolve().as_uri()], check=True, capture_output=True
        )
        with Image.open(shot) as drawn:
            drawn.convert("RGB").quantize(COLORS).save(PICTURE, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
