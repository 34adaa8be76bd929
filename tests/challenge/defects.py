"""Defects seeded into the sound bundle: a name, the code that has to find it, what is changed."""

from __future__ import annotations

from typing import Any

from tests.challenge.bundles import Change, Draft, zipped

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 123456\n"
END = "'2026-02-01 12:00:00'"
START = "'2026-02-02 00:00:00'"
SCORING, INGESTION = "scoring_program/scoring.py", "ingestion_program/ingestion.py"


def top(**values: object) -> Change:
    """Set keys at the top."""
    return lambda draft: draft.yaml.update(values)


def put(name: str, at: int, **values: object) -> Change:
    """Set keys of a task, a phase, a page ..."""
    return lambda draft: draft.yaml[name][at].update(values)


def without(name: str, at: int, key: str) -> Change:
    """Take a key out of one of them."""
    return lambda draft: draft.yaml[name][at].pop(key)


def column(at: int, **values: object) -> Change:
    """Set keys of a column."""
    return lambda draft: _columns(draft)[at].update(values)


def no_column_key(key: str) -> Change:
    """Take a key out of the first column."""
    return lambda draft: _columns(draft)[0].pop(key)


def computed(**values: object) -> Change:
    """Add a column that is computed."""
    more = {"title": "Mean", "key": "mean", "index": 2, **values}
    return lambda draft: _columns(draft).append(more)


def board(**values: object) -> Change:
    """Set keys of the leaderboard."""
    return put("leaderboards", 0, **values)


def lost(name: str) -> Change:
    """Leave a file out."""
    return lambda draft: draft.files.pop(name)


def text(name: str, content: str | bytes) -> Change:
    """Another content of a file."""
    return lambda draft: draft.add(name, content)


def edit(old: str, new: str) -> Change:
    """Other words in competition.yaml."""
    return lambda draft: draft.edit(old, new)


def added(name: str, content: str | bytes, kind: str, at: int, **values: object) -> Change:
    """A file more, that a task names."""

    def change(draft: Draft) -> None:
        draft.add(name, content)
        put(kind, at, **values)(draft)

    return change


def code(name: str, old: str, new: str) -> Change:
    """Other words in a file."""
    return lambda draft: draft.replace(name, old, new)


def command(words: str, program: str = "scoring_program") -> Change:
    """Another command of a program."""
    return text(f"{program}/metadata.yaml", f"command: {words}\n")


def moved(old: str, new: str) -> Change:
    """A file under another name."""
    return lambda draft: draft.files.update({new: draft.files.pop(old)})


def renamed(old: str, new: str) -> Change:
    """A key at the top under another name."""
    return lambda draft: draft.yaml.update({new: draft.yaml.pop(old)})


def _columns(draft: Draft) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = draft.yaml["leaderboards"][0]["columns"]
    return found


def _nested(draft: Draft) -> None:
    draft.files = {f"bundle/{name}": data for name, data in draft.files.items()}
    draft.name = "bundle/competition.yaml"


def _yml(draft: Draft) -> None:
    draft.name = "competition.yml"


def _second_board(draft: Draft) -> None:
    draft.yaml["leaderboards"].append(draft.yaml["leaderboards"][0] | {"key": "second"})


KIT = {"run_docker.sh": b"docker run -v $PWD:/app/codalab/scoring image"}
DEFECTS: tuple[tuple[str, str, Change], ...] = (
    ("nested in a folder", "B101", _nested),
    ("called .yml", "B101", _yml),
    ("a colon in a title", "B102", edit("A challenge", "A challenge: the second")),
    ("no version", "B103", lambda d: d.yaml.pop("version")),
    ("version 1.5", "B103", top(version=1.5)),
    ("version 2.0", "B103", top(version=2.0)),
    *((f"no {key}", "B104", lambda d, key=key: d.yaml.pop(key)) for key in ("title", "image", "terms", "pages", "tasks", "phases")),
    ("leaderboard for leaderboards", "B104", renamed("leaderboards", "leaderboard")),
    ("a task without a name", "B104", without("tasks", 0, "name")),
    ("a task without an index", "B104", without("tasks", 1, "index")),
    ("a task without a scoring program", "B104", without("tasks", 0, "scoring_program")),
    ("a phase without a start", "B104", without("phases", 1, "start")),
    ("a phase without a name", "B104", without("phases", 0, "name")),
    ("a phase without tasks", "B104", without("phases", 0, "tasks")),
    ("a page without a title", "B104", without("pages", 0, "title")),
    ("a column without a key", "B104", no_column_key("key")),
    ("a column without an index", "B104", no_column_key("index")),
    ("a leaderboard without a key", "B104", without("leaderboards", 0, "key")),
    ("a start that is empty", "B104", put("phases", 0, start="")),
    ("an empty title", "B104", top(title=None)),
    ("a key twice", "B105", edit("terms: pages/terms.md", "terms: no.md\nterms: pages/terms.md")),
    ("the image in a task", "B106", put("tasks", 0, docker_image="mine:1")),
    ("a kit in a task", "B106", put("tasks", 0, starting_kit="kit")),
    ("the rule at the top", "B106", top(submission_rule="Add")),
    ("a key with a slip", "B106", put("phases", 0, max_submission_per_day=3)),
    ("an image that is empty", "B107", top(docker_image=None)),
    ("a title that is on", "B107", edit("A challenge", "on")),
    ("a title that is a date", "B107", edit("A challenge", "2026-01-31")),
    ("a limit in words", "B107", put("phases", 0, execution_time_limit="10 minutes")),
    ("a limit below 0", "B107", put("phases", 0, max_submissions=-1)),
    ("a rule that is none", "B107", board(submission_rule="Force Best")),
    ("a sorting that is none", "B107", column(0, sorting="descending")),
    ("a truth that is none", "B107", top(enable_detailed_results="maybe")),
    ("tasks of a phase as a number", "B107", put("phases", 0, tasks=0)),
    ("a computation that is none", "B107", computed(computation="mean", computation_indexes=[0, 1])),
    ("a column's title too long", "B108", column(0, title="t" * 37)),
    ("a column's key too long", "B108", column(1, key="k" * 37)),
    ("a leaderboard's title too long", "B108", board(title="t" * 65)),
    ("an image's name too long", "B108", top(docker_image=f"me/{'i' * 130}:1")),
    ("a task that is a name", "B109", lambda d: d.yaml["tasks"].append("task three")),
    ("an octal key", "B110", edit("key: accuracy", "key: 010")),
    ("a fact sheet that lacks a type", "B111", top(fact_sheet={"q": {"key": "q", "title": "Q"}})),
    ("an address that is none", "B112", top(contact_email="me at home")),
    ("no page", "B120", lost("pages/overview.md")),
    ("no terms", "B120", lost("pages/terms.md")),
    ("an empty page", "B120", text("pages/overview.md", "")),
    ("a page in Latin-1", "B120", text("pages/overview.md", "Überblick".encode("latin-1"))),
    ("an empty list of pages", "B121", top(pages=[])),
    ("no logo", "B122", lost("logo.png")),
    ("a logo as SVG", "B122", text("logo.png", "<svg xmlns='http://www.w3.org/2000/svg'/>")),
    ("no reference data", "B123", put("tasks", 0, reference_data="reference_data/dve")),
    ("a name in another case", "B123", put("tasks", 0, input_data="Input_Data")),
    ("a name that leads out", "B123", put("tasks", 0, input_data="../input_data")),
    ("a zip that is a folder", "B123", put("tasks", 1, input_data="input_data.zip")),
    ("an empty reference", "B123", put("tasks", 0, reference_data=None)),
    ("reference data as a table", "B124", added("ref.csv", "a,b\n" * 30, "tasks", 0, reference_data="ref.csv")),
    ("a pointer for a zip", "B124", added("in.zip", POINTER, "tasks", 0, input_data="in.zip")),
    ("an empty zip of data", "B125", added("in.zip", zipped({}), "tasks", 0, input_data="in.zip")),
    ("a pointer among the data", "B126", text("input_data/train.npy", POINTER)),
    ("the answers in the public kit", "B127", text("kit/labels.npy", b"final labels" * 20)),
    ("the answers among the input data", "B127", text("input_data/y.npy", b"dev labels" * 20)),
    ("the answers as public data", "B127", put("phases", 0, public_data="reference_data")),
    ("a kit that mounts other folders", "B128", lambda d: d.files.update({f"kit/{n}": t for n, t in KIT.items()})),
    ("a task of no phase", "B129", put("phases", 1, tasks=[0])),
    ("an index twice", "B130", put("tasks", 1, index=0)),
    ("ingestion during scoring without any", "B131", lambda d: (put("tasks", 0, ingestion_only_during_scoring=True)(d), without("tasks", 0, "ingestion_program")(d))),
    ("a solution of no task", "B132", top(solutions=[{"index": 0, "tasks": [7], "path": "kit"}])),
    ("no metadata", "B140", lost("scoring_program/metadata.yaml")),
    ("metadata in a folder", "B140", moved("ingestion_program/metadata.yaml", "ingestion_program/in/metadata.yaml")),
    ("no command", "B141", text("scoring_program/metadata.yaml", "description: scores\n")),
    ("metadata that are no YAML", "B141", text("scoring_program/metadata.yaml", "command: a\ndescription: b: c\n")),
    ("a command with &&", "B142", command("python3 scoring.py && echo done")),
    ("a command with >", "B142", command("python3 scoring.py > log.txt")),
    ("a command with a home", "B143", command("python3 scoring.py $HOME")),
    ("a word that is none", "B143", command("python3 ingestion.py $ingested_program", "ingestion_program")),
    ("a script that is not there", "B144", command("python3 score.py")),
    ("a script in another folder", "B144", command("python3 /app/program/src/scoring.py")),
    ("code that is no Python", "B145", code(SCORING, "import json", "import json from")),
    ("code for a newer Python", "B146", lambda d: (top(docker_image="codalab/codalab-legacy:py37")(d), code(SCORING, "import json\n", "import json\nif (n := 3): pass\n")(d))),
    ("a package that the image lacks", "B147", code(SCORING, "import json", "import torch, json")),
    ("a package that the default lacks", "B147", lambda d: (d.yaml.pop("docker_image"), code(INGESTION, "import numpy", "import xgboost\nimport numpy")(d))),
    ("an install while it runs", "B148", code(INGESTION, "import numpy", "import os\nos.system('pip install torch')\nimport numpy")),
    ("both kinds of metadata", "B149", text("scoring_program/metadata", "command: python3 scoring.py\n")),
    ("a place that no worker has", "B150", code(INGESTION, "/app/output/pred", "/app/results/pred")),
    ("scoring reads input data", "B151", code(SCORING, "/app/input/ref/labels.npy", "/app/input_data/labels.npy")),
    ("ingestion reads references", "B151", command("python3 ingestion.py /app/input/ref", "ingestion_program")),
    ("scoring reads the submission", "B152", code(SCORING, "import json\n", "import json\nS = '/app/ingested_program'\n")),
    ("ingestion writes beside the model", "B152", code(INGESTION, "import sys\n", "import sys\nopen('/app/ingested_program/x', 'w')\n")),
    ("a folder of one's own", "B153", code(SCORING, "import json\n", "import json\nD = '/home/me/data'\n")),
    ("input data of another name", "B154", code(INGESTION, "input_data/test.npy", "input_data/tests.npy")),
    ("a folder around the references", "B154", lambda draft: draft.files.update({"reference_data/dev/in/labels.npy": draft.files.pop("reference_data/dev/labels.npy")} | {"reference_data/final/in/labels.npy": draft.files.pop("reference_data/final/labels.npy")})),
    ("scores beside the program", "B190", code(SCORING, "/app/output/scores.json", "scores.json")),
    ("Python's own image", "B147", top(docker_image="python:3.11-slim")),
    ("a date in words", "B160", put("phases", 0, end="soon")),
    ("a day that is none", "B160", put("phases", 0, end="2026-02-30 00:00:00")),
    ("phases that overlap", "B161", edit(START, "'2026-01-15 00:00:00'")),
    ("phases that touch", "B161", edit(START, END)),
    ("a first phase without an end", "B161", without("phases", 0, "end")),
    ("an unquoted time", "B162", edit(END, END.strip("'"))),
    ("a time zone", "B163", edit(END, "'2026-02-01 12:00:00+02:00'")),
    ("an end before the start", "B164", put("phases", 0, end="2025-12-01 00:00:00")),
    ("a phase of no task", "B165", put("phases", 1, tasks=[2])),
    ("an empty list of tasks", "B166", put("phases", 1, tasks=[])),
    ("an index of phases twice", "B167", put("phases", 1, index=0)),
    ("indexes as numbers and texts", "B171", put("phases", 1, index="one")),
    ("a key that is none", "B131", put("tasks", 0, key="mine")),
    ("the whole bundle as public data", "B127", put("phases", 0, public_data="./")),
    ("migration to the first phase", "B168", put("phases", 0, auto_migrate_to_this_phase=True)),
    ("five seconds", "B169", put("phases", 0, execution_time_limit=5)),
    ("more a day than in all", "B169", put("phases", 0, max_submissions=3)),
    ("a month that may be a day", "B170", edit("'2026-01-01 00:00:00'", "02-01-2026")),
    ("no leaderboards in the list", "B180", top(leaderboards=[])),
    ("no columns", "B180", board(columns=[])),
    ("a column's key twice", "B181", column(1, key="accuracy")),
    ("a column's index twice", "B181", column(1, index=0)),
    ("a computation of nothing", "B182", computed(computation="avg")),
    ("a computation of itself", "B182", computed(computation="avg", computation_indexes=[0, 2])),
    ("a computation of no column", "B182", computed(computation="avg", computation_indexes=[0, 9])),
    ("indexes as a text", "B182", computed(computation="avg", computation_indexes="0,1")),
    ("a second leaderboard", "B183", _second_board),
    ("sorted by no column", "B184", board(primary_index=5)),
    ("a loss that sorts as a score", "B185", column(1, sorting="desc")),
    ("no scores file", "B190", code(SCORING, "/app/output/scores.json", "/app/output/result.json")),
    ("a column that nobody writes", "B191", column(0, key="acuracy")),
    ("scoring that trusts ingestion", "B192", code(SCORING, "if not os.path.exists", "if not bool")),
    ("metadata that scoring writes", "B193", code(SCORING, "import json\n", "import json\nopen('/app/output/metadata', 'w')\n")),
    ("detailed results that nobody writes", "B194", top(enable_detailed_results=True)),
    ("a page that nobody sees", "B194", code(SCORING, "import json\n", "import json\nP = 'detailed_results.html'\n")),
)  # fmt: skip
