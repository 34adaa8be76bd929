"""One request to a site and its whole answer, bounded in size and time; no more is known here.

httpx does the work, so proxies (HTTPS_PROXY, NO_PROXY) and a company's certificates (SSL_CERT_FILE,
REQUESTS_CA_BUNDLE) are taken from where its users put them. It follows no redirect and keeps no
cookie. What went wrong is told in our words: those of the libraries hold addresses with signatures.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import logging
import os
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from codabench_rehearsal.challenge.site.transcript import Transcript
from codabench_rehearsal.challenge.site.watch import Watch
from codabench_rehearsal.console.errors import SubmissionError
from codabench_rehearsal.console.words import human_bytes, shown

if TYPE_CHECKING:
    import ssl

    import httpx

LARGEST_REPLY = 16 << 20  # bytes of JSON; all submissions of a year take about 2 MB
REPLY_SECONDS = 120.0  # for a whole request, and as long again as its bytes need at
SLOWEST = 10_000.0  # bytes a second: nobody waits for less
SILENT_SECONDS = 60.0  # without a byte
CONNECT_SECONDS = 15.0
_PIECE = 1 << 20  # bytes that are unpacked at once
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_NO_PROXY = (
    "HTTPS_PROXY, ALL_PROXY or NO_PROXY cannot be used: expected http://HOST:PORT and names with "
    "commas between them (socks5:// needs a package: pip install socksio)."
)
# Where people say what to trust; the first one counts. Some name a folder, or several.
_CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")


class SiteError(SubmissionError):
    """What the site refused, or could not do; one line that says what to do.

    status: of the reply, 0 without one. in_doubt: whether the site may have done what was asked.
    slow: whether it took longer than we wait, so that asking for more is of no use.
    """

    def __init__(
        self, message: str, *, status: int = 0, in_doubt: bool = False, slow: bool = False
    ) -> None:
        super().__init__(message)
        self.status, self.in_doubt, self.slow = status, in_doubt, slow


class BrokenError(Exception):
    """A connection that broke, and why. sent: whether the site may have read the request.

    repeat: whether another try may end otherwise. slow: whether it was ended for taking too long.
    """

    def __init__(self, why: str, *, sent: bool, repeat: bool = True, slow: bool = False) -> None:
        super().__init__(why)
        self.sent, self.repeat, self.slow = sent, repeat, slow


@dataclass(frozen=True)
class Reply:
    """One answer. headers: names in small letters. content: b"" where it went into a file."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""


class Clock:
    """The time, and waiting: what tests replace."""

    def now(self) -> dt.datetime:
        """This moment in UTC, by this machine."""
        return dt.datetime.now(dt.UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True)
class Request:
    """What is asked.

    document: sent as JSON. parts: bytes to send, which may take long. into: a file for the bytes
    of a success, at most `limit` of them; told hears of each part. An address of storage is
    signed, a document may hold a password: neither is shown.
    """

    method: str
    url: str = field(repr=False)
    asked: Mapping[str, str | int] = field(default_factory=dict)
    document: Mapping[str, Any] | None = field(default=None, repr=False)
    parts: Iterable[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    into: IO[bytes] | None = None
    limit: int = 0
    told: Callable[[int], object] = field(default=lambda _count: None, repr=False)

    @property
    def is_storage(self) -> bool:
        """Whether it is about a file, in the site's storage, wherever that is."""
        return self.parts is not None or self.into is not None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@dataclass
class Wire:
    """The connections to one site, opened when they are needed. transcript: told of each answer."""

    base: str
    transcript: Transcript | None = None
    _client: httpx.Client | None = field(default=None, repr=False)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    def ask(self, request: Request, token: str = "") -> Reply:
        """One request, and its whole answer. token: for the site's own calls alone.

        Storage gets none, on the site's own host either: there an address is signed, and two ways
        of saying who asks are refused.

        Raises `BrokenError` for a connection that broke, and for an answer that is too large or
        does not end; `SiteError` for proxies and certificates that cannot be.
        """
        own = _origin(request.url) == _origin(self.base) and not request.is_storage
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **request.headers}
        if token and own:
            sent["Authorization"] = f"Token {token}"
        watch = Watch(REPLY_SECONDS, SLOWEST)
        how: dict[str, Any] = {"headers": sent, "params": dict(request.asked) or None}
        how["extensions"] = {"trace": watch.hear}
        if request.parts is None:
            how["json"] = request.document
        else:
            how["content"] = watch.counted(request.parts)
        client, reply = self._opened(), None
        proxied = client.trust_env and any(os.environ.get(name) for name in _PROXIES)
        try:
            with (
                _told(watch, proxied=proxied),
                watch,
                client.stream(request.method, request.url, **how) as answer,
            ):
                reply = _read(answer, request, watch)
        finally:
            client.cookies.clear()  # the site would take one for a session, and ask CSRF
            if self.transcript is not None:
                heard = (reply.status, reply.headers, reply.content) if reply else None
                self.transcript.add(
                    request.method, request.url, request.document, heard, is_storage=not own
                )
        return reply

    def _opened(self) -> httpx.Client:
        if self._client is None:
            import httpx  # slow to start: not for --help

            for name in ("httpx", "httpcore"):  # they log addresses with their signatures
                logging.getLogger(name).setLevel(logging.WARNING)
            local = is_loopback(urlsplit(self.base).hostname or "")
            trusted = _certificates()
            try:
                self._client = httpx.Client(
                    timeout=httpx.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS),
                    # One that was kept open may be shut at its other end: a request that is sent
                    # once would be in doubt for it.
                    limits=httpx.Limits(max_keepalive_connections=0),
                    follow_redirects=False,
                    trust_env=not local,  # a proxy would read what goes to this machine in clear
                    verify=trusted,
                )
            except (ImportError, ValueError, httpx.InvalidURL):
                raise SiteError(_NO_PROXY) from None
        return self._client


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def _certificates() -> ssl.SSLContext | bool:
    """What to trust: what a variable names, else what httpx takes."""
    variable = next((name for name in _CERTIFICATES if os.environ.get(name)), "")
    if not variable:
        return True
    import ssl  # slow to start: not for --help

    named = os.environ[variable]
    try:
        if folders := [one for one in named.split(os.pathsep) if Path(one).is_dir()]:
            made = ssl.create_default_context(capath=folders[0])
            for folder in folders[1:]:
                made.load_verify_locations(capath=folder)
            return made
        return ssl.create_default_context(cafile=named)
    except OSError as error:
        why = error.strerror or "no certificates"
        raise SiteError(
            f"{shown(named)} cannot be read as certificates ({why}): correct {variable}."
        ) from None


def _read(answer: httpx.Response, request: Request, watch: Watch) -> Reply:
    """The answer's bytes: into the file where it is a success, else in memory."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    into = request.into if answer.status_code == 200 else None
    limit = LARGEST_REPLY if into is None else request.limit
    held = bytearray()
    for chunk in _bounded(_unpacked(answer, watch, limit), limit):
        if into is None:
            held += chunk
        else:
            into.write(chunk)
            request.told(len(chunk))
    return Reply(answer.status_code, headers, bytes(held))


def _unpacked(answer: httpx.Response, watch: Watch, limit: int) -> Iterator[bytes]:
    """The bytes as they come; where they are packed although nobody asked for it, a bit at once.

    The library's own unpacking makes gigabytes of a small piece that is packed twice.
    """
    coding = answer.headers.get("content-encoding", "").strip().lower() or "identity"
    if coding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise BrokenError("answers in a packing that nobody asked for", sent=True, repeat=False)
    packed = None if coding == "identity" else zlib.decompressobj(47)  # whichever head it has
    for chunk in _bounded(answer.iter_raw(), limit):
        watch.moved(len(chunk))
        rest = chunk
        while packed and rest:
            yield packed.decompress(rest, _PIECE)
            rest = packed.unconsumed_tail
        if packed is None:
            yield chunk
        elif packed.eof:
            return
    if packed:
        raise BrokenError("the connection broke", sent=True)


def _bounded(parts: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """The same parts. Raises `BrokenError` where they are more than `limit` bytes."""
    count = 0
    for part in parts:
        count += len(part)
        if count > limit:
            why = f"answers with more than {human_bytes(limit)}, of which nothing is kept"
            raise BrokenError(why, sent=True, repeat=False)
        yield part


@contextmanager
def _told(watch: Watch, *, proxied: bool) -> Iterator[None]:
    """Say what breaks inside as `BrokenError`, and whether the request may have been read."""
    try:
        with _translated(proxied=proxied):
            yield
    except BrokenError as error:
        if not watch.passed:
            raise
        why, sent = "it is too slow, its answer does not end", error.sent and watch.has_sent
        raise BrokenError(why, sent=sent, repeat=False, slow=True) from None


@contextmanager
def _translated(*, proxied: bool) -> Iterator[None]:
    import httpx

    try:
        yield
    except (httpx.ConnectTimeout, httpx.PoolTimeout):
        raise BrokenError("no connection in time", sent=False) from None
    except httpx.ConnectError as error:
        raise _unconnected(error, proxied=proxied) from None
    except (httpx.ProxyError, httpx.UnsupportedProtocol):
        raise BrokenError(
            "the proxy refuses (see HTTPS_PROXY, NO_PROXY)", sent=False, repeat=False
        ) from None
    except httpx.TimeoutException:
        raise BrokenError("no answer in time", sent=True) from None
    except httpx.LocalProtocolError:
        raise BrokenError("the file changed while it was sent", sent=True, repeat=False) from None
    except (httpx.RequestError, httpx.StreamError, zlib.error):
        raise BrokenError("the connection broke", sent=True) from None
    except (httpx.InvalidURL, UnicodeError):  # what a library says of an address may show it
        raise BrokenError("the address is none", sent=False, repeat=False) from None


def _unconnected(error: Exception, *, proxied: bool) -> BrokenError:
    text = str(error)
    if "CERTIFICATE" in text.upper():
        return BrokenError(
            "its certificate is not trusted here (a company's own: SSL_CERT_FILE=FILE; a wrong "
            "clock makes good ones look bad)",
            sent=False,
            repeat=False,
        )
    why = "its name is not known" if "Name or service" in text or "Errno -" in text else ""
    if proxied:
        why = "or its proxy, see HTTPS_PROXY and NO_PROXY"
    return BrokenError(f"it cannot be reached{f' ({why})' if why else ''}", sent=False)
