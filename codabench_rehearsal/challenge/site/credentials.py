"""Tokens: $CODABENCH_TOKEN for one site, a file of the user's own for each, or a question.

A token is never on a command line, in a log, an error or the store. That of the environment belongs
to $CODABENCH_URL (else codabench.org) alone: another address, out of somebody's README, gets none.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from urllib.parse import urlsplit

from codabench_rehearsal.challenge.site.address import file_name, usual_site
from codabench_rehearsal.challenge.site.client import Site
from codabench_rehearsal.challenge.site.wire import SiteError
from codabench_rehearsal.console.asking import ask, ask_secret, can_ask
from codabench_rehearsal.console.files import draft, publish, written
from codabench_rehearsal.console.reading import read_limited
from codabench_rehearsal.console.words import quoted, shown

VARIABLE = "CODABENCH_TOKEN"
_LONGEST = 4096  # bytes of a file
_TOKEN = re.compile(r"[\x21-\x7e]{8,500}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def config_folder() -> Path:
    """A folder of ours in $XDG_CONFIG_HOME, else in ~/.config. Raises `SiteError`."""
    shared = os.environ.get("XDG_CONFIG_HOME", "")
    try:
        base = Path(shared) if Path(shared).is_absolute() else Path.home() / ".config"
    except RuntimeError:
        raise SiteError("there is no home folder: set XDG_CONFIG_HOME to a folder.") from None
    return base / "codabench-rehearsal"


def token_file(base: str) -> Path:
    """Where a site's token is kept."""
    return config_folder() / "tokens" / file_name(base)


def find_token(base: str) -> str:
    """The token that is known for a site, "" for none. Raises `SiteError` for a file too open."""
    if (given := os.environ.get(VARIABLE, "").strip()) and usual_site() == base:
        return _checked(given, f"${VARIABLE}")
    place = token_file(base)
    if not os.path.lexists(place):
        return ""
    _require_private(place)
    text = read_limited(place, _LONGEST, SiteError).decode("utf-8", "replace").strip()
    return _checked(text, shown(place))


def require_token(base: str) -> str:
    """The token for a site, asked for at a terminal where none is known. Raises `SiteError`."""
    if found := find_token(base):
        return found
    host = urlsplit(base).netloc
    ways = f"codabench-challenge login, or set {VARIABLE}"
    if os.environ.get(VARIABLE):
        ways += f" and CODABENCH_URL={base} (the variable is another site's)"
    if not can_ask():
        raise SiteError(f"{host} wants a token, and none is known: {ways}.")
    return _checked(ask_secret(f"Token for {host} (not shown):", ways), "what was typed")


def log_in(site: Site, *, paste: bool = False) -> Path:
    """Ask for name and password, or for a token, and keep the token; the file that holds it.

    Raises `SiteError` for what the site refuses, `UserError` without a terminal, `FileError`.
    """
    instead = f"set {VARIABLE}"
    if paste:
        token = ask_secret(f"Token for {site.host} (not shown):", instead)
    else:
        name = ask(f"User name on {site.host}:", instead)
        password = ask_secret("Password (not shown, not kept):", instead)
        token = _asked_of(site, name, password)
    token = _checked(token, "the token")
    site.token = token
    if site.transcript is not None:
        site.transcript.hide(token)
    site.get("/api/my_profile/")  # refused here, not at the first upload
    return keep_token(site.base, token)


def _asked_of(site: Site, name: str, password: str) -> str:
    if site.transcript is not None:
        site.transcript.hide(password)
        site.transcript.hide(name)
    given = {"username": name, "password": password}
    try:
        answer = site.send("POST", "/api/api-token-auth/", given, safe=True)
    except SiteError as error:
        if error.status == 400:
            raise SiteError(f"{site.host} does not know this name and password.") from None
        raise
    token = answer.get("token") if isinstance(answer, dict) else None
    if not isinstance(token, str):
        raise SiteError(f"{site.host}: expected a token, received none.")
    return token


def keep_token(base: str, token: str) -> Path:
    """Write a site's token into a file that nobody else can read. Raises `FileError`."""
    place = token_file(base)
    with written(place):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if place.is_file() and not place.is_symlink():
            place.chmod(0o600)  # the new one takes the old one's mode
    with draft(place) as part:
        with written(place), os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(f"{token}\n")
        publish(part, place)
    return place


def forget_token(base: str) -> bool:
    """Remove the file with a site's token; whether there was one. Raises `FileError`."""
    place = token_file(base)
    if not os.path.lexists(place):
        return False
    with written(place):
        place.unlink()
    return True


def _require_private(place: Path) -> None:
    """Refuse a file that others may read or replace."""
    found = place.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise SiteError(f"{shown(place)}: expected a file with a token, received something else.")
    if found.st_uid != os.geteuid():
        raise SiteError(f"{shown(place)} belongs to another user: its token is not taken.")
    if found.st_mode & _OTHERS:
        raise SiteError(
            f"{shown(place)}: expected mode 600, received {found.st_mode & 0o777:o}: others may "
            f"have read the token. Make a new one (codabench-challenge login), or: chmod 600 "
            f"{quoted(place)}"
        )


def _checked(token: str, where: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise SiteError(f"{where}: expected a token (letters and digits), received something else.")
    return token
