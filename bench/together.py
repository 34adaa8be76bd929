"""`python -m bench.together --out FOLDER`: many submissions on one machine, three ways.

Eight zips of small Keras networks are ranked without stored answers: one after the other, with
--workers 2, and on a Dask cluster of two workers on loopback. Each way runs several times, in
turns; medians count. Beside them stands the floor: the processor seconds of one after the other,
on two cores that never wait. Then the first zip alone is asked once all of the library's
conditions about --alone images (--full), by one child and by two. Figures of all ways have to be
the same. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.crew import ROOT
from bench.demonstration_report import table
from bench.goals import Verdict, at_most
from bench.report import console, machine, write_json
from bench.timing import processor_seconds
from codabench_rehearsal.images import save, split, synthetic
from submission.packager import Packed
from submission.training_folder import Packing

ZIPS, IMAGES, REPEATS, IMAGES_ALONE = 8, 240, 3, 480
WAYS = ("one after the other", "--workers 2", "--cluster")
CORES = "processor seconds, one after the other"
ALONE = ("one zip", "one zip, --workers 2")
MEASURED = ("validation", "benchmark", "library", "findings")  # what a report has to repeat


def main(argv: list[str] | None = None) -> int:
    """Make zips, rank them each way, print; returns 0, or 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.together", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, help="outside of the repository")
    parser.add_argument("--zips", type=int, default=ZIPS)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--alone", type=int, default=IMAGES_ALONE, help="images for one zip")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(argv)
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    zips = made_zips(out, options.zips, options.images)
    two, rank = ["--workers", "2"], ["rank", *map(str, zips)]
    rank += ["--data", str(out / "training_set.npz")]
    save(synthetic(options.alone, seed=2), out / "alone.npz")
    whole = [str(zips[0]), "--full", "--held-out", "--order-seed", "1"]
    whole += ["--data", str(out / "alone.npz")]
    with _scheduler() as address:
        words = (rank, [*rank, *two], [*rank, "--cluster", address])
        spent = _spent(out, dict(zip(WAYS, words, strict=True)), options.repeats)
    cores = spent.pop(CORES)
    alone = _spent(out, dict(zip(ALONE, (whole, [*whole, *two]), strict=True)), 1)
    spent |= {way: alone[way] for way in ALONE}
    middle = {way: statistics.median(several) for way, several in spent.items()}
    bars = _bars(middle)
    rows = [(way, f"{middle[way]:.1f}", ", ".join(f"{s:.1f}" for s in spent[way])) for way in spent]
    checked = [
        (bar.what, f"{bar.sense} {bar.goal:g}", f"{bar.value:.3g}", str(bar.met)) for bar in bars
    ]
    console().print(table(("way", "median, s", "all"), rows), markup=False)
    shared = middle[ALONE[1]] / middle[ALONE[0]]
    floor = statistics.median(cores) / 2 / middle[WAYS[0]]
    console().print(
        f"two cores that never wait take {floor:.2f} of the time of one after the other",
        markup=False,
    )
    console().print(f"one zip by two children takes {shared:.2f} of the time of one", markup=False)
    console().print(table(("asked for", "bar", "found", "met"), checked), markup=False)
    if options.json:
        document = {
            "machine": machine(),
            "seconds": spent,
            CORES: cores,
            "bars": [bar.plain() for bar in bars],
        }
        write_json(options.json, document)
    return 0 if all(bar.met for bar in bars) else 1


def _bars(middle: dict[str, float]) -> list[Verdict]:
    first, workers, cluster = (middle[way] for way in WAYS)
    return [
        at_most("time of --workers 2, of one after the other", workers / first, 0.62),
        at_most("time of --cluster, of --workers 2", cluster / workers, 1.08),
    ]


def made_zips(out: Path, zips: int, images: int) -> list[Path]:
    """Small networks with drawn weights, packed as a user's; and the images to ask about."""
    import keras

    data = synthetic(images, seed=1)
    save(data, out / "training_set.npz")
    split(data, 0.5, seed=0).save(out / "split.json")
    from codabench_rehearsal.challenge.profile import load_challenge

    made = []
    for number in range(zips):
        keras.utils.set_random_seed(number)
        layers = [keras.Input((96, 96, 3)), keras.layers.Rescaling(1 / 255)]
        for width in (16, 32, 64):
            layers += [keras.layers.Conv2D(width, 3, strides=2, activation="relu")]
        layers += [
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(8, activation="softmax"),
        ]
        weights, path = out / f"net{number}.keras", out / f"net{number}.zip"
        keras.Sequential(layers).save(weights)
        with Packed(Packing(weights=(weights,)), load_challenge(), path) as packed:
            packed.publish()
        made.append(path)
    return made


def _spent(out: Path, ways: Mapping[str, list[str]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each way, in turns. Raises `SystemExit` where one gives other figures."""
    spent: dict[str, list[float]] = {way: [] for way in ways}
    spent[CORES] = []
    first: Any = None
    for _ in range(repeats):
        for way, words in ways.items():
            before = processor_seconds(resource.RUSAGE_CHILDREN)
            seconds, found = _timed(out, words)
            if way == WAYS[0]:
                spent[CORES].append(processor_seconds(resource.RUSAGE_CHILDREN) - before)
            first = first or found
            if found != first:
                raise SystemExit(f"{way} gives other figures")
            spent[way].append(seconds)
    return spent


def _timed(out: Path, words: list[str]) -> tuple[float, Any]:
    """Run a command once, with no answer stored; the wall time, and its figures."""
    target = out / "found.json"
    target.unlink(missing_ok=True)
    command = [sys.executable, "-m", "codabench_rehearsal.commands.local_eval"]
    given = ["--store", "none", "--json", str(target)]
    begun = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own program
        [*command, *words, *given], cwd=ROOT, capture_output=True, check=False
    )
    seconds = time.monotonic() - begun
    if not target.exists():  # a finding, such as one of drawn weights, is no failure
        raise SystemExit(done.stderr.decode())
    document = json.loads(target.read_text(encoding="utf-8"))
    return seconds, {k: v for k, v in document.items() if k in MEASURED} or document


@contextmanager
def _scheduler() -> Iterator[str]:
    from distributed import LocalCluster

    given = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(host="127.0.0.1", **given) as cluster:  # type: ignore[no-untyped-call]  # Dask's own
        yield str(cluster.scheduler_address)


if __name__ == "__main__":
    sys.exit(main())
