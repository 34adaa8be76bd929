"""Reading bundles: what a zip or a folder says, unpacked within limits."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from codabench_rehearsal.challenge import bundle_files
from codabench_rehearsal.challenge.bundle import LEGACY_IMAGE, Bundle, read_bundle
from codabench_rehearsal.challenge.dates import site_date
from codabench_rehearsal.console.errors import SubmissionError
from tests.challenge.bundles import Draft, zipped

LAUGHS = "a: &a [x]\n" + "\n".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]"
    for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def read(draft: Draft, folder: Path, form: str = "zip") -> Bundle:
    """The bundle, written and read again."""
    into = folder / "unpacked"
    source = draft.as_zip(folder / "bundle.zip") if form == "zip" else draft.as_folder(folder / "b")
    return read_bundle(source, into)


@pytest.mark.parametrize("form", ["zip", "folder"])
@pytest.mark.parametrize("inner", [False, True], ids=["folders", "zips"])
def test_all_that_a_bundle_says(tmp_path: Path, form: str, inner: bool) -> None:
    """Else a rehearsal runs another challenge than the site does."""
    draft = Draft()
    names = ("ingestion_program", "scoring_program", "input_data") if inner else ()
    for name in names:
        draft.zip_up(name)
        for task in draft.yaml["tasks"]:
            task[name] = f"{name}.zip"
    bundle = read(draft, tmp_path, form)
    assert bundle.title == "A challenge"
    assert bundle.image == "codalab/codalab-legacy:py312"
    first, last = bundle.phases
    assert (first.tasks, first.seconds, first.per_day, first.in_all) == ((0,), 600, 5, 100)
    assert (first.start, first.end, last.end) == ("2026-01-01 00:00:00", "2026-02-01 12:00:00", "")
    assert [(c.key, c.sorting, c.precision) for c in bundle.columns] == [
        *(("accuracy", "desc", 2), ("loss_of_it", "asc", 2))
    ]
    for task, truth in zip(bundle.tasks, (b"dev labels", b"final labels"), strict=True):
        assert task.ingestion
        assert task.scoring
        assert task.input_data
        assert task.reference_data
        assert (task.ingestion / "ingestion.py").is_file()
        assert (task.scoring / "metadata.yaml").is_file()
        assert (task.input_data / "train.npy").read_bytes() == bytes(range(200))
        assert (task.reference_data / "labels.npy").read_bytes().startswith(truth)
        assert task.missing == {}
    assert first.starting_kit
    assert (first.starting_kit / "model.py").is_file()
    assert bundle.tasks[0].ingestion == bundle.tasks[1].ingestion  # unpacked once


def test_what_is_left_out_is_as_the_site_takes_it(tmp_path: Path) -> None:
    """Else limits and image are others than the site's."""
    draft = Draft()
    draft.yaml.pop("docker_image")
    phase = draft.yaml["phases"][0]
    for key in ("execution_time_limit", "max_submissions", "max_submissions_per_day"):
        phase.pop(key)
    draft.yaml["phases"][1] |= {"max_submissions": 0, "max_submissions_per_day": None}
    bundle = read(draft, tmp_path)
    first, last = bundle.phases
    assert bundle.image == LEGACY_IMAGE
    assert (first.seconds, first.per_day, first.in_all) == (600, 5, 100)
    assert (last.per_day, last.in_all) == (None, None)


def test_what_is_kept_out_of_the_repository_is_named(tmp_path: Path) -> None:
    """Else nothing of a public challenge can be read, as its answers are secret."""
    draft = Draft()
    for name in [name for name in draft.files if name.startswith("reference_data")]:
        del draft.files[name]
    task, _ = read(draft, tmp_path, "folder").tasks
    assert task.missing == {"reference_data": "reference_data/dev"}
    assert task.reference_data is None


def test_a_zip_that_a_repository_has_as_a_folder_is_taken(tmp_path: Path) -> None:
    """Else bundles that a script zips up before the upload cannot be rehearsed."""
    draft = Draft()
    draft.yaml["tasks"][0]["scoring_program"] = "scoring_program.zip"
    task = read(draft, tmp_path, "folder").tasks[0]
    assert task.scoring
    assert (task.scoring / "scoring.py").is_file()


def test_a_folder_on_disk_is_not_copied(tmp_path: Path) -> None:
    """Else gigabytes of data are copied to read a title."""
    bundle = read(Draft(), tmp_path, "folder")
    assert not (tmp_path / "unpacked").exists()
    assert bundle.folder == tmp_path / "b"


@pytest.mark.parametrize(
    "name", ["../../evil.txt", "/tmp/evil-i17.txt", "a/../../../evil.txt", "..\\evil.txt"]
)
def test_no_name_leaves_the_folder(tmp_path: Path, name: str) -> None:
    """Else somebody's bundle writes over the user's files."""
    draft = Draft()
    draft.files["input_data.zip"] = zipped({name: b"evil", "x.npy": b"x"})
    draft.yaml["tasks"][0]["input_data"] = "input_data.zip"
    inner = tmp_path / "deep" / "inner"
    inner.mkdir(parents=True)
    before = set(tmp_path.rglob("*"))
    with suppress(SubmissionError):  # refused, or put into the folder
        read(draft, inner)
    written = {path for path in set(tmp_path.rglob("*")) - before if path.is_file()}
    assert all((inner / "unpacked") in path.parents or path.parent == inner for path in written)
    assert not Path("/tmp/evil-i17.txt").exists()


def test_links_lead_nowhere(tmp_path: Path) -> None:
    """Else a bundle reads the user's own files."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    info = zipfile.ZipInfo("link.npy")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr(info, str(secret))
    draft = Draft()
    draft.files["input_data.zip"] = (tmp_path / "data.zip").read_bytes()
    draft.yaml["tasks"][0]["input_data"] = "input_data.zip"
    data = read(draft, tmp_path).tasks[0].input_data
    assert data
    assert not (data / "link.npy").is_symlink()
    folder = draft.as_folder(tmp_path / "linked")
    (folder / "terms.md").symlink_to(secret)
    with bundle_files.opened_tree(folder) as tree:
        assert tree.kind("terms.md") == ""


def test_what_would_fill_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a small zip fills the user's disk."""
    monkeypatch.setattr(bundle_files, "SUSPECT_BYTES", 1 << 20)
    draft = Draft()
    draft.files["input_data.zip"] = zipped({"zeros.npy": bytes(8 << 20)})
    draft.yaml["tasks"][0]["input_data"] = "input_data.zip"
    with pytest.raises(SubmissionError, match="too much to be data"):
        read(draft, tmp_path)


TEXTS = (
    ("title: [", "not valid YAML"),
    ("- a\n- b\n", "expected keys with values"),
    ("", "expected keys with values"),
    ("version: 1.5\ntitle: old\n", "expected version: 2"),
    ("title: no version\n", "expected version: 2"),
    ("version: 2\n", "tasks: expected a list"),
    ("version: 2\ntasks: [{index: 0}]\n", "phases: expected a list"),
    ("version: 2\ntasks: [{index: 0}]\nphases: [{tasks: [3]}]\n", "tasks among \\[0\\]"),
    ("!!python/object/apply:os.system ['touch evil']", "not valid YAML"),
    (LAUGHS, "stands for too much"),
    (f"a: {'[' * 500}{']' * 500}", "nested too deeply"),
)


@pytest.mark.parametrize(("text", "said"), TEXTS, ids=[text[:20] for text, _ in TEXTS])
def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    """Else a user sees a traceback, waits for ever, or runs what is in the file."""
    (tmp_path / "competition.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SubmissionError, match=said) as error:
        read_bundle(tmp_path, tmp_path / "unpacked")
    assert len(str(error.value).splitlines()) == 1
    assert not (tmp_path / "evil").exists()


DATES: tuple[tuple[object, str | None], ...] = (
    ("2026-01-31 12:30:00", "2026-01-31 12:30:00"),
    ("2026-01-31T12:30:00Z", "2026-01-31 12:30:00"),
    ("2026-03-25 6:00", "2026-03-25 06:00:00"),
    ("1-2-2026", "2026-01-02 00:00:00"),
    ("13-2-2026", "2026-02-13 00:00:00"),
    ("7/31/2026 5:00 PM", "2026-07-31 17:00:00"),
    ("July 4, 2026", "2026-07-04 00:00:00"),
    ("4 July 2026 10:00", "2026-07-04 10:00:00"),
    ("in the year 2026", None),
)


@pytest.mark.parametrize(("given", "kept"), DATES)
def test_a_date_as_the_site_takes_it(given: object, kept: str | None) -> None:
    """Else phases that overlap are not told, or good ones are."""
    value = site_date(given).value
    assert (str(value) if value else None) == kept
    assert not site_date(given).refused
