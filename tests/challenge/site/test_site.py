"""What a site is asked, and what may be asked of none: addresses, token, redirects, certificates."""

from __future__ import annotations

import io
import json
import ssl
from pathlib import Path

import pytest

from codabench_rehearsal.challenge.site.address import is_address, read_address
from codabench_rehearsal.challenge.site.client import Site
from codabench_rehearsal.challenge.site.wire import Reply, SiteError
from codabench_rehearsal.commands.codabench_challenge import main
from codabench_rehearsal.console.command import Exit
from tests.challenge.site.stub import SiteStub
from tests.challenge.site.world import TOKEN

CERTIFICATE = Path(__file__).with_name("localhost.pem")  # made for these tests, of no other use
REMOTE = "https://codabench.example.org"


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("1234", "https://www.codabench.org/competitions/1234/"),
        (
            "https://www.codabench.org/competitions/1234/",
            "https://www.codabench.org/competitions/1234/",
        ),
        (
            "https://www.codabench.org/competitions/1234/#/results-tab",
            "https://www.codabench.org/competitions/1234/",
        ),
        (
            "https://Own.Example.ORG:8443/competitions/7",
            "https://own.example.org:8443/competitions/7/",
        ),
        ("http://localhost:8000/competitions/7/", "http://localhost:8000/competitions/7/"),
        ("http://[::1]:8000/competitions/7/", "http://[::1]:8000/competitions/7/"),
    ],
)
def test_a_challenge_has_an_address(text: str, page: str, here: Path) -> None:
    """Else the address that a browser shows cannot be pasted."""
    assert here.exists()
    assert is_address(text)
    assert read_address(text).page == page


@pytest.mark.parametrize(
    "text",
    [
        "http://www.codabench.org/competitions/1234/",
        "http://127.0.0.1.example.org/competitions/1/",
        "https://www.codabench.org@evil.example/competitions/1234/",
        "https://www.codabench.org/",
        "https://[/competitions/1/",
        "https://host:99999/competitions/1/",
        "1" * 40,
        "https:///competitions/1/",
    ],
)  # fmt: skip
def test_an_address_that_is_none_or_not_safe(text: str, here: Path) -> None:
    """Else a token goes in the clear, or to whoever wrote the address."""
    assert here.exists()
    with pytest.raises(SiteError, match="expected"):
        read_address(text)


def test_a_file_is_no_address(here: Path) -> None:
    """Else a bundle's folder called 2024 is looked for on the web."""
    (here / "2024").mkdir()
    assert not is_address("2024")
    assert not is_address("bundle.zip")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://storage.example.org/x",
        "https://127.0.0.1/x",
        "https://10.0.0.7/x",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/x",
        "https://localhost./x",
        "https://127.1/x",
        "https://0x7f.0x1/x",
        "https://nas.local/x",
        "https://metadata.google.internal./x",
        "https://minio/x",
        "https://user@storage.example.org/x",
        "https://[fd00::1]/x",
        "gopher://storage.example.org/x",
        "https://[",
        "",
    ],
)
def test_storage_that_no_site_may_name(url: str) -> None:
    """Else a hostile site has the zip sent, or files fetched, inside the user's own network."""
    with pytest.raises(SiteError, match="Nothing was sent there"):
        Site(REMOTE).check_storage(url)


def test_storage_that_a_site_may_name(site: SiteStub) -> None:
    """Else no upload works at all."""
    Site(REMOTE).check_storage("https://storage.example.org:9000/bucket/x?X-Signature=1")
    Site(site.base).check_storage(f"{site.storage}/bucket/x")


def test_show_needs_no_login(site: SiteStub, capsys: pytest.CaptureFixture[str]) -> None:
    """Else one cannot look at a challenge before one has an account."""
    assert main(["show", "1234"]) == Exit.FINE
    said = capsys.readouterr()
    assert site.tokened == []
    assert said.err == ""
    for words in (
        "Tell cells apart", "codalab/codalab-legacy:py312", "GPU queue", "(open); 900 s a program, 5 submissions a day, 100 in all",
        "1 Final: 2026-03-20 00:00 to no end (not yet)", "accuracy (Accuracy): largest first, ranks", "Be fair. One account each.",
    ):  # fmt: skip
        assert words in said.out


def test_show_as_json(site: SiteStub, capsys: pytest.CaptureFixture[str]) -> None:
    """Else a script has to read lines that are made for people."""
    assert main(["show", site.page, "--json", "-"]) == Exit.FINE
    document = json.loads(capsys.readouterr().out)
    assert document["phases"][0]["per_day"] == 5
    assert document["ranked_by"] == "accuracy"
    assert document["address"] == site.page


def test_offline_the_cache_says_how_old_it_is(
    site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a challenge cannot be looked up in the train, or old limits pass for today's."""
    assert main(["show", "1234"]) == Exit.FINE
    shown = capsys.readouterr().out
    site.fail("GET /api", "close", times=99)
    assert main(["show", "1234"]) == Exit.FINE
    said = capsys.readouterr()
    assert said.out == shown
    assert len(said.err.splitlines()) == 1
    assert "as of 2026-03-10 12:00 UTC, 0 minutes ago" in said.err


def test_a_challenge_that_is_gone_is_not_taken_from_the_cache(
    site: SiteStub, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a closed challenge looks open for ever."""
    assert main(["show", "1234"]) == Exit.FINE
    site.page_number = 99
    capsys.readouterr()
    assert main(["show", "1234"]) == Exit.USAGE
    assert "404" in capsys.readouterr().err


def test_a_transcript_holds_no_token_no_cookie_and_no_name(
    site: SiteStub, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else whoever sends it to us gives away an account, or a colleague's name."""
    from codabench_rehearsal.commands.make_submission import main as make

    words = ["--check-only", "submission.zip", "--no-run", "--upload", "1234", "--yes", "--wait"]
    site.fail("GET /api/user_quota", "status", value=(403, {"detail": "ask bob@example.org"}, {}))
    assert make([*words, "--record-http", "calls.json"]) == Exit.FINE
    capsys.readouterr()
    text = (here / "calls.json").read_text(encoding="utf-8")
    calls = json.loads(text)["calls"]
    assert {"method": "POST", "path": "/api/submissions/", "status": 201}.items() <= calls[
        8
    ].items()
    assert next(call["path"] for call in calls if call["method"] == "PUT") == "<storage>"
    for secret in (
        TOKEN,
        "alice",
        "Alice",
        "bob",
        "Bob",
        "submission.zip",
        "ookie",
        "X-Signature",
        *site.datasets,
    ):
        assert secret not in text, secret


def test_this_machine_is_not_asked_through_a_proxy(
    site: SiteStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a token that is allowed in the clear on this machine leaves it."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Site(site.base, TOKEN) as asked:
        assert asked.get("/api/my_profile/")["username"]


def test_a_far_site_is_asked_through_the_proxy(here: Path, waits: list[float]) -> None:
    """Else nobody behind a company's proxy gets out; and no test reaches a real site."""
    assert here.exists()
    with Site(REMOTE) as asked, pytest.raises(SiteError, match="cannot be reached"):
        asked.get("/api/competitions/1/")
    assert waits == [1.0, 2.0, 4.0]


@pytest.fixture
def secure(site: SiteStub) -> str:
    """The site over TLS, with a certificate that nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server = site.servers[0]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return site.base.replace("http://", "https://")


def test_a_certificate_that_nobody_knows(secure: str, waits: list[float]) -> None:
    """Else whoever stands on the way reads the token; or the user does not learn what to do."""
    with Site(secure, TOKEN) as asked, pytest.raises(SiteError, match="SSL_CERT_FILE"):
        asked.get("/api/my_profile/")
    assert waits == []


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_company_s_own_certificate(
    secure: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a site of a university or company cannot be used."""
    monkeypatch.setenv(variable, str(CERTIFICATE))
    with Site(secure, TOKEN) as asked:
        assert asked.get("/api/my_profile/")["username"]


def test_certificates_that_cannot_be_read(site: SiteStub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a slip in the variable ends in a traceback."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    with (
        Site(site.base) as asked,
        pytest.raises(SiteError, match=r"/nowhere\.pem.*correct REQUESTS_CA_BUNDLE"),
    ):
        asked.get("/api/competitions/1234/")


def test_what_breaks_is_asked_again(site: SiteStub, waits: list[float]) -> None:
    """Else one lost packet ends a command."""
    site.fail("GET /api/competitions", "close")
    site.fail("GET /api/competitions", "cut")
    site.fail("GET /api/competitions", "status", value=(503, None, {}))
    with Site(site.base) as asked:
        assert asked.get("/api/competitions/1234/")["id"] == 1234
    assert waits == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("17", 17.0), ("Tue, 10 Mar 2026 12:00:50 GMT", 50.0), ("soon", 1.0), ("0", 1.0), ("-5", 1.0)],
)
def test_a_site_may_ask_to_wait(
    site: SiteStub, waits: list[float], header: str, seconds: float
) -> None:
    """Else we knock at a busy site until it shuts us out."""
    site.fail(
        "GET /api/competitions", "status", value=(429, {"detail": "slow"}, {"Retry_After": header})
    )
    with Site(site.base) as asked:
        asked.get("/api/competitions/1234/")
    assert waits == [seconds]


def test_a_download_is_whole_or_nothing(site: SiteStub, waits: list[float]) -> None:
    """Else half a log stands behind the beginning of another try."""
    del waits
    site.puts["/bucket/log"] = b"all of it"
    site.fail("GET storage", "status", value=(200, None, {}))
    file = io.BytesIO()
    with Site(site.base, TOKEN) as asked:
        asked.download(f"{site.storage}/bucket/log?X-Signature=get-/bucket/log", file, 1000)
        asked.download(f"{site.storage}/bucket/log?X-Signature=get-/bucket/log", file, 1000)
        assert file.getvalue() == b"all of it"
        with pytest.raises(SiteError, match="answers with more than 4 bytes"):
            asked.download(f"{site.storage}/bucket/log?X-Signature=get-/bucket/log", file, 4)
    assert site.leaked == []


@pytest.mark.parametrize(
    "where",
    [
        "http://codabench.example.org/api/",
        "//evil.example/api/",
        "https://codabench.example.org@evil.example/",
        "https://codabench.example.org.evil.example/",
        "https://codabench.example.org:8443/",
        "javascript:alert(1)",
        "ftp://codabench.example.org/",
    ],
)
def test_no_redirect_leaves_the_site(where: str) -> None:
    """Else a token goes in the clear, or to a host that looks like the site's."""
    with pytest.raises(SiteError, match="which is not followed"):
        Site(REMOTE, TOKEN)._within(f"{REMOTE}/api/x/", Reply(302, {"location": where}))


@pytest.mark.parametrize("where", ["/api/y/", "../y/", f"{REMOTE}/api/y/", "?a=1"])
def test_a_redirect_within_the_site_is_followed(where: str) -> None:
    """Else a path that moved, or lacks its last slash, ends every command."""
    target = Site(REMOTE)._within(f"{REMOTE}/api/x/", Reply(302, {"location": where}))
    assert target.startswith(f"{REMOTE}/api/")
