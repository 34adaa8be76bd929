"""`codabench-challenge make`: a complete challenge of labelled images, as a bundle's zip."""

from __future__ import annotations

import argparse
import datetime as dt
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codabench_rehearsal.challenge.dates import site_date
from codabench_rehearsal.console import DEFAULT_CHALLENGE
from codabench_rehearsal.console.arguments import add_part, count, positive
from codabench_rehearsal.console.command import Exit, Parser, print_lines, tell
from codabench_rehearsal.console.guard import add_force
from codabench_rehearsal.console.roles import ARCHIVE, DATA, PRESET, PROFILE
from codabench_rehearsal.console.words import cleaned, counted, human_bytes, quoted, shown

if TYPE_CHECKING:
    from codabench_rehearsal.rehearsal.making.bundle import Made

NAME = "codabench-challenge make"
EXAMPLES = """\
examples:
  codabench-challenge make --data training_set.npz --corrupt an2dl-2024 --licence "CC BY 4.0"
  codabench-challenge make --data cells.npz --corrupt heavy --hidden 1000 --start 2027-02-01
  codabench-challenge make --data digits/ --corrupt fog:3 --profile digits.toml --out digits.zip

Of each class some images are set aside for each of two phases and corrupted; the others are public.
Which ones, and how each is corrupted, depends on a seed that is shown once: keep it secret.
"""
_USUAL_SHARE = 0.2
_DAYS = 42  # from start to end
_SECRET_BITS = 64
_LONGEST, _LONGEST_IMAGE = 256, 128  # characters that the site takes: of a title, of an image


def parser() -> Parser:
    """The command's options."""
    what = "Make a challenge: train on clean images, be judged on corrupted ones."
    made = Parser(NAME, what, EXAMPLES)
    made.keeps("--part", "--images", "--seed", "--docker", "--corrupt")
    made.first(
        *("--data", "--corrupt", "--profile", "--title", "--licence"),
        *("--hidden", "--start", "--out"),
    )
    add = made.add_argument
    add("--data", type=DATA, metavar="FILE", required=True, help="images and labels")
    add_part(made, "train")
    preset = "what becomes of hidden images: a preset, a chain such as fog:3, a TOML file"
    add("--corrupt", type=PRESET, metavar="PRESET", required=True, help=preset)
    profile = f"shape, classes, interface, server (default {DEFAULT_CHALLENGE})"
    add(
        "--profile", type=PROFILE, default=DEFAULT_CHALLENGE, metavar="NAME|FILE.toml", help=profile
    )
    usual = "bundle.zip"
    add("--out", type=ARCHIVE, default=usual, metavar="ZIP", help=f"default {usual}")
    add("--title", type=_text, metavar="TEXT", help="default: the profile's")
    hidden = f"images of each hidden set, or their share of all (default {_USUAL_SHARE})"
    add("--hidden", type=_hidden, default=_USUAL_SHARE, metavar="N", help=hidden)
    training = "at most so many public images to train on (default: all that are not hidden)"
    add("--images", type=positive, metavar="N", help=training)
    start, end = "UTC, default: tomorrow", f"UTC, default: {_DAYS} days after the start"
    add("--start", type=_date, metavar="DATE", help=f"of the development phase ({start})")
    add("--end", type=_date, metavar="DATE", help=f"of the final phase, a fifth of all ({end})")
    licence = "of the images, as the pages are to say it"
    add("--licence", type=_text, metavar="TEXT", help=licence)
    image = "the docker image (default: with the profile's TensorFlow, else one with numpy)"
    add("--docker", type=_image, metavar="IMAGE", help=image)
    seed = "repeat a drawing (default: a secret one of the system's randomness)"
    add("--seed", type=count, metavar="N", help=seed)
    add_force(made)
    return made


def run(options: argparse.Namespace, _words: Sequence[str]) -> int:
    """Load, draw, write, tell."""
    from codabench_rehearsal.challenge.profile import load_challenge
    from codabench_rehearsal.console.bar import progress
    from corruptions.named import named

    challenge, preset = load_challenge(options.profile), named(options.corrupt)
    start = options.start or _tomorrow()
    end = options.end or start + dt.timedelta(days=_DAYS)
    seed = secrets.randbits(_SECRET_BITS) if options.seed is None else options.seed
    from codabench_rehearsal.images.dataset import load
    from codabench_rehearsal.rehearsal.making.bundle import Wanted, make_bundle

    wanted = Wanted(
        seed=seed,
        start=start,
        end=end,
        title=options.title or "",
        hidden=options.hidden,
        training=options.images,
        licence=options.licence or "",
        docker=options.docker or "",
    )
    with progress("reading the images") as bar:
        shape, names = challenge.shape, challenge.label_names
        data = load(options.data.path, part=options.part, shape=shape, classes=names)
        bar.update("drawing the challenge")
        made = make_bundle(data, preset, challenge, wanted, Path(options.out))
    print_lines([*data.notes, *_lines(made)])
    print_lines(_secrets(seed, start, end))
    if not options.licence:
        tell(NAME, "warning: the licence of the data is not given, and the pages say so: --licence")
    return Exit.FINE


def _lines(made: Made) -> Iterator[str]:
    yield from made.remarks
    yield f"{shown(made.path)}: {human_bytes(made.path.stat().st_size)}, {shown(made.title)}"
    for part, size in made.sizes.items():
        images = counted(made.images[part], "image") if part in made.images else ""
        yield f"  {part:22} {human_bytes(size):>10}  {images}".rstrip()
    for phase in made.phases:
        when = f"{phase.start:%Y-%m-%d %H:%M} to {phase.end:%Y-%m-%d %H:%M} UTC"
        yield f"{phase.name.lower()}: {when}; {phase.per_day} a day, {phase.in_all} in all"
    yield f"docker image: {shown(made.docker)}"
    yield f"next: codabench-challenge check {quoted(made.path)}"


def _secrets(seed: int, start: dt.datetime, end: dt.datetime) -> Iterator[str]:
    """The one line that nobody else may see."""
    again = f"--seed {seed} --start '{start:%Y-%m-%d %H:%M}' --end '{end:%Y-%m-%d %H:%M}'"
    yield f"secret, told once: {again} with the same options makes the same bundle again"


def _tomorrow() -> dt.datetime:
    day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    return dt.datetime.combine(day, dt.time())


def _date(text: str) -> dt.datetime:
    """An argument type: a day, or a minute of one, in UTC, as the site reads it."""
    found = site_date(text)
    if found.value is None or found.lost_zone or found.month_first:
        usual = "a date such as 2027-01-31 or '2027-01-31 12:00' (UTC)"
        raise argparse.ArgumentTypeError(f"expected {usual}, received {text!r}")
    return found.value


def _hidden(text: str) -> float:
    """An argument type: a number of images, or a share of them below a half."""
    if text.isdigit() and int(text) > 0:
        return int(text)
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 0.5:
        usual = "a number of images, or a share above 0 and below 0.5"
        raise argparse.ArgumentTypeError(f"expected {usual}, received {text!r}")
    return share


def _text(text: str, longest: int = _LONGEST) -> str:
    """An argument type: one line for people."""
    if not text.strip() or cleaned(text) != text or len(text) > longest:
        usual = f"one line of text, at most {longest} characters"
        raise argparse.ArgumentTypeError(f"expected {usual}, received {text[:longest]!r}")
    return text.strip()


def _image(text: str) -> str:
    """An argument type: a docker image's name."""
    return _text(text, _LONGEST_IMAGE)
