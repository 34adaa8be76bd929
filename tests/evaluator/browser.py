"""A real headless Chromium, driven over a pipe: no driver package, no port; it sees given fonts."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--remote-debugging-pipe", "--disable-dev-shm-usage"),
)
ABSENT = "no Chromium on PATH or in $CHROMIUM (apt install chromium)"
Scheme = Literal["light", "dark"]
FAMILIES = {
    "DejaVu Sans": "fonts-dejavu-core",
    "Liberation Sans": "fonts-liberation",
    "Noto Sans": "fonts-noto-core",
}  # the widest of the common ones, Arial's widths, and another, with Debian's packages
WIDE = ("Droid Sans Fallback", "Noto Sans CJK SC", "WenQuanYi Zen Hei")  # one for Chinese


def find_chromium() -> str | None:
    """$CHROMIUM, or the first of the usual names on PATH."""
    named = os.environ.get("CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


def needed_chromium() -> str:
    """Its path. Without one the test is skipped; it fails in CI, where it would be for ever."""
    found = find_chromium()
    if found is None and os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{ABSENT}, and CI=true: CI must not skip what only a browser shows", False)
    if found is None:
        pytest.skip(ABSENT)
    return found


def font_files(family: str) -> list[Path]:
    """Where fontconfig has the regular and bold fonts of exactly this family; empty without."""
    if shutil.which("fc-list") is None:
        return []
    words = ["fc-list", f":family={family}", "file"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return [Path(line.rstrip(": ")) for line in done.stdout.splitlines()]


def only_fonts(family: str, folder: Path) -> Path:
    """A fontconfig file by which every family is this one, and Chinese has a font if one is here.

    The test is skipped where the family is not installed.
    """
    found = font_files(family)
    if not found:
        pytest.skip(f"no font {family} (apt install {FAMILIES[family]})")
    wide = next((files for name in WIDE if (files := font_files(name))), [])
    fonts = folder / "fonts"
    fonts.mkdir(parents=True)
    for path in (*found, *wide):
        shutil.copy(path, fonts)
    aliases = "".join(
        f"<alias binding='same'><family>{name}</family>"
        f"<prefer><family>{family}</family></prefer></alias>"
        for name in ("sans-serif", "system-ui", "Segoe UI", "Roboto", "Noto Sans", "monospace")
        if name != family
    )
    path = folder / "fonts.conf"
    path.write_text(
        "<?xml version='1.0'?><!DOCTYPE fontconfig SYSTEM 'fonts.dtd'><fontconfig>"
        f"<dir>{fonts}</dir><cachedir>{folder / 'cache'}</cachedir>{aliases}</fontconfig>",
        encoding="utf-8",
    )
    return path


@dataclass
class Browser:
    """One page. fonts: a fontconfig file. requests: what was asked for. complaints: the console's."""

    path: str
    fonts: Path | None = None
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _number: int = 0
    _session: str = ""

    def __enter__(self) -> Browser:
        self._folder = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        (read, told), (heard, write) = os.pipe(), os.pipe()
        # Chromium reads commands from descriptor 3 and writes answers to 4.
        command = f'exec "$@" 3<&{read} 4>&{write}'
        words = [*FLAGS, f"--user-data-dir={self._folder.name}", "about:blank"]
        self._child = subprocess.Popen(
            ["bash", "-c", command, "bash", self.path, *words],
            pass_fds=(read, write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | ({"FONTCONFIG_FILE": str(self.fonts)} if self.fonts else {}),
        )
        os.close(read)
        os.close(write)
        self._told, self._heard = os.fdopen(told, "wb"), os.fdopen(heard, "rb")
        self._parts = [b""]
        self._attach()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._told.close()  # Chromium ends with its pipe
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._heard.close()
        self._folder.cleanup()

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the DevTools protocol; events that come meanwhile are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._told.write(json.dumps(message).encode() + b"\0")
        self._told.flush()
        while (found := self._next()).get("id") != self._number:
            self._keep(found)
        if "error" in found:
            raise RuntimeError(f"{method}: {found['error']}")
        return dict(found["result"])

    def open(self, page: Path, width: int, scheme: Scheme, media: str = "") -> None:
        """Load a page at this width, in this scheme; media: "print", as it is printed."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", features=features, media=media)
        self.ask("Page.navigate", url=page.as_uri())
        while (found := self._next()).get("method") != "Page.loadEventFired":
            self._keep(found)

    def value(self, expression: str) -> Any:
        """A JavaScript expression's value."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    def screenshot(self) -> bytes:
        """The whole page as PNG."""
        found = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    def pdf(self) -> bytes:
        """The page as it prints, on A4."""
        size = {"paperWidth": 8.27, "paperHeight": 11.69}
        return base64.b64decode(self.ask("Page.printToPDF", printBackground=False, **size)["data"])

    def _attach(self) -> None:
        targets = self.ask("Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        found = self.ask("Target.attachToTarget", targetId=page, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._parts[-1]:
            part = os.read(self._heard.fileno(), 1 << 20)
            if not part:
                raise RuntimeError("Chromium ended")
            self._parts.append(part)
        end, _, rest = self._parts[-1].partition(b"\0")
        found = json.loads(b"".join([*self._parts[:-1], end]))
        self._parts = [rest]
        return dict(found)

    def _keep(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(params["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(params))


def with_font(family: str, place: Path) -> Browser:
    """A Chromium, not yet started, for which every sans-serif is one family."""
    return Browser(needed_chromium(), only_fonts(family, place / family))
