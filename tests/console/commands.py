"""All commands with their options, and a folder with a file for everything that they read."""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from codabench_rehearsal.commands.codabench_challenge import COMMANDS as OF_CHALLENGE
from codabench_rehearsal.commands.codabench_challenge import main as codabench_challenge
from codabench_rehearsal.commands.local_eval import COMMANDS as OF_LOCAL_EVAL
from codabench_rehearsal.commands.local_eval import main as local_eval
from codabench_rehearsal.commands.make_submission import main as make_submission
from codabench_rehearsal.commands.make_submission import new_parser
from codabench_rehearsal.commands.train_recipe import COMMANDS as OF_TRAIN_RECIPE
from codabench_rehearsal.commands.train_recipe import main as train_recipe
from codabench_rehearsal.console import roles
from codabench_rehearsal.console.command import Parser
from codabench_rehearsal.console.roles import Reads, Writes

MAIN = {
    "make-submission": make_submission,
    "local-eval": local_eval,
    "train-recipe": train_recipe,
    "codabench-challenge": codabench_challenge,
}
FILES = {  # a role -> a file that plays it
    roles.DATA: "cells.npz",
    roles.ZIP: "s.zip",
    roles.WEIGHTS: "w.h5",
    roles.BACKBONE: "backbone.h5",
    roles.SPLIT: "sides.json",
    roles.PRESET: "preset.toml",
    roles.BELIEVED: "believed.toml",
    roles.PROFILE: "profile.toml",
    roles.BUNDLE: "bundle.zip",
    roles.TASK_DATA: "inputs.zip",
    roles.MODULE: "mine.py",
    roles.INCLUDED: "layers.py",
    roles.HISTORY: "history.csv",
    roles.CLASS_SCORES: "classes.csv",
    roles.TEAMS: "teams.csv",
    roles.SUBMISSIONS: "handed_in.zip",
    roles.REPORTS: "report.html",
    roles.PYTHON: "python",
    roles.LOG: "scoring.log",
    roles.TRAINED: "trained/recipe.json",
}
NO_FILE = {  # options of free text that never name a file
    *("output", "packages", "docker", "ignore", "trained_on", "phase", "score", "date"),
    *("hidden_images", "note", "name", "choices", "column", "perturb", "title", "licence"),
    *("cluster", "fingerprint", "upload", "sync", "site", "forget"),
}
MODULES: dict[tuple[str, ...], str] = {
    ("local-eval",): "codabench_rehearsal.commands.evaluate",
    ("train-recipe",): "codabench_rehearsal.commands.recipe_train",
    **{
        ("local-eval", word): f"codabench_rehearsal.commands.{name}"
        for word, name in OF_LOCAL_EVAL.items()
    },
    **{
        ("codabench-challenge", word): f"codabench_rehearsal.commands.{name}"
        for word, name in OF_CHALLENGE.items()
    },
}
PARSERS: dict[tuple[str, ...], Callable[[], Parser]] = {
    ("make-submission",): new_parser,
    **{words: importlib.import_module(module).parser for words, module in MODULES.items()},
    **{("train-recipe", word): command.parser for word, command in OF_TRAIN_RECIPE.items()},
}
ACTIONS = {words: made()._actions for words, made in PARSERS.items()}


@dataclass(frozen=True)
class Pair:
    """An option that writes, and one of the same command that reads, or writes too."""

    words: tuple[str, ...]
    out: argparse.Action
    other: argparse.Action

    def __str__(self) -> str:
        return f"{' '.join(self.words)} {flag(self.out)} over {flag(self.other)}"


def flag(action: argparse.Action) -> str:
    """An option as it is typed."""
    return action.option_strings[-1] if action.option_strings else action.dest


def _pairs(kind: type) -> Iterator[Pair]:
    for words, actions in ACTIONS.items():
        outs = [one for one in actions if isinstance(one.type, Writes) and one.dest != "store"]
        others = [one for one in actions if isinstance(one.type, kind) and one.dest != "store"]
        for out in outs:
            assert isinstance(out.type, Writes)
            for other in others:
                unused = other.dest == "check_only" and out.dest == "out"
                if other is not out and not unused and not out.type.folder:
                    yield Pair(words, out, other)


READ, WRITTEN = list(_pairs(Reads)), list(_pairs(Writes))


def line(pair: Pair, target: str, other: str) -> list[str]:
    """The command with all that it needs, this output and the other option's file."""
    words = list(pair.words[1:])
    for action in ACTIONS[pair.words]:
        if isinstance(action, argparse._HelpAction | argparse._VersionAction):
            continue
        needed = action.required or not action.option_strings
        if action is pair.out:
            continue
        if action is pair.other:
            words += [*action.option_strings[-1:], other]
        elif needed and action.dest != "submission":
            usual = FILES[action.type] if isinstance(action.type, Reads) else "baseline"
            words += [*action.option_strings[-1:], usual]
    words += ["--no-run"] if pair.words == ("make-submission",) else []
    return [*words, flag(pair.out), target]


def state(folder: Path) -> dict[str, bytes]:
    """All files and their bytes."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def same(name: str, how: str) -> str:
    """Another name of a file."""
    if how == "symlink":
        Path("alias").symlink_to(name)
    elif how == "hard link":
        os.link(name, "alias")
    elif how == "folder link":
        Path("alias").symlink_to(".")
        return f"alias/{name}"
    return f"./{name}" if how == "dot" else "alias"


STORED = [
    Pair(words, out, out)
    for words, actions in ACTIONS.items()
    for out in actions
    if isinstance(out.type, Writes) and out.dest != "store" and any(a.dest == "store" for a in actions)
]  # fmt: skip
