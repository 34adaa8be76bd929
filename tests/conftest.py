"""What all tests need of the process that they run in."""

from __future__ import annotations

import signal
import uuid

import pytest

# Started in the background by a shell, a process ignores Ctrl-C, and so do its children: then the
# tests of interruptions would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds what another one has stored, nor the store of whoever runs the tests."""
    path = tmp_path_factory.getbasetemp() / "stores" / uuid.uuid4().hex / "store.sqlite"
    monkeypatch.setenv("LOCAL_EVAL_STORE", str(path))


@pytest.fixture(autouse=True)
def own_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test runs a submission with the environment of whoever runs the tests."""
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
