"""What `codabench-client` does with a site, run by an environment that has it; prints JSON.

`python client_calls.py SCENARIO BASE USER PASSWORD ZIP FOLDER`; nothing of ours is imported.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def shows(codabench: Any, client: Any, base: str, _zip: Path, _folder: Path) -> dict[str, Any]:
    """Look at a challenge."""
    found = client.competition(f"{base}/competitions/1234/")
    return {
        "phase": codabench.find_phase(found, phase_index=0)["id"],
        "metric": codabench.primary_metric(found)["key"],
        "used": found["phases"][0]["used_submissions_per_person"],
        "listed": client.list_submissions(11),
    }


def uploads(_module: Any, client: Any, _base: str, zip_: Path, folder: Path) -> dict[str, Any]:
    """Upload, wait, and read the score."""
    client.can_submit(11)
    made = client.submit(11, zip_, progress=None)
    done = client.wait_for_submission(made["id"], progress=None)
    found = client.results(made["id"], done)
    return {
        "status": done["status"],
        "metrics": found["metrics"],
        "logs": sorted(found["logs"]),
        "latest": client.pick_submission(11)["id"] == made["id"],
        "listed": [one["filename"] for one in client.list_submissions(11)],
        "scoring": client.download_artifact(made["id"], "scoring", folder) is not None,
    }


def is_refused(codabench: Any, client: Any, base: str, _zip: Path, _folder: Path) -> dict[str, Any]:
    """Ask for what a site refuses."""
    wrong = codabench.CodabenchClient(base_url=base, username="alice.surname", password="wrong")
    return {
        "today": _said(codabench, lambda: client.can_submit(11)),
        "number": _said(codabench, lambda: client.competition(99)),
        "login": _said(codabench, lambda: wrong.can_submit(11)),
    }


def is_a_browser(_module: Any, client: Any, base: str, zip_: Path, folder: Path) -> dict[str, Any]:
    """Use a session, and the cross-site check that goes with it."""
    key = client.upload_dataset(zip_, progress=None)
    got = client.download_dataset(key, folder, extract=False).read_bytes()
    session, url = client.session(), f"{base}/api/datasets/completed/{key}/"
    refused = session.put(url)
    allowed = session.put(url, headers={"X-CSRFToken": session.cookies["csrftoken"]})
    return {
        "same": got == zip_.read_bytes(),
        "without": [refused.status_code, refused.json()["detail"]],
        "with": allowed.status_code,
    }


def _said(codabench: Any, action: Callable[[], object]) -> str:
    try:
        action()
    except codabench.CodabenchError as error:
        return str(error)
    return ""


def main(scenario: str, base: str, user: str, password: str, zip_: str, folder: str) -> None:
    """Run one of them."""
    codabench = importlib.import_module("codabench")
    time: Any = importlib.import_module("codabench.client").time
    time.sleep = lambda _: None
    client = codabench.CodabenchClient(base_url=base, username=user, password=password)
    every = (shows, uploads, is_refused, is_a_browser)
    action = next(one for one in every if one.__name__ == scenario)
    print(json.dumps(action(codabench, client, base, Path(zip_), Path(folder))))


if __name__ == "__main__":
    main(*sys.argv[1:])
