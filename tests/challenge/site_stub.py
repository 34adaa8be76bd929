"""A Codabench site on this machine, as far as ../shared/facts and its source (March 2026) tell it.

A real HTTP server with a storage of its own on another port: tokens, sessions with CSRF, datasets
with addresses that may be written once signed, submissions whose status moves with every question,
quotas, phases, scores rounded on the leaderboard and whole elsewhere. `fail` makes it misbehave.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

from tests.challenge.site_handlers import Fault, Handler, Storage

TOKEN = "7d0f5a31c2e94b86a1d3f00ddeadbeefcafe4242"
USER, PASSWORD = "alice.surname", "correct horse"
WAY = ("Submitting", "Submitted", "Preparing", "Running", "Scoring", "Finished")
TODAY = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)
GONE = "Deleted File"


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

    @property
    def status(self) -> str:
        """As the site calls it."""
        return self.end if self.at >= len(WAY) - 1 else WAY[self.at]


@dataclass
class SiteStub:
    """The site. Use as a context manager; `base` is its address, `page` its challenge's.

    puts: bodies that storage kept, by path. calls: "METHOD path" of everything, in turn. leaked:
    the Authorization headers that storage was shown. tokened: calls with a token. quota: bytes.
    offset: of its clock.
    """

    page_number: int = 1234
    quota: float = 15e9
    used_space: float = 1e9
    participant: str = "approved"
    hide_output: bool = False
    ends: str = "Finished"
    details: str = ""
    score: float = 0.87313432835
    offset: dt.timedelta = dt.timedelta()
    challenge: dict[str, Any] = field(default_factory=challenge)
    puts: dict[str, bytes] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    tokened: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.lock = threading.RLock()
        made = [_server(self, kind) for kind in (Api, Storage)]
        self.servers = [server for server, _ in made]
        self.threads = [thread for _, thread in made]
        self.base, self.storage = (f"http://127.0.0.1:{s.server_address[1]}" for s in self.servers)
        self.page = f"{self.base}/competitions/{self.page_number}/"
        return self

    def __exit__(self, *_: object) -> None:
        for server, thread in zip(self.servers, self.threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()

    def fail(self, call: str, how: str, times: int = 1, value: Any = None) -> None:
        """Let the next `times` calls that match the pattern "METHOD path" go wrong."""
        self.faults.append(Fault(call, how, times, value))

    def open_now(self) -> None:
        """Today is today, for commands in processes of their own."""
        self.offset = dt.datetime.now(dt.UTC) - TODAY
        first, second = self.challenge["phases"]
        first["end"], second["start"] = None, "2999-01-01T00:00:00Z"

    def now(self) -> dt.datetime:
        """The site's time."""
        return TODAY + self.offset

    def count(self, call: str) -> int:
        """How many calls matched."""
        return sum(bool(re.match(call, one)) for one in self.calls)

    def fault(self, call: str) -> Fault | None:
        """What goes wrong with this call, if anything."""
        with self.lock:
            for one in self.faults:
                if one.times and re.match(one.call, call):
                    one.times -= 1
                    return one
        return None

    def add(self, filename: str, owner: str = USER, **more: Any) -> Submission:
        """A submission that somebody made by the site's page; it has ended."""
        made = Submission(
            100 + len(self.submissions), owner, 11, "", filename, more.pop("created", self.now())
        )
        made.at = len(WAY)
        for name, value in more.items():
            setattr(made, name, value)
        self.submissions.append(made)
        return made

    def counted(self, owner: str, phase: int) -> list[Submission]:
        """Those that count against the limits: all but the failed ones."""
        return [
            s
            for s in self.submissions
            if (s.owner, s.phase) == (owner, phase) and s.status != "Failed"
        ]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, address: Any) -> None:
        """A client that leaves early is no error; all else is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, address)


def _server(stub: SiteStub, kind: type[Handler]) -> tuple[ThreadingHTTPServer, threading.Thread]:
    bound = type(kind.__name__, (kind,), {"stub": stub})
    server = _Server(("127.0.0.1", 0), bound)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    return server, thread


class Api(Handler):
    """The site itself."""

    def answer_to(self, method: str, path: str) -> None:
        """Find the view."""
        routes: list[tuple[str, Callable[..., None], bool]] = [
            (r"POST /api/api-token-auth/", self._token, False),
            (r"GET /accounts/login/", self._login_page, False),
            (r"POST /accounts/login/", self._login, False),
            (r"GET /", self._home, False),
            (r"GET /api/competitions/(\d+)/", self._competition, False),
            (r"GET /api/phases/(\d+)/get_leaderboard/", self._leaderboard, False),
            (r"GET /api/submissions/", self._list, False),
            (r"GET /api/submissions/(\d+)/", self._one, False),
            (r"GET /api/submissions/(\d+)/get_details/", self._get_details, True),
            (r"GET /api/my_profile/", self._profile, True),
            (r"GET /api/user_quota/", self._user_quota, True),
            (r"GET /api/can_make_submission/(\d+)/", self._can, True),
            (r"POST /api/datasets/", self._make_dataset, True),
            (r"PUT /api/datasets/completed/([0-9a-f-]+)/", self._completed, True),
            (r"POST /api/submissions/", self._submit, True),
            (r"GET /datasets/download/([0-9a-f-]+)/", self._download, False),
        ]
        for pattern, action, needs in routes:
            found = re.fullmatch(pattern, f"{method} {path}")
            if found:
                self.user = self._who()
                if self.user is False:
                    return
                if needs and not self.user:
                    self.reply(401, {"detail": "Authentication credentials were not provided."})
                    return
                action(*found.groups())
                return
        self.reply(404, {"detail": "Not found."})

    def _who(self) -> str | bool:
        """The user by token or session, "" for nobody; False where it was refused already."""
        cookies = dict(
            c.strip().partition("=")[::2] for c in self.headers.get("Cookie", "").split(";")
        )
        if user := self.stub.sessions.get(cookies.get("sessionid", "")):
            given = self.headers.get("X-CSRFToken") or self._form().get("csrfmiddlewaretoken")
            if self.command != "GET" and (not given or given != cookies.get("csrftoken")):
                self.reply(403, {"detail": "CSRF Failed: CSRF token missing."})
                return False
            return user
        told = self.headers.get("Authorization", "")
        if told:
            self.stub.tokened.append(f"{self.command} {self.parts.path}")
        if told and told != f"Token {TOKEN}":
            self.reply(401, {"detail": "Invalid token."})
            return False
        return USER if told else ""

    def _form(self) -> dict[str, Any]:
        """The body as JSON, or as a form."""
        if "json" in self.headers.get("Content-Type", ""):
            return dict(json.loads(self.body))
        return {key: value[0] for key, value in parse_qs(self.body.decode()).items()}

    def _token(self) -> None:
        given = self._form()
        if (given.get("username"), given.get("password")) == (USER, PASSWORD):
            self.reply(200, {"token": TOKEN})
        else:
            self.reply(400, {"non_field_errors": ["Unable to log in with provided credentials."]})

    def _login_page(self) -> None:
        self.raw(200, b"<html>Login</html>", "text/html", Set_Cookie="csrftoken=csrf1234; Path=/")

    def _login(self) -> None:
        given = self._form()
        right = (given.get("username"), given.get("password")) == (USER, PASSWORD)
        if given.get("csrfmiddlewaretoken") != "csrf1234":
            self.raw(403, b"<html>CSRF verification failed.</html>", "text/html")
        elif right:
            key = uuid.uuid4().hex
            self.stub.sessions[key] = USER
            self.raw(302, b"", "text/html", Location="/", Set_Cookie=f"sessionid={key}; Path=/")
        else:
            self.raw(200, b"<html>Login</html>", "text/html")

    def _home(self) -> None:
        self.raw(200, b"<html>Codabench</html>", "text/html")

    def _competition(self, number: str) -> None:
        if int(number) != self.stub.page_number:
            self.reply(404, {"detail": "Not found."})
            return
        document = json.loads(json.dumps(self.stub.challenge))
        if self.user:
            document["participant_status"] = self.stub.participant
        for phase in document["phases"]:
            counted = self.stub.counted(str(self.user), phase["id"])
            today = [s for s in counted if s.created.date() == self.stub.now().date()]
            phase["used_submissions_per_day"] = len(today) if self.user else 0
            phase["used_submissions_per_person"] = len(counted) if self.user else 0
        self.reply(200, document)

    def _scores(self, one: Submission, *, rounded: bool = False) -> list[dict[str, Any]]:
        if one.status != "Finished":
            return []
        found = []
        for column in self.stub.challenge["leaderboards"][0]["columns"]:
            value = one.score if column["key"] == "accuracy" else one.score / 2
            text = f"{value:.{column['precision']}f}" if rounded else f"{value:.10f}"
            found.append(
                {
                    "id": one.number * 10,
                    "index": column["index"],
                    "score": text,
                    "column_key": column["key"],
                }
            )
        return found

    def _shown(self, one: Submission) -> dict[str, Any]:
        phase = next(p for p in self.stub.challenge["phases"] if p["id"] == one.phase)
        return {
            "id": one.number, "pk": one.number, "phase": one.phase, "phase_name": phase["name"],
            "filename": one.filename, "name": None, "owner": one.owner, "status": one.status,
            "created_when": one.created.isoformat().replace("+00:00", "Z"),
            "status_details": one.details or None, "scores": self._scores(one), "parent": one.parent,
            "children": [], "has_children": False, "on_leaderboard": one.status == "Finished",
            "task": None, "is_soft_deleted": False,
        }  # fmt: skip

    def _list(self) -> None:
        phase = parse_qs(self.parts.query).get("phase", [""])[0]
        mine = [s for s in self.stub.submissions if not phase or s.phase == int(phase)]
        allowed = [
            s for s in mine if (s.owner == self.user if self.user else s.status == "Finished")
        ]
        self.reply(200, [self._shown(s) for s in reversed(allowed)])

    def _find(self, number: str) -> Submission | None:
        return next((s for s in self.stub.submissions if s.number == int(number)), None)

    def _one(self, number: str) -> None:
        found = self._find(number)
        if found is None or found.owner != self.user:
            self.reply(404, {"detail": "Not found."})
            return
        found.at += 1
        self.reply(200, self._shown(found))

    def _get_details(self, number: str) -> None:
        found = self._find(number)
        if found is None or self.stub.hide_output:
            self.reply(
                403,
                {"detail": "Cannot access submission details while phase marked to hide output."},
            )
            return
        made = {}
        for name in (
            "scoring_stdout",
            "scoring_stderr",
            "prediction_ingestion_stderr",
            "detailed",
            "scoring",
        ):
            path = f"/bucket/{number}/{name}"
            self.stub.puts.setdefault(path, f"{name} of {number}\n".encode())
            made[name] = f"{self.stub.storage}{path}?X-Signature=get-{path}"
        logs = [{"name": name, "data_file": made[name]} for name in made if "std" in name]
        detailed = made["detailed"] if found.status == "Finished" else None
        self.reply(200, {
            "logs": logs, "data_file": None, "prediction_result": None, "detailed_result": detailed,
            "scoring_result": made["scoring"], "leaderboards": self.stub.challenge["leaderboards"],
            "fact_sheet_answers": None,
        })  # fmt: skip

    def _profile(self) -> None:
        self.reply(
            200, {"username": self.user, "name": "Alice Surname", "email": "alice@example.org"}
        )

    def _user_quota(self) -> None:
        self.reply(200, {"quota": self.stub.quota / 1e9, "storage_used": self.stub.used_space})

    def _may(self, phase: int) -> str:
        """Why not, "" where it may."""
        if self.stub.participant != "approved":
            return "User not approved to participate in this competition"
        limits = next(p for p in self.stub.challenge["phases"] if p["id"] == phase)
        if not limits["has_max_submissions"]:
            return ""
        counted = self.stub.counted(str(self.user), phase)
        today = [s for s in counted if s.created.date() == self.stub.now().date()]
        if len(today) >= limits["max_submissions_per_day"]:
            return "Reached maximum allowed submissions for today for this phase"
        if len(counted) >= limits["max_submissions_per_person"]:
            return "Reached maximum allowed submissions for this phase"
        return ""

    def _can(self, phase: str) -> None:
        why = self._may(int(phase))
        self.reply(200, {"can": not why, "reason": why or None})

    def _make_dataset(self) -> None:
        given = self._form()
        if not given.get("file_size"):
            self.reply(400, {"file_size": "This field is required."})
        elif not given.get("request_sassy_file_name"):
            self.reply(400, {"request_sassy_file_name": ["This field is required."]})
        elif self.stub.used_space + float(given["file_size"]) > self.stub.quota:
            self.reply(
                400,
                {
                    "data_file": [
                        "Insufficient space. Your available space is 0. Please free up some space and try again."
                    ]
                },
            )
        else:
            key = str(uuid.uuid4())
            path = f"/bucket/dataset/2026-03-10-{len(self.stub.datasets)}/{key[:12]}/{_kept_name(given['request_sassy_file_name'])}"
            self.stub.datasets[key] = {"path": path, "completed": False}
            self.reply(
                201, {"key": key, "sassy_url": f"{self.stub.storage}{path}?X-Signature=put-{path}"}
            )

    def _completed(self, key: str) -> None:
        if key not in self.stub.datasets:
            self.reply(404, {"detail": "Not found."})
            return
        self.stub.datasets[key]["completed"] = True
        self.reply(200, {"key": key})

    def _submit(self) -> None:
        given = self._form()
        key, phase = str(given.get("data")), int(given.get("phase", 0))
        if key not in self.stub.datasets:
            self.reply(400, {"data": [f"Object with key={key} does not exist."]})
            return
        if why := self._may(phase):  # a late one is taken
            self.reply(403, {"detail": why})
            return
        name = self.stub.datasets[key]["path"].rpartition("/")[2]
        made = Submission(
            500 + len(self.stub.submissions), str(self.user), phase, key, name, self.stub.now()
        )
        made.end, made.score, made.details = self.stub.ends, self.stub.score, self.stub.details
        self.stub.submissions.append(made)
        self.reply(201, {
            "id": made.number, "data": key, "phase": phase, "status": made.status, "filename": name,
            "created_when": f"{made.created:%Y-%m-%d %H:%M}", "scores": [],
        })  # fmt: skip

    def _leaderboard(self, phase: str) -> None:
        best = [
            s for s in self.stub.submissions if s.phase == int(phase) and s.status == "Finished"
        ]
        rows = [
            {
                "id": s.number,
                "owner": s.owner,
                "scores": self._scores(s, rounded=True),
                "created_when": s.created.isoformat(),
            }
            for s in best
        ]
        self.reply(
            200, {"title": "Results", "id": int(phase), "primary_index": 0, "submissions": rows}
        )

    def _download(self, key: str) -> None:
        if not self.user or not self.headers.get("Cookie"):
            self.raw(
                302, b"", "text/html", Location=f"/accounts/login/?next=/datasets/download/{key}/"
            )
            return
        path = self.stub.datasets[key]["path"]
        self.raw(
            302, b"", "text/html", Location=f"{self.stub.storage}{path}?X-Signature=get-{path}"
        )


def _kept_name(given: str) -> str:
    """A file's name as Codabench's `PathWrapper` and Django keep it."""
    stem, dot, ending = given.rpartition(".")
    return re.sub(r"[^-\w.]", "", f"{stem[:35]}{dot}{ending}".replace(" ", "_"))
