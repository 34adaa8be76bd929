"""What the stub's site holds: one challenge, one account, and submissions that move."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

TOKEN = "7d0f5a31c2e94b86a1d3f00ddeadbeefcafe4242"
USER, PASSWORD = "alice.surname", "correct horse"
WAY = ("Submitting", "Submitted", "Preparing", "Running", "Scoring", "Finished")
TODAY = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)


def challenge() -> dict[str, Any]:
    """What `GET /api/competitions/1234/` answers to anybody."""
    limits = {
        "has_max_submissions": True,
        "max_submissions_per_day": 5,
        "max_submissions_per_person": 100,
    }
    column = {"computation": None, "computation_indexes": None, "hidden": False, "sorting": "desc"}
    return {
        "id": 1234,
        "title": "Tell cells apart",
        "created_by": "bob.organiser",
        "owner_display_name": "Bob Organiser",
        "contact_email": "bob@example.org",
        "docker_image": "codalab/codalab-legacy:py312",
        "queue": {"id": 3, "name": "GPU queue", "is_public": True},
        "terms": "<p>Be fair.</p> One account each.",
        "participant_status": None,
        "participants_count": 40,
        "submissions_count": 300,
        "enable_detailed_results": True,
        "make_programs_available": False,
        "make_input_data_available": False,
        "phases": [
            {
                "id": 11, "index": 0, "name": "Development", "status": "Current",
                "start": "2026-03-01T00:00:00Z", "end": "2026-03-20T00:00:00Z",
                "execution_time_limit": 900, "tasks": [{"id": 7, "name": "Cells"}], **limits,
            },
            {
                "id": 12, "index": 1, "name": "Final", "status": "Next",
                "start": "2026-03-20T00:00:00Z", "end": None,
                "execution_time_limit": 600, "tasks": [{"id": 8, "name": "Hidden cells"}], **limits,
            },
        ],
        "leaderboards": [
            {
                "id": 5, "primary_index": 0, "title": "Results", "key": "main", "hidden": False,
                "columns": [
                    {"id": 1, "index": 0, "key": "accuracy", "title": "Accuracy", "precision": 2, **column},
                    {"id": 2, "index": 1, "key": "f1", "title": "Macro F1", "precision": 3, **column},
                ],
            }
        ],
    }  # fmt: skip


@dataclass
class Submission:
    """One submission. at: its place in `WAY`."""

    number: int
    owner: str
    phase: int
    data: str
    filename: str
    created: dt.datetime
    at: int = 0
    end: str = "Finished"
    score: float = 0.87313432835
    details: str = ""
    parent: int | None = None
    task: dict[str, Any] | None = None
    children: list[Submission] = field(default_factory=list)

    @property
    def status(self) -> str:
        """As the site calls it; a parent has Finished when all have ended, however they did."""
        if self.children:
            ended = all(one.at >= len(WAY) - 1 for one in self.children)
            return "Finished" if ended else "Running"
        return self.end if self.at >= len(WAY) - 1 else WAY[self.at]
