# PYTHON_ARGCOMPLETE_OK
"""`local-eval`: run a zip as the platform would, on corrupted images; and what goes with it."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from codabench_rehearsal.commands.evaluation_arguments import DEFAULT_DATA, DEFAULT_ZIP, say
from codabench_rehearsal.console import NO_STORE
from codabench_rehearsal.console.command import run_command
from codabench_rehearsal.console.guard import guard
from codabench_rehearsal.console.parser import Parser
from codabench_rehearsal.console.roles import DATA, FUNCTION, PAGE, ZIP, Input
from codabench_rehearsal.console.settings import in_full, read_options
from codabench_rehearsal.console.slips import refuse_slip

COMMANDS: Mapping[str, str] = MappingProxyType(
    {  # word: module in codabench_rehearsal.commands
        "board": "board",
        "compare": "compare",
        "ensemble": "ensemble",
        "explain": "explain",
        "forget": "forget",
        "history": "history",
        "import": "import_history",
        "inspect": "inspect",
        "rank": "rank",
        "record": "record",
        "show": "show",
    }
)
SUMMARIES: Mapping[str, str] = MappingProxyType(
    {
        "record": "keep what the leaderboard showed: it sharpens the estimate",
        "rank": "which submission to upload next",
        "board": "all submissions side by side, as a page",
        "compare": "is one better than another, on the same images",
        "ensemble": "which submissions vote best together",
        "history": "what was predicted against what the leaderboard showed",
        "explain": "what the platform's message and logs mean",
        "inspect": "duplicates, wrong labels and outliers of a data file",
        "show": "a picture of what a preset does",
        "import": "scores that were kept in a spreadsheet",
        "forget": "take a score, or a submission, out of the store",
    }
)
_ASKING = (
    "evaluate",
    "rank",
    "compare",
    "board",
)  # these ask submissions, and keep what they answer


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command("local-eval", argv, _read_and_run)


def _read_and_run(words: list[str]) -> int:
    named = bool(words) and words[0] in COMMANDS
    module = COMMANDS[words[0]] if named else "evaluate"
    command = importlib.import_module(f"codabench_rehearsal.commands.{module}")
    parser: Parser = command.parser()
    if not named:
        parser.lists(SUMMARIES)
        refuse_slip(parser, words, COMMANDS)
    options = read_options(parser, words[1:] if named else words)
    _name_page(options)
    _guard(options)
    try:
        return int(command.run(options, in_full(options, words, parser)))
    except KeyboardInterrupt:
        if module in _ASKING and _is_kept(options):
            say("what was answered so far is kept: the same command goes on from there")
        raise


def _name_page(options: argparse.Namespace) -> None:
    """A report that goes into a folder is called after its zip."""
    page, submission = getattr(options, "html", None), getattr(options, "submission", "")
    if page and submission != "" and Path(page).is_dir():
        options.html = PAGE(str(Path(page) / f"{Path(submission or DEFAULT_ZIP).stem}.html"))


def _guard(options: argparse.Namespace) -> None:
    """Raise `FileError` for options that would write over the store, or over what is read."""
    usual = (("submission", DEFAULT_ZIP, ZIP), ("data", DEFAULT_DATA, DATA))
    inputs = [
        Input(name, role) for option, name, role in usual if getattr(options, option, name) is None
    ]
    inputs += [Input(name, FUNCTION) for name in _modules(getattr(options, "corrupt", None))]
    outputs = {}
    if hasattr(options, "store"):
        from evaluator.store.file import as_outputs

        outputs = as_outputs(options.store)
    guard(options, inputs=inputs, outputs=outputs, unused=("store",))


def _modules(spec: str | None) -> list[str]:
    """The files in this folder that hold functions which --corrupt names."""
    from corruptions.presets import modules_in

    names = [name.replace(".", "/") for name in modules_in(spec or "")]
    return [f"{name}{end}" for name in names for end in (".py", "/__init__.py")]


def _is_kept(options: argparse.Namespace) -> bool:
    from evaluator.store.file import find_store, may_write

    return options.store != NO_STORE and may_write(find_store(options.store))


if __name__ == "__main__":
    sys.exit(main())
