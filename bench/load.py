"""What many past scores and submissions cost: `python -m bench.load --folder FOLDER`.

Builds, through the store's own door, a store of N submissions with answers to what one real
`local-eval --tolerance 0` asked (1,000 drawn cells, `heavy` and all of estimate-v1) and as many
scores, and times each command on it in processes of their own: CPU seconds of command and children,
wall seconds, peak memory of the command's own process; medians of `--runs`. Nothing is run but
once, to see what is asked. `--only WORDS` picks commands by the start of their name. The goals are
those of GOALS.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from codabench_rehearsal.images import save, synthetic
from evaluator.store.store import Run, Store
from submission.archive import sha256_of

MODEL = """
import numpy as np
class Model:
    def predict(self, X):
        return (X.reshape(len(X), -1)[:, ::97].astype(np.int64).sum(1) // {divisor}) % 8
"""
CHILD = """
import json, resource, sys, time
from pathlib import Path
from codabench_rehearsal.commands.local_eval import main
begun = time.perf_counter()
try:
    code = main(sys.argv[2:])
except SystemExit as end:
    code = end.code
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
peak = next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM"))
Path(sys.argv[1]).write_text(json.dumps({
    "cpu": sum(one.ru_utime + one.ru_stime for one in used),
    "wall": time.perf_counter() - begun,
    "peak_mb": int(peak.split()[1]) / 1e3,
    "code": code,
}))
"""
GOALS = {"history": 2.0, "rank": 2.0, "compare": 2.0, "ensemble": 2.0}  # seconds of CPU


@dataclass(frozen=True)
class Cost:
    """One run of a command. cpu, wall: seconds. peak_mb: of its own process. code: exit code."""

    cpu: float
    wall: float
    peak_mb: float
    code: int


def main(argv: list[str] | None = None) -> int:
    """Build what is not there, time each command, print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="kept between runs")
    parser.add_argument("--submissions", type=int, default=500)
    parser.add_argument("--scores", type=int, help="default: one a submission")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", nargs="*", metavar="WORDS", help="starts of commands' names")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(argv)
    scores = options.submissions if options.scores is None else options.scores
    place = build(options.folder, options.submissions, scores, options.images)
    found = {}
    for name, words in commands(place).items():
        if not options.only or name.startswith(tuple(options.only)):
            found[name] = [cost(words, place) for _ in range(options.runs)]
            print(line(name, found[name]), flush=True)
    if options.json:
        plain = {name: [asdict(one) for one in runs] for name, runs in found.items()}
        options.json.write_text(json.dumps(plain, indent=1), encoding="utf-8")
    return 0


def commands(place: Path) -> Mapping[str, Sequence[str]]:
    """What is timed, by name. The target has answers and no score; the store alone has neither."""
    zips = [str(path) for path in sorted((place / "past").glob("*.zip"))]
    data = ["--data", str(place / "data.npz")]
    full, bare = (["--store", str(place / name)] for name in ("store.sqlite", "alone.sqlite"))
    target = str(place / "target.zip")
    some = {f"{len(zips[:n])}": zips[:n] for n in (2, 20, len(zips))}
    page = [*data, "--html", str(place / "page.html"), "--json", str(place / "report.json")]
    return {
        "local-eval, no past": [target, *data, *bare],
        "local-eval, past": [target, *data, *full],
        "local-eval page, no past": [target, *page, *bare],
        "local-eval page, past": [target, *page, *full],
        "history": ["history", *full],
        "history csv json": [
            *("history", "--csv", str(place / "h.csv"), "--json", str(place / "h.json")),
            *full,
        ],
        **{f"rank {n}": ["rank", *names, *data, *full] for n, names in some.items()},
        **{
            f"rank {n}, two at a time": ["rank", *names, *data, *full, "--workers", "2"]
            for n, names in some.items()
        },
        **{f"compare {n}": ["compare", *names, *data, *full] for n, names in some.items()},
        **{f"ensemble {n}": ["ensemble", *names, *data, *full] for n, names in some.items()},
    }


def build(folder: Path, submissions: int, scores: int, images: int) -> Path:
    """The folder with data, zips and both stores; what is there already stays."""
    place = folder / f"{submissions}-{scores}-{images}"
    if (place / "built").exists():
        return place
    (place / "past").mkdir(parents=True, exist_ok=True)
    save(synthetic(images, seed=9), place / "data.npz")
    target = zipped(place / "target.zip", 40)
    alone = place / "alone.sqlite"
    words = [str(target), "--data", str(place / "data.npz"), "--store", str(alone)]
    first = cost([*words, "--tolerance", "0"], place)  # all of the library: nothing is left to ask
    if first.code not in (0, 1):
        raise RuntimeError(f"the first evaluation failed with {first.code}")
    (place / "store.sqlite").write_bytes(alone.read_bytes())
    with Store.open(place / "store.sqlite") as store:
        fill(store, place, sha256_of(target), submissions, scores)
    (place / "built").touch()
    return place


def fill(store: Store, place: Path, target: str, submissions: int, scores: int) -> None:
    """Submissions that answered what the target did, right in shares of their own by condition."""
    rng = np.random.default_rng(0)
    run = store.runs(target)[0]
    found = store.run_answers(run)
    asked = {condition: found.of(condition) for condition in found.conditions}
    truth = synthetic(10 + max(int(a.ids.max()) for a in asked.values()), seed=9).labels
    conditions = {condition: 0.5 + 0.45 * rng.random() for condition in asked}
    for number in range(submissions):
        path = zipped(place / "past" / f"s{number:04}.zip", 1000 + number)
        known = store.add_submission(sha256_of(path), path.name, path)
        own = Run(known.sha256, run.environment, run.data, run.seed, run.dtype)
        skill, block, right = rng.normal(0, 0.5), [], []
        for condition, answers in asked.items():
            odds = (
                np.log(conditions[condition] / (1 - conditions[condition]))
                + skill
                + rng.normal(0, 0.4)
            )
            share = 1 / (1 + np.exp(-odds))
            wrong = rng.integers(0, 8, len(answers.ids))
            labels = np.where(rng.random(len(wrong)) < share, truth[answers.ids], wrong)
            block.append((condition, answers.ids, labels))
            right.append(share)
        store.put_block(own, block)
        if number < scores:
            store.record_score(known, round(float(np.mean(right[::3])), 3), 3)


def zipped(path: Path, divisor: int) -> Path:
    """A submission of its own in numpy alone."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.py", MODEL.format(divisor=divisor))
    return path


def cost(words: Sequence[str], place: Path) -> Cost:
    """Of one command in a fresh process; its last output stays in `place`."""
    result = place / "cost.json"
    result.unlink(missing_ok=True)
    with (place / "output.txt").open("wb") as output:
        subprocess.run(  # noqa: S603  our own program
            [sys.executable, "-c", CHILD, str(result), *words],
            check=False,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
    return Cost(**json.loads(result.read_text(encoding="utf-8")))


def line(name: str, runs: Sequence[Cost]) -> str:
    """Medians, and the range of CPU seconds."""
    cpu, wall, peak = (
        statistics.median(getattr(run, field) for run in runs)
        for field in ("cpu", "wall", "peak_mb")
    )
    low, high = min(run.cpu for run in runs), max(run.cpu for run in runs)
    goal = GOALS.get(name.split()[0])
    missed = " (goal missed)" if goal is not None and cpu > goal else ""
    codes = ",".join(sorted({str(run.code) for run in runs}))
    figures = f"CPU {cpu:7.2f} s ({low:.2f}..{high:.2f})  wall {wall:7.2f} s  {peak:6.0f} MB"
    return f"{name:28} {figures}  exit {codes}{missed}"


if __name__ == "__main__":
    raise SystemExit(main())
