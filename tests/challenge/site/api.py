"""The API of the stub's site, call by call, as Codabench's views answer (March 2026)."""

from __future__ import annotations

import dataclasses
import json
import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from tests.challenge.site.handlers import Handler
from tests.challenge.site.world import PASSWORD, TOKEN, USER, Submission


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
        columns = self.stub.challenge["leaderboards"][0]["columns"]
        found = [score for child in one.children for score in self._scores(child)]
        for column in columns:
            if bool(column["computation"]) != bool(one.children):
                continue  # computed columns are the parent's, others its tasks'
            value = one.score if column["key"] == "accuracy" else one.score / 2
            if one.children:
                each = [child.score for child in one.children if child.status == "Finished"]
                value = sum(each) / max(len(each), 1)
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
            "children": [child.number for child in one.children], "has_children": bool(one.children),
            "on_leaderboard": one.status == "Finished", "task": one.task, "is_soft_deleted": False,
            "is_specific_task_re_run": False,
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
        for one in (found, *found.children):
            one.at += 1
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
            ()
            if found.children
            else (
                "scoring_stdout",
                "scoring_stderr",
                "prediction_ingestion_stderr",
                "detailed",
                "scoring",
            )
        ):
            path = f"/bucket/{number}/{name}"
            self.stub.puts.setdefault(path, f"{name} of {number}\n".encode())
            made[name] = f"{self.stub.storage}{path}?X-Signature=get-{path}"
        logs = [{"name": name, "data_file": made[name]} for name in made if "std" in name]
        detailed = made.get("detailed") if found.status == "Finished" else None
        self.reply(200, {
            "logs": logs, "data_file": None, "prediction_result": None, "detailed_result": detailed,
            "scoring_result": made.get("scoring"), "leaderboards": self.stub.challenge["leaderboards"],
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
        if not any(one["id"] == int(phase) for one in self.stub.challenge["phases"]):
            self.reply(404, {"detail": "Not found."})
            return
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
        self._start(made)
        self.reply(201, {
            "id": made.number, "data": key, "phase": phase, "status": made.status, "filename": name,
            "created_when": f"{made.created:%Y-%m-%d %H:%M}", "scores": [],
        })  # fmt: skip

    def _start(self, made: Submission) -> None:
        """In a phase of several tasks each gets a submission of its own."""
        phase = next(p for p in self.stub.challenge["phases"] if p["id"] == made.phase)
        if len(phase["tasks"]) == 1:
            made.task = phase["tasks"][0]
            return
        for at, task in enumerate(phase["tasks"]):
            number = 500 + len(self.stub.submissions)
            child = dataclasses.replace(
                made, number=number, parent=made.number, task=task, children=[]
            )
            if self.stub.ends_of_tasks:
                child.end, child.score = self.stub.ends_of_tasks[at]
            made.children.append(child)
            self.stub.submissions.append(child)

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
