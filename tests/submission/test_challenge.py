"""Challenge profiles: the built-in one, and every mistake in one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from codabench_rehearsal.challenge.profile import built_in, load_challenge
from codabench_rehearsal.console.errors import SubmissionError

GREY = """
schema = 1
name = "grey"
title = "Grey 28x28"
[images]
shape = [28, 28, 1]
[labels]
names = ["a", "b", "c"]
[scoring]
metric = "macro-F1"
hidden_images = 500
[server]
working_folder = "program"
[limits]
zip_bytes = 1000
seconds = 60
"""


def test_the_built_in_profile() -> None:
    """Else the challenge that the tool is made for would be described wrongly."""
    challenge = load_challenge("an2dl-2024")
    assert (challenge.shape, challenge.classes) == ((96, 96, 3), 8)
    assert (challenge.tensorflow, challenge.keras) == ("2.17.0", "3.4.1")
    assert challenge.working_folder == "submission"
    assert challenge.sizes.zip_bytes is None
    assert challenge.seconds is None


@pytest.mark.parametrize("name", built_in())
def test_every_built_in_profile_loads(name: str) -> None:
    """Else a profile that ships could not be used."""
    assert load_challenge(name).name == name


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    """Else the tool would serve one challenge only."""
    (tmp_path / "grey.toml").write_text(GREY, encoding="utf-8")
    challenge = load_challenge(str(tmp_path / "grey.toml"))
    assert challenge.shape == (28, 28, 1)
    assert (challenge.metric, challenge.hidden_images) == ("macro-F1", 500)
    assert (challenge.sizes.zip_bytes, challenge.seconds) == (1000, 60)
    assert challenge.keras == ""


MISTAKES = [
    ("schema = 1", "schema = 2", "schema = 1, received 2"),
    ("[images]", "[image]", "did you mean 'images'"),
    ("shape = [28, 28, 1]", "shape = [28, 28]", "[height, width, 1 or 3]"),
    ("shape = [28, 28, 1]", "shape = [28, 28, 2]", "[height, width, 1 or 3]"),
    ('names = ["a", "b", "c"]', 'names = ["a"]', "at least two different names"),
    ('names = ["a", "b", "c"]', 'names = ["a", "a"]', "at least two different names"),
    ('"macro-F1"', '"f1"', "one of accuracy, balanced accuracy, macro-F1"),
    ("seconds = 60", "seconds = -1", "a whole number above 0"),
    ("zip_bytes = 1000", "zip_byte = 1000", "did you mean 'zip_bytes'"),
    ('name = "grey"', "name = 3", "a text in quotes"),
    ("schema = 1", "schema = ", "not valid TOML"),
    (
        "[images]",
        '[interface]\nmodule = "model.py"\n[images]',
        "a name as in Python, without an ending",
    ),
    ("[images]", '[interface]\narguments = ["folder"]\n[images]', "a list of path"),
    ("[images]", '[interface]\nanswers = "hard"\n[images]', "one of labels, probabilities, strict"),
    ("[server]", '[server]\nworker = "2027-01"', "one of 2026-03, 2026-10"),
]


@pytest.mark.parametrize(("right", "wrong", "said"), MISTAKES)
def test_mistakes_are_named(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    """Else a typo in a profile would silently change what is checked."""
    path = tmp_path / "own.toml"
    path.write_text(GREY.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(SubmissionError) as caught:
        load_challenge(str(path))
    assert said in str(caught.value)
    assert "own.toml" in str(caught.value)


def test_a_mark_of_the_editor_is_no_mistake(tmp_path: Path) -> None:
    """Else a profile that Notepad saved is "not valid TOML: line 1"."""
    path = tmp_path / "own.toml"
    path.write_text(f"\ufeff{GREY}", encoding="utf-8")
    assert load_challenge(str(path)).name == "grey"


def test_a_profile_can_say_how_it_asks(tmp_path: Path) -> None:
    """Else challenges with another interface are rehearsed by the wrong one."""
    more = '[interface]\narguments = ["path"]\nimages = "one"\nanswers = "strict"\n'
    server = '[server]\nworker = "2026-10"\npackages = ["scipy==1.13"]\n'
    path = tmp_path / "own.toml"
    path.write_text(_merged(GREY, more, server), encoding="utf-8")
    asked = load_challenge(str(path)).asked()
    assert (asked["arguments"], asked["one_at_a_time"], asked["answers"]) == (("path",), True, "strict")  # fmt: skip
    assert asked["worker"] == "2026-10"
    assert load_challenge().asked()["worker"] == "2026-03"
    assert load_challenge().workers == ("2026-03", "2026-10")


def _merged(text: str, *sections: str) -> str:
    """A profile with further lines in its sections."""
    for section in sections:
        head, _, body = section.partition("\n")
        text = text.replace(head, f"{head}\n{body}") if head in text else f"{text}\n{section}"
    return text


def test_an_unknown_name_lists_the_known() -> None:
    """Else the user does not know what to give."""
    with pytest.raises(SubmissionError, match="an2dl-2024"):
        load_challenge("an2dl")
