"""A site on this machine, a folder to work in, and a person's own files in it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.site import wire as site_wire
from tests.challenge.site.stub import SiteStub
from tests.challenge.site.world import TODAY, TOKEN

MODEL = "class Model:\n    def predict(self, X):\n        return [0] * len(X)\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a zip that nothing speaks against; no network but this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("CODABENCH_REHEARSAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCAL_EVAL_STORE", str(tmp_path / "store.sqlite"))
    for name in (
        "CODABENCH_TOKEN",
        "CODABENCH_URL",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):  # nobody reaches a real site from here
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    write_zip(tmp_path / "submission.zip")
    return tmp_path


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The stub's time here, and nobody waits: what would have been waited, in seconds."""
    asked: list[float] = []
    monkeypatch.setattr(site_wire.Clock, "sleep", lambda _, seconds: asked.append(seconds))
    monkeypatch.setattr(site_wire.Clock, "now", lambda _: TODAY)
    return asked


@pytest.fixture
def site(here: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch) -> Iterator[SiteStub]:
    """The site, whose token is in the environment."""
    del here, waits
    with SiteStub() as made:
        monkeypatch.setenv("CODABENCH_URL", made.base)
        monkeypatch.setenv("CODABENCH_TOKEN", TOKEN)
        yield made


def write_zip(path: Path, text: str = MODEL) -> Path:
    """A zip of one module."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.py", text)
    return path
