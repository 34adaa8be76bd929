"""Which folders a program sees, by generation, and where they lie on this machine.

Source: Codabench's compute worker of March 2026 and the one of autumn 2026 (read, not copied).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codabench_rehearsal.challenge.bundle import Task
from codabench_rehearsal.challenge.profile import Worker
from codabench_rehearsal.challenge.worker.files import carry
from codabench_rehearsal.challenge.worker.metadata import APP, Kind

# A job fills `$name` in its words: these names begin with the platform's old words, which are
# replaced before, so that no word of a command means one of them by accident.
PLACES: Mapping[str, str] = {
    "predictions_root": APP,  # a container's root can be written to
    "program": f"{APP}/program",
    "output": f"{APP}/output",
    "tmp_data": f"{APP}/data",
    "submission_program": f"{APP}/ingested_program",
    "input_data": f"{APP}/input_data",
    "shared": f"{APP}/shared",
    "input": f"{APP}/input",
    "hidden": f"{APP}/input/ref",
}
_ALWAYS = ("predictions_root", "program", "output", "tmp_data")
HOME, INSTALLED, PYTHON = "tmp_home", "tmp_installed", "tmp_python"  # ours, at their own places


@dataclass(frozen=True)
class JobFolders:
    """One job's folders on this machine, below `place`.

    tools: the programs `python` and `python3`. mounts: whether folders can be shown at `/app`; else
    the programs get copies of the data.
    """

    place: Path
    tools: Path
    task: Task
    worker: Worker
    is_scoring: bool
    mounts: bool

    @property
    def submission(self) -> Path:
        """The unpacked submission, as `/app/ingested_program` shows it."""
        moved = self.worker == "2026-03" and self.is_scoring
        return self.results if moved else self.place / "submission"

    @property
    def output(self) -> Path:
        """What is left of the job."""
        return self.place / "output"

    @property
    def results(self) -> Path:
        """`/app/input/res`: what ingestion left."""
        return self.place / "input" / "res"

    def program(self, kind: Kind) -> Path:
        """The program of one container."""
        return self.submission if kind == "submission" else self.place / kind / "program"

    def lay_out(self) -> None:
        """Make what every container of the job shares."""
        for name in ("output", "shared", "data", "home", "installed", "input/ref", "input/res"):
            (self.place / name).mkdir(parents=True, exist_ok=True)
        if not self.mounts:
            if self.task.reference_data and self.is_scoring:
                carry(self.task.reference_data, self.place / "input" / "ref")
            if self.task.input_data and self._has_input_data:
                carry(self.task.input_data, self.place / "input_data")

    def seen(self, kind: Kind) -> dict[str, str]:
        """Name -> folder on this machine, of all that one container sees, outermost first."""
        names = {*_ALWAYS, *self._more(kind)}
        own = {name: self._on_this_machine(name, kind) for name in PLACES if name in names}
        found = {name: path for name, path in own.items() if path is not None}
        for path in found.values():
            if path.is_relative_to(self.place):  # never a folder of the user's
                path.mkdir(parents=True, exist_ok=True)
        if not self.mounts:
            _stand_in(found, self.place / kind / "app")
        return {name: str(path) for name, path in found.items()}

    def writable(self, names: Mapping[str, str]) -> tuple[str, ...]:
        """The folders that a container may change for those after it to see."""
        closed = {"tmp_data"} | ({"submission_program"} if self.worker == "2026-10" else set())
        return tuple(
            name for name in names if name not in closed and name not in self.copied(names)
        )

    def copied(self, names: Mapping[str, str]) -> tuple[str, ...]:
        """The user's own folders: each container may change them, and no change stays."""
        return tuple(n for n in ("input_data", "hidden") if n in names) if self.mounts else ()

    @property
    def _has_input_data(self) -> bool:
        return not self.is_scoring or self.task.only_during_scoring

    def _more(self, kind: Kind) -> tuple[str, ...]:
        """What not every container sees."""
        for_scoring = ("shared", "input", "hidden")
        data = ("input_data",) if self._has_input_data else ()
        if self.worker == "2026-10":
            more = for_scoring if kind == "scoring" else data
            return ("submission_program", *more)
        own = ("submission_program",) if kind == "ingestion" else ()
        return (*own, *(for_scoring if self.is_scoring else ()), *data)

    def _on_this_machine(self, name: str, kind: Kind) -> Path | None:
        """None for what the task has not, and for what lies within another one already."""
        place = self.place
        folders: dict[str, Path | None] = {
            "predictions_root": place / kind / "app" if self.mounts else None,
            "program": self.program(kind),
            "output": self.output,
            "tmp_data": place / "data",
            "submission_program": self.submission,
            "input_data": self.task.input_data,
            "shared": place / "shared",
            "input": place / "input",
            "hidden": self.task.reference_data if self.mounts else None,
        }
        if name == "input_data" and self.task.input_data and not self.mounts:
            return place / "input_data"
        return folders[name]


def _stand_in(found: Mapping[str, Path], app: Path) -> None:
    """Put the folders beside the program, where `../output` leads from its working folder."""
    if found["program"].parent != app.parent:
        return  # a submission's own program
    for name, path in found.items():
        beside = app.parent / Path(PLACES[name]).name
        if name != "program" and not beside.exists():
            beside.symlink_to(path)
