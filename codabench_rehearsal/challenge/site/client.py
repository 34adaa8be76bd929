"""A Codabench site: what is asked of it, what is sent to it, and what it refuses.

The token goes to the site's own host alone, over TLS or on this machine; storage addresses get none
and no redirect is followed to another host. What only asks is repeated where a connection breaks;
what changes something is sent once: where its answer is lost, the error says that it is in doubt.
Nothing here was ever tried against the real site: docs/site.md.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from codabench_rehearsal.challenge.site.transcript import Transcript
from codabench_rehearsal.challenge.site.wire import (
    BrokenError,
    Clock,
    Reply,
    Request,
    SiteError,
    Wire,
    is_loopback,
)
from codabench_rehearsal.console.reading import parse_json
from codabench_rehearsal.console.words import one_line, shown

TRIES, FIRST_WAIT = 4, 1.0  # of what may be repeated; each wait is twice the one before
LONGEST_WAIT = 120.0  # seconds that a site may ask for by Retry-After
OFF_SECONDS = 300.0  # a clock that is further off is told
_INSIDE = ("localhost", "local", "internal", "lan", "arpa")  # endings of names that are not public
_BELIEVED = dt.timedelta(days=366 * 50)  # what a site says of the time, away from ours
_HOPS = 3  # redirects within the host
_PASSING = (500, 502, 503, 504)
_SAYS = ("detail", "reason", "message", "error", "error_msg", "non_field_errors", "data_file")


@dataclass
class Site:
    """A site to talk to; a context manager. token: "" for what anybody may read.

    All methods raise `SiteError`.
    """

    base: str
    token: str = field(default="", repr=False)
    transcript: Transcript | None = None
    clock: Clock = field(default_factory=Clock)
    _ahead: dt.timedelta = field(default=dt.timedelta(), init=False)  # of the site's clock

    def __post_init__(self) -> None:
        self._wire = Wire(self.base, self.transcript)
        if self.transcript is not None:
            self.transcript.hide(self.token)

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    @property
    def host(self) -> str:
        """Its host, as messages call it."""
        return urlsplit(self.base).netloc

    def now(self) -> dt.datetime:
        """This moment in UTC by the site's clock, where it told the time; else by ours."""
        return self.clock.now() + self._ahead

    @property
    def seconds_off(self) -> float:
        """How far this machine's clock is from the site's."""
        return abs(self._ahead.total_seconds())

    def get(self, path: str, **asked: str | int) -> Any:
        """What a path of the site holds, as JSON; asked again where a connection breaks."""
        request = Request("GET", f"{self.base}{path}", asked)
        for _ in range(_HOPS + 1):
            reply = self._patient(request, _PASSING)
            if not 300 <= reply.status < 400:
                return self._json(reply, path)
            request = Request("GET", self._within(request.url, reply))
        raise SiteError(f"{self.host} redirects in a circle: try later.")

    def send(self, method: str, path: str, document: Mapping[str, Any], *, safe: bool) -> Any:
        """Change something on the site; what it answers, as JSON.

        safe: whether doing it twice does no harm. Else it is sent again only where the site surely
        has not read it, and what may have been done is `in_doubt`.
        """
        request = Request(method, f"{self.base}{path}", document=document)
        reply = self._patient(request, _PASSING if safe else (), safe=safe)
        if reply.status >= 500 and not safe:
            raise self._refused(reply, path, in_doubt=True)
        if 300 <= reply.status < 400:
            self._within(request.url, reply)
            why = f"{self.host} redirects what was sent to it: try later."
            raise SiteError(why, in_doubt=not safe)
        return self._json(reply, path, in_doubt=not safe)

    def put_file(self, url: str, parts: Callable[[], Iterable[bytes]], size: int) -> None:
        """Put a file's bytes to a storage address, without the token.

        The same bytes at the same address are one file, however often they are sent, so what broke
        is sent again. parts: gives them from the start, at each try.
        """
        self.check_storage(url)
        headers = {"Content-Type": "application/zip", "Content-Length": str(size)}

        def request() -> Request:
            return Request("PUT", url, parts=parts(), headers=headers)

        reply = self._patient(request, _PASSING)
        if reply.status not in (200, 201, 204):
            raise self._of_storage(reply, "take the zip")

    def download(
        self, url: str, file: Any, limit: int, told: Callable[[int], object] = lambda _count: None
    ) -> None:
        """Write what a storage address holds, at most `limit` bytes, into a binary file.

        told: hears how many bytes have come, part by part.
        """
        self.check_storage(url)

        def request() -> Request:
            _emptied(file)
            return Request("GET", url, into=file, limit=limit, told=told)

        reply = self._patient(request, _PASSING)
        if reply.status != 200:
            raise self._of_storage(reply, "give the file")

    def check_storage(self, url: str) -> None:
        """Raise `SiteError` for an address that no site may send anybody to."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            parts, host = urlsplit(""), ""
        local = is_loopback(urlsplit(self.base).hostname or "")
        safe = parts.scheme == "https" or (parts.scheme == "http" and local and is_loopback(host))
        if not host or "@" in parts.netloc or not safe or (not local and _is_inside(host)):
            where = f"{parts.scheme or 'no scheme'}://{host}"
            raise SiteError(
                f"{self.host} names storage at {shown(where)}: expected https on a public host. "
                "Nothing was sent there: report it to the site."
            )

    def plain(self, text: object, longest: int = 300) -> str:
        """What the site said, fit for a line of ours, and without the token."""
        said = str(text)
        return one_line(said.replace(self.token, "***") if self.token else said, longest)

    def _patient(
        self,
        request: Request | Callable[[], Request],
        passing: Collection[int],
        *,
        safe: bool = True,
    ) -> Reply:
        """Ask until there is an answer that waiting will not change."""
        wait = FIRST_WAIT
        for left in reversed(range(TRIES)):
            pause = wait
            try:
                made = request if isinstance(request, Request) else request()
                reply = self._wire.ask(made, self.token)
            except BrokenError as error:
                if not error.repeat or not left or (error.sent and not safe):
                    raise self._broken(error, TRIES - left, safe=safe) from None
            else:
                if not made.is_storage:
                    self._hear_time(reply)
                pause = max(wait, self._asked_to_wait(reply))
                passes = reply.status == 429 or reply.status in passing
                if not passes or not left or pause > LONGEST_WAIT:
                    return reply
            self.clock.sleep(pause)
            wait *= 2
        raise AssertionError  # the last try has returned or raised

    def _broken(self, error: BrokenError, tried: int, *, safe: bool) -> SiteError:
        times = f", {tried} times" if tried > 1 else ""
        in_doubt = error.sent and not safe
        later = ": try again later" if error.repeat or error.slow else ""
        advice = "" if in_doubt else f" Nothing is lost{later}."
        message = f"{self.host}: {error}{times}.{advice}"
        return SiteError(message, in_doubt=in_doubt, slow=error.slow)

    def _json(self, reply: Reply, path: str, *, in_doubt: bool = False) -> Any:
        """The JSON of a success."""
        if reply.status not in (200, 201, 204):
            raise self._refused(reply, path, in_doubt=in_doubt and reply.status < 400)
        try:
            return parse_json(reply.content) if reply.content else {}
        except ValueError:
            is_page = b"<html" in reply.content[:2000].lower()
            what = "a web page" if is_page else "something else"
            raise SiteError(
                f"{self.host}: expected JSON, received {what}. Is it a Codabench site, or does a "
                "login page of your network stand before it?",
                in_doubt=in_doubt,
            ) from None

    def _refused(self, reply: Reply, path: str, *, in_doubt: bool = False) -> SiteError:
        said = self._said(reply)
        why = f", '{said}'" if said else ""
        what, advice = _REFUSALS.get(reply.status, ("refuses", "what it says has to be fixed."))
        if reply.status == 401 and not self.token:
            what = "wants a login"
        if reply.status >= 500:
            what, advice = "has a fault of its own", "try again later."
        if reply.status == 429:
            advice = f"try again {self._when(reply)}."
        if reply.status == 404 and "/competitions/" in path:
            advice = "check the number; a private challenge shows itself to participants alone."
        message = f"{self.host} {what} ({reply.status}{why}): {advice}"
        return SiteError(message, status=reply.status, in_doubt=in_doubt)

    def _of_storage(self, reply: Reply, what: str) -> SiteError:
        advice = "try again later."
        if reply.status == 413:
            advice = "it is too large for it."
        elif reply.status in (401, 403):
            advice = "its address may be out of date: run the command again."
        message = f"the storage of {self.host} does not {what} ({reply.status}): {advice}"
        return SiteError(message, status=reply.status)

    def _said(self, reply: Reply) -> str:
        """The site's own reason, "" without one."""
        with suppress(ValueError):
            given = parse_json(reply.content)
            if isinstance(given, dict):
                found = next((given[key] for key in _SAYS if given.get(key)), None)
                if found is None and given:
                    key, value = next(iter(given.items()))
                    found = f"{key}: {value[0] if isinstance(value, list) and value else value}"
                given = found
            given = given[0] if isinstance(given, list) and given else given
            return self.plain(given) if given else ""
        return ""

    def _within(self, url: str, reply: Reply) -> str:
        """Where a redirect leads on this host. Raises for elsewhere, and for a login page."""
        try:
            target = urljoin(url, reply.headers.get("location", ""))
            parts = urlsplit(target)
        except ValueError:  # brackets that hold no address
            raise SiteError(f"{self.host} redirects to what is no address: try later.") from None
        if "/accounts/login" in target or "/login" in parts.path:
            raise SiteError(f"{self.host} asks for a login: codabench-challenge login.", status=401)
        if f"{parts.scheme}://{parts.netloc.lower()}" != self.base:
            where = shown(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
            raise SiteError(
                f"{self.host} redirects to {where}, which is not followed: name that address "
                "yourself if you trust it."
            )
        return target

    def _hear_time(self, reply: Reply) -> None:
        told, now = _moment(reply.headers.get("date", "")), self.clock.now()
        if told is not None and abs(told - now) < _BELIEVED:
            self._ahead = told - now

    def _asked_to_wait(self, reply: Reply) -> float:
        """Seconds, by Retry-After; 0 where it says nothing."""
        text = reply.headers.get("retry-after", "").strip()
        if text.isdecimal() and len(text) < 9:
            return float(text)
        until = _moment(text)
        return max(0.0, (until - self.now()).total_seconds()) if until else 0.0

    def _when(self, reply: Reply) -> str:
        seconds = self._asked_to_wait(reply)
        return f"in {seconds / 60:.0f} minutes" if seconds > 60 else "in a minute"


_REFUSALS: Mapping[int, tuple[str, str]] = {
    401: ("does not take the token", "codabench-challenge login makes a new one."),
    403: ("refuses", "is this account registered and accepted in the challenge?"),
    404: ("does not have this", "check the number."),
    409: ("refuses", "something of it is there already: look at the challenge's page."),
    413: ("takes nothing so large", "make the zip smaller (--shrink, --float16)."),
    429: ("asks to wait", ""),
}


def _moment(text: str) -> dt.datetime | None:
    """A date of HTTP, None for what is none."""
    from email.utils import parsedate_to_datetime  # slow to start: not for --help

    with suppress(TypeError, ValueError, OverflowError):
        found = parsedate_to_datetime(text)
        return found if found.tzinfo is not None else found.replace(tzinfo=dt.UTC)
    return None


def _emptied(file: IO[bytes]) -> None:
    file.seek(0)
    file.truncate()


def _is_inside(host: str) -> bool:
    """Whether a host is this machine or one of a private network."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        name = host.rstrip(".").lower()
        ending = name.rpartition(".")[2]  # of no public name a number, as in 127.1
        return "." not in name or ending[:1].isdigit() or ending in _INSIDE
