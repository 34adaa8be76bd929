"""The report in a real JupyterLab, in a real Chromium: signed by its reader, and sent by another."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluator.report.svg import DARK, LIGHT
from tests.evaluator import pages
from tests.evaluator.browser import Browser, needed_chromium
from tests.evaluator.test_page_browser import rgb
from tests.jupyter import Jupyter, jupyter, notebook_of

KEEP = os.environ.get("SCREENSHOTS")  # a folder for people to look at
TOKEN = "of-this-test"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
LABELS = """
[...document.querySelectorAll('.rehearsal dt')].map(e => [getComputedStyle(e).float,
  e.getBoundingClientRect().width])
"""
PICTURES = "[...document.querySelectorAll('.rehearsal img')].map(i => [i.naturalWidth, i.width])"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Jupyter, str]]:
    """A server on a free port, with the two notebooks in its folder; its address."""
    needed_chromium()
    found = jupyter(tmp_path_factory.mktemp("lab"))
    for name in ("signed", "sent"):
        (found.folder / f"{name}.ipynb").write_text(json.dumps(shown(name)), encoding="utf-8")
    sign = [found.python, "-m", "nbformat.sign", str(found.folder / "signed.ipynb")]
    subprocess.run(sign, env=found.environment, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [found.python, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    words += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={found.folder}"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(words, env=found.environment, stdout=quiet, stderr=quiet) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(address)
            yield found, address
        finally:
            server.terminate()


def shown(name: str) -> dict[str, Any]:
    """A notebook that shows a report. name: in its code, so that their signatures differ."""
    report = pages.small_report()
    data = {"text/html": report._repr_html_(), "text/plain": repr(report)}
    found = notebook_of([f"report  # {name}"])
    output = {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": data}
    found["cells"][0] |= {"execution_count": 1, "outputs": [output]}
    return found


def wait_for(address: str) -> None:
    """Until the server answers, a minute at most."""
    for _ in range(120):
        try:
            with urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail("JupyterLab did not start")


def opened(browser: Browser, address: str, name: str) -> None:
    """Open a notebook, and wait until its report is there and its pictures are loaded."""
    size = {"width": 1200, "height": 1600, "deviceScaleFactor": 1, "mobile": False}
    browser.ask("Emulation.setDeviceMetricsOverride", **size)
    place = f"{address}/doc/tree/{name}.ipynb?token={TOKEN}&reset"
    browser.ask("Page.navigate", url=place)
    for _ in range(120):
        pictures = browser.value(PICTURES) or []
        if len(pictures) > 30 and all(natural for natural, _ in pictures):
            return
        time.sleep(0.5)
    pytest.fail(f"no report after a minute: {browser.value('document.body.innerText')}"[:500])


@pytest.mark.parametrize("scheme", THEMES)
@pytest.mark.parametrize("name", ["signed", "sent"])
def test_the_report_in_jupyterlab(lab: tuple[Jupyter, str], scheme: str, name: str) -> None:
    """Else labels would run down 30 pixels, or a colleague would read the drawings' loose words."""
    found, address = lab
    place = found.folder / "CONFIG" / "lab" / "user-settings" / "@jupyterlab/apputils-extension"
    place.mkdir(parents=True, exist_ok=True)
    settings = json.dumps({"theme": THEMES[scheme]})
    (place / "themes.jupyterlab-settings").write_text(settings, encoding="utf-8")
    with Browser(needed_chromium()) as browser:
        opened(browser, address, name)
        assert all(width > 60 for _, width in browser.value(LABELS))
        assert all(0 < width <= 1100 for _, width in browser.value(PICTURES))
        loose = "document.body.innerText.split('\\n').filter(s => s.trim() == 'gaussian_noise')"
        assert browser.value(f"{loose}.length") == 0
        scheme_of = "getComputedStyle(document.querySelector('.rehearsal img.figure')).colorScheme"
        assert browser.value(scheme_of) == scheme
        styled = browser.value("document.querySelectorAll('.rehearsal style').length")
        assert styled == (1 if name == "signed" else 0), "only the signed one keeps its style"
        if name == "signed":
            assert all(how == "none" for how, _ in browser.value(LABELS))
            ground = "getComputedStyle(document.querySelector('.rehearsal')).backgroundColor"
            palette = LIGHT if scheme == "light" else DARK
            assert browser.value(ground) == rgb(palette["ground"])
        if KEEP:
            picture = browser.ask("Page.captureScreenshot", format="png")["data"]
            (Path(KEEP) / f"lab-{name}-{scheme}.png").write_bytes(base64.b64decode(picture))
