"""What passed between a site and us, for whoever mends the kit: without token, cookies and names.

Nothing is kept because it looks harmless; of a text is kept only what a field of known meaning
holds, such as a status or a column's key. Others are told by their length, addresses by their form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from codabench_rehearsal.console.errors import UserError
from codabench_rehearsal.console.files import write_or_print
from codabench_rehearsal.console.reading import parse_json
from codabench_rehearsal.console.words import as_json

MOST_CALLS, MOST_ENTRIES = 500, 20  # of a list the first entries
_KEPT = (
    *("status", "detail", "reason", "message", "error", "error_msg", "non_field_errors"),
    *("data_file", "status_details"),
    *("column_key", "sorting", "computation", "type", "score", "participant_status"),
    *("start", "end", "created_when", "request", "can"),
)  # fields whose texts are the platform's, not people's
_NAMING = (
    *("owner", "created_by", "username", "display_name", "owner_display_name", "email"),
    *("contact_email", "filename", "request_sassy_file_name", "slug_url"),
)
_SECRET = ("password", "token", "secret", "secret_key")
_HEADERS = ("content-type", "content-length", "date", "retry-after", "server")
_KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}", re.I)
_DATE = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d[\d:.Z+-]*")
# What stands in a sentence and is no word of the platform's: an address or a path with what signs
# it, an e-mail, a long run of letters and digits that may open something.
_TELLING = re.compile(
    r"""\b[a-z][a-z0-9+.-]*://\S+|\S*[?&][\w-]+=\S*|/\S+/\S+|[^\s<>"'(]+@[^\s<>"')]+"""
    r"""|[\w+-]*\d[\w+-]*(?<=[\w+-]{16})[\w+/=.-]*|[\w+/=-]{32,}""",
    re.IGNORECASE,
)
_FIELD = re.compile(r"[A-Za-z_][\w-]{0,40}")
_FIGURE = re.compile(r"-?\d+(\.\d+)?")


class Transcript:
    """The calls of one command. secrets: texts that are never kept, as the token."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = {one for one in secrets if one}
        self._calls: list[dict[str, Any]] = []

    def hide(self, secret: str) -> None:
        """Never keep this text, from now on and in what was kept already."""
        if secret:
            self._secrets.add(secret)

    def add(
        self,
        method: str,
        url: str,
        document: Mapping[str, Any] | None,
        answer: tuple[int, Mapping[str, str], bytes] | None,
        *,
        is_storage: bool = False,
    ) -> None:
        """Keep a call. answer: status, headers, bytes; None where the connection broke.

        is_storage: not on the site.
        """
        if len(self._calls) >= MOST_CALLS:
            return
        path = "<storage>" if is_storage else _KEY.sub("<key>", urlsplit(url).path)
        call: dict[str, Any] = {"method": method, "path": path}
        if document is not None:
            call["sent"] = self._scrubbed("", document)
        if answer is None:
            call["answer"] = "none: the connection broke"
        else:
            call["status"], headers, content = answer
            call["headers"] = {k: v for k, v in headers.items() if k in _HEADERS}
            call["answer"] = "<file>" if is_storage else self._body(content)
        self._calls.append(call)

    def write(self, target: str) -> None:
        """Write it. Raises `FileError`."""
        write_or_print(target, as_json({"schema": 1, "calls": self._hidden(self._calls)}))

    def _hidden(self, value: Any) -> Any:
        """The same without the secrets, in whatever case they are written."""
        known = sorted((one for one in self._secrets if len(one) > 2), key=len, reverse=True)
        if not known:
            return value
        pattern = re.compile("|".join(map(re.escape, known)), re.IGNORECASE)

        def without(inner: Any) -> Any:
            match inner:
                case dict():
                    return {pattern.sub("<name>", key): without(one) for key, one in inner.items()}
                case list():
                    return [without(one) for one in inner]
                case str():
                    return pattern.sub("<name>", inner)
            return inner

        return without(value)

    def _body(self, content: bytes) -> Any:
        try:
            return self._scrubbed("", parse_json(content))
        except (ValueError, UserError):
            kind = "HTML" if b"<html" in content[:2000].lower() else "no JSON"
            return f"<{kind}, {len(content)} bytes>"

    def _scrubbed(self, field: str, value: Any) -> Any:
        match value:
            case dict():
                if "username" in value:  # a person's
                    self.hide(str(value.get("name") or ""))
                return {
                    key if _FIELD.fullmatch(key) else f"<key {at}>": self._scrubbed(key, one)
                    for at, (key, one) in enumerate(value.items())
                }
            case list():
                more = [f"<{len(value) - MOST_ENTRIES} more>"] if len(value) > MOST_ENTRIES else []
                return [*(self._scrubbed(field, one) for one in value[:MOST_ENTRIES]), *more]
            case str():
                return self._text(field, value)
        return value

    def _text(self, field: str, text: str) -> str:
        if field in _SECRET:
            return "<hidden>"
        if field in _NAMING:
            self.hide(text)
        if _DATE.fullmatch(text) or _FIGURE.fullmatch(text):
            return text
        if text.startswith(("http:", "https:")):
            return f"<address: {text.partition(':')[0]}>"
        if field in _KEPT and len(text) <= 300:
            return _TELLING.sub("<...>", _KEY.sub("<key>", text))
        return f"<text, {len(text)} characters>"
