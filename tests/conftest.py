"""What all tests need of the process that they run in."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
import uuid
from collections import Counter
from collections.abc import Generator, Iterable

import pytest

# Started in the background by a shell, a process ignores Ctrl-C, and so do its children: then the
# tests of interruptions would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Where nobody may keep bytecode, each of a thousand children compiles all our modules anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# TensorFlow reads it when it first computes: trainings in this process are then equal bit for bit.
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Ten thousand tests and their tables live to the end: no garbage is looked for among them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def own_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds what another one has stored, nor the store of whoever runs the tests."""
    path = tmp_path_factory.getbasetemp() / "stores" / uuid.uuid4().hex / "store.sqlite"
    monkeypatch.setenv("LOCAL_EVAL_STORE", str(path))


@pytest.fixture(autouse=True)
def known_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a zip that answers by position looks like guessing is chance: one run in twenty not."""
    monkeypatch.setattr("secrets.randbits", lambda _bits: 2026)


# What a reason for skipping says -> which tests those are, and how to get them.
KINDS = (
    (r"no Chromium", "browser test", "(no Chromium: apt install chromium)"),
    (r"no mkdocs", "test", "of the site (make docs)"),
    (r"no font (.+) \(apt install (.+)\)", "browser test", r"in \1 (not here: apt install \2)"),
    (r"shared|training_set[.]npz", "test", "on ../shared data (not here)"),
    (
        r"no environment with (Keras [\d.]+)",
        "test",
        r"in the server's \1 (it cannot be built here)",
    ),
    (r"could not import '(\w+)'", "test", r"with \1 (pip install \1)"),
    (r"(.{1,80}).*", "test", r"(\1)"),
)


def skipped_line(reasons: Iterable[str]) -> str:
    """One line on tests that were skipped, the largest group first; empty without any."""
    groups = Counter(
        _group(" ".join(reason.split()) or "skipped without a reason") for reason in reasons
    )
    said = [
        f"{count} {one if count == 1 else one + 's'} {how}"
        for (one, how), count in groups.most_common()
    ]
    return f"skipped: {', '.join(said)}" if said else ""


def _group(reason: str) -> tuple[str, str]:
    found = ((re.search(pattern, reason), one, how) for pattern, one, how in KINDS)
    return next((one, match.expand(how)) for match, one, how in found if match)


def pytest_unconfigure(config: pytest.Config) -> None:
    """After pytest's own last line: what was skipped, and how to get it."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None:
        return
    reports = terminal.stats.get("skipped", [])
    line = skipped_line(re.sub(r"^Skipped(: )?", "", str(one.longrepr[2])) for one in reports)
    if line:
        terminal.write_line(line)


@pytest.fixture(autouse=True)
def own_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test runs a submission with the environment of whoever runs the tests."""
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
