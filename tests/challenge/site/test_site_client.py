"""The stub against `codabench-client`, which somebody else wrote against the real site."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.challenge.site.stub import SiteStub
from tests.challenge.site.world import PASSWORD, USER

pytestmark = pytest.mark.slow
codabench: Any = pytest.importorskip(
    "codabench", reason="needs codabench-client (pip install codabench-client)"
)


@pytest.fixture
def client(site: SiteStub, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its client, as its documentation uses it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(importlib.import_module("codabench.client").time, "sleep", lambda _: None)
    return codabench.CodabenchClient(base_url=site.base, username=USER, password=PASSWORD)


def test_it_shows_our_challenge(client: Any, site: SiteStub) -> None:
    """Else the stub answers what no real site does, and all our tests prove nothing."""
    found = client.competition(site.page)
    assert codabench.find_phase(found, phase_index=0)["id"] == 11
    assert codabench.primary_metric(found)["key"] == "accuracy"
    assert found["phases"][0]["used_submissions_per_person"] == 0


def test_it_uploads_and_reads_the_score(client: Any, site: SiteStub, here: Path) -> None:
    """Else our upload follows calls that a real site does not have."""
    client.can_submit(11)
    made = client.submit(11, here / "submission.zip", progress=None)
    done = client.wait_for_submission(made["id"], progress=None)
    assert done["status"] == "Finished"
    found = client.results(made["id"], done)
    assert found["metrics"] == {"Accuracy": 0.8731343284, "Macro F1": 0.4365671642}
    assert set(found["logs"]) == {"scoring_stdout", "scoring_stderr", "prediction_ingestion_stderr"}
    assert client.pick_submission(11)["id"] == made["id"]
    assert client.download_artifact(made["id"], "scoring", here / "got") is not None
    assert next(iter(site.puts.values())) == (here / "submission.zip").read_bytes()


def test_it_is_refused_as_we_are(client: Any, site: SiteStub) -> None:
    """Else the stub is kinder to us than to others."""
    for _ in range(5):
        site.add("old.zip")
    with pytest.raises(
        codabench.CodabenchError, match="Reached maximum allowed submissions for today"
    ):
        client.can_submit(11)
    with pytest.raises(codabench.CodabenchError, match="404"):
        client.competition(99)
    wrong = codabench.CodabenchClient(base_url=site.base, username=USER, password="wrong")
    with pytest.raises(codabench.CodabenchError, match="login failed"):
        wrong.can_submit(11)


def test_it_logs_in_as_a_browser(client: Any, site: SiteStub, here: Path) -> None:
    """Else sessions, and the cross-site check that goes with them, are only made up."""
    key = client.upload_dataset(here / "submission.zip", progress=None)
    assert (
        client.download_dataset(key, here / "files", extract=False).read_bytes()
        == (here / "submission.zip").read_bytes()
    )
    session = client.session()
    refused = session.put(f"{site.base}/api/datasets/completed/{key}/")
    assert (refused.status_code, refused.json()) == (
        403,
        {"detail": "CSRF Failed: CSRF token missing."},
    )
    token = {"X-CSRFToken": session.cookies["csrftoken"]}
    assert session.put(f"{site.base}/api/datasets/completed/{key}/", headers=token).ok
