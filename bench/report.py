"""Tables for people and JSON for programs."""

from __future__ import annotations

import functools
import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.goals import Verdict
from bench.race import Runner, fastest
from bench.speed import Row, Speed

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from bench.full import Full
    from bench.latency import Latency
    from bench.scaling import Scaling

PACKAGES = ("numpy", "numba", "opencv-python-headless", "pillow", "imagecorruptions-imaug")


@functools.cache
def console() -> Console:
    """Wide enough for the tables when the output is a file."""
    from rich.console import Console

    plain = Console()
    return plain if plain.is_terminal else Console(width=190)


def machine() -> dict[str, Any]:
    """What the figures were measured on and with."""
    return {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Through a temporary file beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def _table(title: str, *headings: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place == 0 else "right")
    return table


def _marked(text: str, *, good: bool) -> str:
    return text if good else f"[red]{text} !"


def show_speed(result: Speed) -> None:
    """Ours against the reference, then against peers."""
    table = _table(
        "Images per CPU second, one core; ratio: median (least..most of the runs)",
        *("corruption", "reference s3", "ours s3", "ratio s3", "ratio s1-5", "goal"),
        *("best same peer s3", "its rate", "ours/peer"),
    )
    for row in result.rows:
        table.add_row(*_speed_row(row, result))
    sweep = result.sweep
    table.add_section()
    table.add_row("95 conditions", "", "", "", sweep.text(1), "", "", "", "")
    console().print(table)
    _show_peers(result)
    _show_policies(result)
    for side, reason in result.absent.items():
        console().print(f"Not run: {side}: {reason}", markup=False)


def _speed_row(row: Row, result: Speed) -> list[str]:
    best = fastest(result.same(row))
    peer = ("none", "", "")
    if best:
        ratio = row.ours[2].times(best)
        shown = _marked(ratio.text(2), good=ratio.median >= 1)
        peer = (best.label, f"{best.rate.median:,.0f}", shown)
    return [
        row.name,
        f"{row.reference[2].rate.median:,.0f}",
        f"{row.ours[2].rate.median:,.0f}",
        _marked(row.at_three.text(1), good=row.at_three.median >= row.goal),
        _marked(row.over_five.text(1), good=row.over_five.median >= row.goal),
        f"{row.goal:g}",
        *peer,
    ]


def _show_peers(result: Speed) -> None:
    table = _table(
        "All peers at severity 3",
        *("corruption", "peer", "images/CPU s", "ours/peer", "same operator?", "measured"),
    )
    for row in result.rows:
        for peer in sorted(row.peers, key=lambda p: p.label):
            found = result.likeness.get((peer.side, peer.key))
            claim = "yes" if found and found.same else "near" if found else "another"
            rate, ratio = "failed", ""
            if not peer.failure:
                rate, against = f"{peer.rate.median:,.0f}", row.ours[2].times(peer)
                ratio = _marked(against.text(2), good=against.median >= 1 or claim == "another")
            text = peer.failure or (found.text if found else str(peer.info["note"]))
            table.add_row(row.name, peer.label, rate, ratio, claim, text)
    if table.row_count:
        console().print(table)


def _show_policies(result: Speed) -> None:
    table = _table("Policies", "policy", "side", "images/CPU s", "ours/side", "settings")
    for name, (ours, *peers) in result.policies.items():
        table.add_row(name, "ours", ours.rate.text(0), "", "KerasCV's defaults")
        for peer in peers:
            rate, ratio = ("failed", "") if peer.failure else _against(ours, peer)
            table.add_row(name, peer.label, rate, ratio, peer.failure or str(peer.info["note"]))
    console().print(table)


def _against(ours: Runner, peer: Runner) -> tuple[str, str]:
    return peer.rate.text(0), ours.times(peer).text(2)


def show_memory(found: dict[str, dict[int, float]]) -> None:
    """MB beyond input and output."""
    counts = list(next(iter(found.values())))
    table = _table("Peak memory beyond input and output, MB", "operator", *map(str, counts))
    for name, by_count in found.items():
        table.add_row(name, *(f"{by_count[count]:.0f}" for count in counts))
    console().print(table)


def show_scaling(result: Scaling) -> None:
    """Speed-ups, and cost by number of images."""
    from bench.timing import Spread

    table = _table("Two copies on two cores, times one copy", "", "our sweep", "loop", "ours/loop")
    for kind in ("processes", "threads"):
        speedups = getattr(result, kind)
        conditions = [Spread.of(speedups[work]).text(2) for work in ("sweep", "loop")]
        table.add_row(f"two {kind}", *conditions, result.against_loop(kind).text(2))
    console().print(table)
    console().print(f"Cost an image at 4N over N images: {result.linearity.text(3)}")


def show_latency(result: Latency) -> None:
    """First calls and the cold start."""
    table = _table(
        "Import and first call in a fresh process, seconds (compiled loops on disk)",
        *("operator", "wall", "CPU", "runs compiled loops", "imports numba"),
    )
    for name, call in result.first.items():
        shown = ("yes" if call.compiled else "no", "yes" if call.numba else "no")
        table.add_row(name, call.wall.text(2), call.cpu.text(2), *shown)
    console().print(table)
    console().print(
        f"All operators, five severities, empty cache: {result.cold:.1f} s, "
        f"{result.cold_cpu:.1f} s CPU"
    )


def show_full(result: Full) -> None:
    """Wall seconds of the whole data set."""
    console().print(
        f"{result.images} images in 95 conditions on two cores: "
        f"{result.processes:.1f} s in two processes, {result.threads:.1f} s in two threads"
    )


def show_verdicts(found: Sequence[Verdict]) -> None:
    """Goals missed; how many were met."""
    missed = [verdict for verdict in found if not verdict.met]
    table = _table("Goals missed", "what", "measured", "goal")
    for verdict in missed:
        table.add_row(verdict.what, f"{verdict.value:,.2f}", f"{verdict.sense} {verdict.goal:g}")
    if missed:
        console().print(table)
    console().print(f"{len(found) - len(missed)} goals met, {len(missed)} missed")


def speed_plain(result: Speed) -> dict[str, Any]:
    """For JSON: every run's rate of every contender."""
    return {
        "sweep": result.sweep.plain(),
        "rows": [
            {
                "name": row.name,
                "at_three": row.at_three.plain(),
                "over_five": row.over_five.plain(),
                "ours": [_runner(r) for r in row.ours],
                "reference": [_runner(r) for r in row.reference],
                "peers": [_runner(r) | _likeness(result, r) for r in row.peers],
            }
            for row in result.rows
        ],
        "policies": {name: [_runner(r) for r in some] for name, some in result.policies.items()},
        "not_run": result.absent,
    }


def _runner(runner: Runner) -> dict[str, Any]:
    shown = {"task": runner.task, "side": runner.side, "label": runner.label}
    plan = {"plan": runner.plan, "note": runner.info["note"], "failure": runner.failure}
    return shown | plan | {"images_per_cpu_second": runner.rates}


def _likeness(result: Speed, runner: Runner) -> dict[str, Any]:
    found = result.likeness.get((runner.side, runner.key))
    return {"likeness": found.plain() if found else None}
