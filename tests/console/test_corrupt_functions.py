"""`local-eval --corrupt module:function` as typed: nothing of the user's is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from codabench_rehearsal.commands.local_eval import main
from codabench_rehearsal.console.command import Exit
from tests.evaluator.corner import submission

SOURCE = """
import numpy as np
def dark(images, severity, rng):
    return (images * (1 - severity / 6)).astype(np.uint8)
"""


@pytest.mark.parametrize("spec", ["own13:dark", "own13:dark:2.5", "fog:1+own13:dark:2"])
def test_the_function_is_not_overwritten(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--json own13.py --force` would replace what the user wrote by a report."""
    monkeypatch.chdir(tmp_path)
    Path("own13.py").write_text(SOURCE, encoding="utf-8")
    path = submission(tmp_path)
    words = [str(path), "--corrupt", spec, "--data", "x.npz", "--json", "own13.py", "--force"]
    assert main(words) == Exit.USAGE
    said = capsys.readouterr().err
    assert "would overwrite the module of your function" in said
    assert Path("own13.py").read_text(encoding="utf-8") == SOURCE


def test_a_bundle_decides_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--until` and `--reference` would be ignored in a bundle without a word."""
    monkeypatch.chdir(tmp_path)
    path = submission(tmp_path)
    Path("competition.yaml").write_text("title: x\n", encoding="utf-8")
    for more in (["--until", "0.9"], ["--reference", str(path)]):
        assert main([str(path), "--challenge", ".", *more]) == Exit.USAGE
        assert f"{more[0]} does not go with --challenge BUNDLE" in capsys.readouterr().err
