"""What a bundle's programs run with here: the user's Python, the image's versions, or the image.

`machine_for` is the door. What the chosen Python lacks, and what wants a network, is said before
anything runs; programs are read for that, never imported.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from codabench_rehearsal.challenge.bundle import LEGACY_IMAGE, Bundle, Phase, Task
from codabench_rehearsal.challenge.bundle_files import Tree, opened_tree
from codabench_rehearsal.challenge.checks.program import Program
from codabench_rehearsal.challenge.program_source.packages import (
    distribution,
    installs,
    needed,
    reaches_out,
)
from codabench_rehearsal.challenge.worker.image_packages import Notes, built, contents
from codabench_rehearsal.challenge.worker.job import WORKER_LIMITS, Machine
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.reading import parse_json
from codabench_rehearsal.console.words import few, shown
from codabench_rehearsal.sandbox.docker import prepare
from codabench_rehearsal.sandbox.job import Limits, SandboxError
from codabench_rehearsal.sandbox.places import chosen_python
from codabench_rehearsal.sandbox.server import default_cache, package_name
from codabench_rehearsal.sandbox.shown import heard

BUNDLES_OWN = "bundle"  # for `--docker`: the image that the bundle names
REQUIREMENTS = "requirements.txt"
SUBMISSION = "the submission"
ASK_SECONDS = 60.0  # for a Python to say what it has, from a cold disk
# Old syntax: the Python asked may be any. Names of modules, then names of packages.
_QUESTION = """
import importlib.util, json, sys
at = sys.argv.index("--")
def is_there(name):
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False
lacks = [name for name in sys.argv[1:at] if not is_there(name)]
for name in sys.argv[at + 1:]:
    try:
        from importlib import metadata
        metadata.version(name)
    except Exception:
        lacks.append(name)
print(json.dumps({"version": "%d.%d" % sys.version_info[:2], "lacks": lacks}))
"""


@dataclass(frozen=True)
class Wanted:
    """What a user asks for; the options of the same names.

    python: a program or an environment's folder, None for the active one. server: the image's own
    versions, built by `uv`. packages: more of them (`--with`), for that. docker: an image, or
    `BUNDLES_OWN`. network: whether programs have one. submission: a zip, whose imports count too.
    cache: where environments are built, None for the user's.
    """

    python: str | None = None
    server: bool = False
    packages: tuple[str, ...] = ()
    docker: str | None = None
    network: bool = False
    device: Literal["cpu", "gpu"] = "cpu"
    limits: Limits = WORKER_LIMITS
    submission: Path | None = None
    cache: Path | None = None


def machine_for(
    bundle: Bundle, phase: Phase, wanted: Wanted, say: Callable[[str], None]
) -> tuple[Machine, Notes]:
    """The machine for a phase's programs, and what is to be said before they run.

    say: told each step of a build or a download, which may take minutes. Raises `SubmissionError`
    for options that contradict each other, `SandboxError` for what cannot be had here.
    """
    _agree(wanted)
    readings = [*_readings(bundle, phase, wanted)]
    machine = Machine(device=wanted.device, limits=replace(wanted.limits, network=wanted.network))
    notes = [] if wanted.network else list(_wants_network(readings))
    if wanted.docker:
        image = (bundle.image or LEGACY_IMAGE) if wanted.docker == BUNDLES_OWN else wanted.docker
        prepare(image, say)
        return replace(machine, image=image), tuple(notes)
    if wanted.server:
        python, more = _server(bundle, readings, wanted, say)
        notes += more
    else:
        python = chosen_python(wanted.python).path
    notes = [*_missing(readings, python, wanted), *notes]
    return replace(machine, python=python), tuple(notes)


@dataclass(frozen=True)
class _Reading:
    """What was read of one program, or of the submission.

    imports: package -> where. listed: the lines of its requirements.txt. installs: what it installs
    while it runs. network: a package for the network that it loads; both "" for none.
    """

    name: str
    imports: Mapping[str, str]
    listed: tuple[str, ...]
    installs: str
    network: str

    @property
    def is_bundles(self) -> bool:
        """Whether the bundle has it."""
        return self.name != SUBMISSION


def _read(name: str, tree: Tree, beside: Collection[str] = ()) -> _Reading:
    program = Program(name, name, tree)
    imports, network = needed(program, beside), reaches_out(program)
    return _Reading(name, imports, _listed(tree), installs(program), network)


def _listed(tree: Tree) -> tuple[str, ...]:
    if tree.kind(REQUIREMENTS) != "file":
        return ()
    return tuple(tree.read(REQUIREMENTS).decode("utf-8", "replace").splitlines())


def _agree(wanted: Wanted) -> None:
    """Refuse what contradicts itself."""
    chosen = {
        "--python": wanted.python,
        "--server": wanted.server,
        "--docker": wanted.docker,
    }
    given = [name for name, value in chosen.items() if value]
    if len(given) > 1:
        raise SubmissionError(
            f"Expected one of --python, --server and --docker, received {' and '.join(given)}: "
            "each of them says what the programs run with."
        )
    if wanted.packages and not wanted.server:
        raise SubmissionError(
            f"--with {shown(wanted.packages[0])}: expected --server beside it: packages are added "
            "to the image's versions, never to a Python of yours."
        )


def _readings(bundle: Bundle, phase: Phase, wanted: Wanted) -> Iterator[_Reading]:
    """Every program of the phase once, then the submission."""
    seen = set[Path]()
    for task in (task for task in bundle.tasks if task.index in phase.tasks):
        for kind, folder in (("ingestion", task.ingestion), ("scoring", task.scoring)):
            if folder is not None and folder.is_dir() and folder not in seen:
                seen.add(folder)
                with opened_tree(folder) as tree:
                    yield _read(kind, tree, _beside(task))
    if wanted.submission is not None:
        with suppress(SubmissionError), opened_tree(wanted.submission) as tree:
            yield _read(SUBMISSION, tree)  # of what is no zip the worker has a sentence


def _beside(task: Task) -> frozenset[str]:
    """Modules among a task's data, which programs put on their path."""
    folders = [folder for folder in (task.input_data, task.reference_data) if folder]
    return frozenset(path.stem for folder in folders for path in folder.glob("*.py"))


def _server(
    bundle: Bundle, readings: Sequence[_Reading], wanted: Wanted, say: Callable[[str], None]
) -> tuple[str, Notes]:
    image = bundle.image or LEGACY_IMAGE
    imported = {name for one in readings for name in one.imports}
    listed = [line for one in readings if one.is_bundles for line in one.listed]
    needs_pip = any(one.installs for one in readings)
    more = (*wanted.packages, *(["pip"] if needs_pip else []))
    there = contents(image, imported, [*listed, *_bundles_list(bundle)], more)
    python, notes = built(there, wanted.cache or default_cache(), say)
    return str(python), (*there.notes, *notes)


def _bundles_list(bundle: Bundle) -> tuple[str, ...]:
    """The lines of a requirements.txt beside competition.yaml."""
    with suppress(SubmissionError), opened_tree(Path(bundle.source)) as tree:
        return _listed(tree)
    return ()


def _missing(readings: Sequence[_Reading], python: str, wanted: Wanted) -> Iterator[str]:
    """What the Python lacks, by who needs it; what is only listed, and not imported, after it."""
    listed = {one.name: _names(one.listed) for one in readings if one.is_bundles}
    modules = {name for one in readings for name in one.imports}
    version, lacks = _lacks(python, modules, {name for names in listed.values() for name in names})
    who = f"{python} (Python {version})"
    for one in readings:
        absent = sorted(lacks & set(one.imports))
        if absent:
            places = [f"{name} ({one.imports[name]})" for name in absent]
            hint = _hint(absent, python, wanted, installs=bool(one.installs))
            yield f"{one.name} imports {few(places)}, which {who} does not have: {hint}"
        imported = {package_name(distribution(name)) for name in one.imports}
        if only := sorted(lacks & listed.get(one.name, set()) - imported):
            yield f"{one.name}: {REQUIREMENTS} also names {few(only)}, which {who} does not have"


def _hint(absent: Sequence[str], python: str, wanted: Wanted, *, installs: bool) -> str:
    """What to do."""
    if installs and not wanted.network:
        return "it installs packages while it runs; --network lets it"
    if wanted.server:
        return "nor does the image, as far as that is known; --with adds a package"
    names = " ".join(distribution(name) for name in absent)
    return f"{python} -m pip install {names}, or --server, or --docker {BUNDLES_OWN}"


def _names(lines: Sequence[str]) -> set[str]:
    """The packages of plain requirements."""
    plain = (line.partition("#")[0].strip() for line in lines)
    return {package_name(line) for line in plain if line[:1].isalnum() and "://" not in line}


def _lacks(
    python: str, modules: Collection[str], packages: Collection[str]
) -> tuple[str, set[str]]:
    """A Python's version, and what of these it lacks; it is asked once. Raises `SandboxError`."""
    words = [python, "-I", "-c", _QUESTION, *sorted(modules), "--", *sorted(packages)]
    try:
        done = heard(words, ASK_SECONDS)
        said = parse_json(done.stdout.splitlines()[-1])
        return str(said["version"]), {str(name) for name in said["lacks"]}
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError) as error:
        raise SandboxError(
            f"{python} did not say what it has ({type(error).__name__}): expected a Python that "
            "starts; name another by --python"
        ) from None


def _wants_network(readings: Sequence[_Reading]) -> Iterator[str]:
    """Who needs a network, where none was opened."""
    for one in readings:
        imported = f"import {one.network}" if one.network and one.is_bundles else ""
        if what := one.installs or imported:
            yield (
                f"{one.name} needs a network ({shown(what[:60])}), which programs have on the "
                "platform and not here: --network gives them one"
            )
