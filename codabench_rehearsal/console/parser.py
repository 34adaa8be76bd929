"""What a command says of itself: its options, its help, exit codes.

A large command names the options that people use first (`Parser.first`); `--help` shows those, and
`--help-all` everything, in the same sections for every command.
"""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from itertools import chain, groupby
from types import MappingProxyType
from typing import Any, NoReturn

from codabench_rehearsal.console import completion
from codabench_rehearsal.console.slips import of_choices, unknown_option
from codabench_rehearsal.console.words import one_line

WIDEST = 100  # columns of a help text; longer lines are hard to read
ONLY_TELL = frozenset({"-h", "--help", "--help-all", "--version"})  # words that do nothing else
NO_CONFIG = "--no-config"
_SECTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {  # heading -> options, of whichever command has them; what stands nowhere comes last
        "images": (
            *("--data", "--part", "--images", "--split", "--held-out", "--seed", "--order-seed"),
            "--hidden",
        ),
        "damage": ("--corrupt", "--full", "--sweep", "--trained-on"),
        "the score to expect": (
            *("--phase", "--hidden-images", "--believe", "--no-estimate", "--tolerance"),
            "--uploads-per-day",
        ),
        "how it is run": (
            *("--challenge", "--profile", "--python", "--device", "--time-limit", "--memory-limit"),
            *("--block", "--workers", "--cluster", "--server", "--with", "--docker"),
        ),
        "training": (
            *("--fast", "--evening", "--set", "--weights", "--epochs", "--rate", "--search"),
            *("--resume", "--precision", "--backend"),
        ),
        "what is written": ("--out", "--html", "--json", "--plot", "--store", "--force"),
    }
)
_REST = "further options"
_GENERAL = ("-h", "--help-all", "--version", NO_CONFIG)
_INDENTS = ("initial_indent", "subsequent_indent")
_COMMENT = re.compile(r"(?P<command> +\S.*?) {3,}(?P<comment>\S.*)")
_BELOW: Mapping[str, Any] = MappingProxyType(dict.fromkeys(_INDENTS, " " * 6))


class Exit(IntEnum):
    """Exit codes of all commands."""

    FINE = 0
    FINDINGS = 1
    USAGE = 2
    OUR_FAULT = 3
    INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """A parser with --version and --help-all, that knows what was nearly meant.

    found: what exit code 1 stands for; "" for a command that never ends with it.
    """

    def __init__(self, prog: str, description: str, epilog: str = "", found: str = "") -> None:
        super().__init__(
            prog=prog, description=description, epilog=epilog or None, formatter_class=_formatter
        )
        self.own: frozenset[str] = frozenset()  # see `keeps`
        self._found = found
        self._first: tuple[str, ...] = ()
        self._commands: Mapping[str, str] = {}
        self._words: tuple[str, ...] = ()
        none: dict[str, Any] = {"nargs": 0, "default": argparse.SUPPRESS}
        self.add_argument("--help-all", action=_HelpAll, **none, help="show all options and end")
        self.add_argument("--version", action=_Version, **none, help="show the version and end")
        what = "leave rehearsal.toml, or what pyproject.toml says, alone"
        self.add_argument(NO_CONFIG, action="store_true", help=what)

    def first(self, *flags: str) -> None:
        """Name the options that --help shows, in this order; --help-all shows the others too."""
        self._first = flags

    def keeps(self, *flags: str) -> None:
        """Name options that mean something of their own here: rehearsal.toml does not set them."""
        self.own = frozenset(flags)

    def lists(self, commands: Mapping[str, str], others: Iterable[str] = ()) -> None:
        """Show these words with what each does. others: words that may stand there too."""
        self._commands = commands
        self._words = (*commands, *others)

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """The options of these words, which may stand between files. Ends with code 2 if wrong.

        Where a shell asks what may stand next, it is told so, and nothing is read.
        """
        if completion.is_asked():
            completion.answer(self, self._words)
        if said := unknown_option(words, self._option_string_actions):
            self.error(said)
        return self.parse_intermixed_args(words)

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, in one line whatever was typed, and where help is; end, code 2."""
        said = f"{self.prog}: error: {one_line(message)}{of_choices(message)}"
        self.exit(Exit.USAGE, f"{said}\nhelp: {self.prog} --help\n")

    def format_usage(self) -> str:
        """The usage in one line: files and what is required; options are listed below."""
        show = _formatter(self.prog)
        show.add_usage(_wrapped(self._usage()), [], [])
        return show.format_help()

    def format_help(self) -> str:
        """What --help shows."""
        return self.format_all() if not self._first else self._format([self._most_used()])

    def format_all(self) -> str:
        """What --help-all shows."""
        return self._format(self._sections())

    def _format(self, sections: Iterable[tuple[str, Sequence[argparse.Action]]]) -> str:
        show = _formatter(self.prog)
        show.add_usage(_wrapped(self._usage()), [], [])
        show.add_text(self.description)
        for title, actions in (("arguments", self._positionals_shown()), *sections):
            if actions:
                show.start_section(title)
                show.add_arguments(actions)
                show.end_section()
        show.add_text(self._listed())
        show.add_text(self.epilog)
        show.add_text(self._exit_codes())
        return show.format_help()

    def _usage(self) -> str:
        if self.usage:  # argparse has it made before it hides the files for a while
            return self.usage
        needed = [
            f"{action.option_strings[-1]} {_metavar(action)}"
            for action in self._actions
            if action.option_strings and action.required
        ]
        files = [_repeated(action) for action in self._actions if not action.option_strings]
        return " ".join([self.prog, *files, *needed, "[options]"])

    def _positionals_shown(self) -> list[argparse.Action]:
        return [one for one in self._actions if not one.option_strings and one.help]

    def _most_used(self) -> tuple[str, list[argparse.Action]]:
        flags = (*self._first, *(flag for flag in _GENERAL if flag != NO_CONFIG))
        return "options", [self._option_string_actions[flag] for flag in flags]

    def _sections(self) -> Iterator[tuple[str, Sequence[argparse.Action]]]:
        """Every option, in our sections where the command is a large one, then its own groups."""
        plain = [one for one in self._optionals._group_actions if one.option_strings]
        general = [one for one in plain if one.option_strings[0] in _GENERAL]
        others = [one for one in plain if one not in general]
        if not self._first:
            yield "options", [*others, *general]
        else:
            for title, flags in _SECTIONS.items():
                found = [one for one in others if set(one.option_strings) & set(flags)]
                others = [one for one in others if one not in found]
                yield title, sorted(found, key=lambda one: flags.index(_among(one, flags)))
        for group in self._action_groups:
            if group not in (self._positionals, self._optionals):
                yield group.title or "", group._group_actions
        if self._first:
            yield _REST, [*others, *general]

    def _listed(self) -> str:
        if not self._commands:
            return ""
        widest = max(map(len, self._commands)) + 2
        lines = (f"  {word:{widest}} {what}" for word, what in self._commands.items())
        return "\n".join([f"commands ({self.prog} COMMAND --help says more):", *lines])

    def _exit_codes(self) -> str:
        found = f"1 {self._found}, " if self._found else ""
        rest = "2 what was given cannot be used, 3 a fault of ours, 130 interrupted"
        return f"exit codes: 0 fine, {found}{rest}"


class _HelpAll(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(parser.format_all() if isinstance(parser, Parser) else parser.format_help(), end="")
        parser.exit()


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # slow: not for every command

        print(f"codabench-rehearsal {version('codabench-rehearsal')}")
        parser.exit()


class _Formatter(argparse.HelpFormatter):
    """Help whose examples keep their lines as long as they fit, and whose prose is wrapped."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return textwrap.indent("\n".join(fitted(text, width)), indent)


def fitted(text: str, width: int) -> Iterator[str]:
    """The lines of a help text for so many columns: prose wrapped, a comment nearer or below.

    A command itself is never broken: it is there to be copied.
    """
    for is_prose, lines in groupby(text.rstrip("\n").split("\n"), _is_prose):
        several = list(lines)
        if all(len(line) <= width for line in several):
            yield from several
        elif is_prose:
            yield from textwrap.wrap(" ".join(several), width, break_on_hyphens=False)
        else:
            yield from chain.from_iterable(_narrow(line, width) for line in several)


def _is_prose(line: str) -> bool:
    return bool(line[:1].strip())


def _narrow(line: str, width: int) -> Iterator[str]:
    """An indented line of a help text: a command, and what it does."""
    found = _COMMENT.fullmatch(line)
    if len(line) <= width or not found:
        yield line
    elif len(found["command"]) + 3 + len(found["comment"]) <= width:
        yield f"{found['command']}   {found['comment']}"
    else:
        yield found["command"]
        yield from textwrap.wrap(found["comment"], width, **_BELOW)


def _columns() -> int:
    """How many columns a help text has; argparse leaves two free, too."""
    return min(shutil.get_terminal_size().columns, WIDEST) - 2


def _formatter(prog: str) -> argparse.HelpFormatter:
    width = _columns()
    return _Formatter(prog, max_help_position=min(28, width // 3), width=width)


def _wrapped(usage: str) -> str:
    words = " ".join(usage.split())
    return "\n".join(textwrap.wrap(words, _columns() - 7, subsequent_indent=" " * 7))


def _metavar(action: argparse.Action) -> str:
    return str(action.metavar or action.dest.upper())


def _repeated(action: argparse.Action) -> str:
    """A file of the usage, with how often it may stand there."""
    name = str(action.metavar or action.dest)
    match action.nargs:
        case "?":
            return f"[{name}]"
        case "*":
            return f"[{name} ...]"
        case "+":
            return f"{name} [{name} ...]"
    return name


def _among(action: argparse.Action, flags: Collection[str]) -> str:
    return next(flag for flag in action.option_strings if flag in flags)
