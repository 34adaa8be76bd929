"""Where submissions are asked, and the versions that they meet there.

Here, or at a place by the name that `Options.cluster` gives it. Whoever asks knows such a place by
this protocol alone; who opens one (`cluster.connected`) names it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from codabench_rehearsal.images import Dataset
from codabench_rehearsal.rehearsal.forecast import Bounds
from codabench_rehearsal.sandbox.executor import Executor
from codabench_rehearsal.sandbox.ingest import Request
from codabench_rehearsal.sandbox.places import PACKAGES, own_python, python_at
from evaluator.options import Device, Options
from evaluator.store.rows import environment_text
from submission.archive import Archive

_GPU = Path("/dev/nvidia0")
_OPEN: dict[str, Elsewhere] = {}


class Elsewhere(Protocol):
    """A place with machines of one environment: what a submission meets, as a store's text."""

    @property
    def environment(self) -> str: ...  # noqa: D102 - see the class

    def executor(
        self, archive: Archive, data: Dataset, request: Request, bounds: Bounds
    ) -> AbstractContextManager[Executor]:
        """Have one submission answer works there. request: without its folder and limits."""


@contextmanager
def named(name: str, place: Elsewhere) -> Iterator[None]:
    """Let `elsewhere` find a place, for as long as the context is."""
    _OPEN[name] = place
    try:
        yield
    finally:
        del _OPEN[name]


def elsewhere(name: str) -> Elsewhere:
    """The open place of that name."""
    return _OPEN[name]


def chosen_device(device: Device | None) -> Device:
    """The device to ask for: the GPU, except in a notebook, whose own model may hold it."""
    return device or ("cpu" if "ipykernel" in sys.modules else "gpu")


def environment_of(options: Options) -> str:
    """The versions that a submission meets where it is asked: here, or on a cluster."""
    if options.cluster:
        return elsewhere(options.cluster).environment
    return environment(options.device, options.python)


def environment(device: Device | None, python: str | None = None) -> str:
    """The versions that a submission meets here, and the device, as a text for the store.

    python: what runs the submission, None for our own; ours makes the images all the same.
    """
    own = own_python()
    versions = {"python": own.version, **_known(own.versions)}
    if python is not None and not (asked := python_at(python)).is_own:
        theirs = {"python": asked.version, **_known(asked.versions)}
        versions |= {"asked": asked.path, **{f"asked-{name}": it for name, it in theirs.items()}}
    there = _GPU.exists() and chosen_device(device) == "gpu"
    return environment_text({**versions, "device": "gpu" if there else "cpu"})


def _known(versions: Mapping[str, str]) -> dict[str, str]:
    return {name: versions[name] for name in PACKAGES if name in versions}
