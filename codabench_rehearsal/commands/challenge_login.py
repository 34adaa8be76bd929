"""`codabench-challenge login` and `logout`: the token of a site, in a file of the user's own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from codabench_rehearsal.challenge.site.address import site_of, usual_site
from codabench_rehearsal.commands.site_arguments import add_record_http, opened_site
from codabench_rehearsal.console.command import Exit, Parser, print_lines
from codabench_rehearsal.console.guard import add_force

EXAMPLES = """\
examples:
  codabench-challenge login                             asks for name and password, keeps the token
  codabench-challenge login --paste                     asks for a token instead
  codabench-challenge login https://codabench.my-university.example
  codabench-challenge logout                            removes it

Nothing of it is an argument, so nothing is in your shell's history. Without a terminal, as in a
script: CODABENCH_TOKEN, which is sent to CODABENCH_URL (default codabench.org) alone.
"""


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    what = "Get a site's token and keep it for uploads (login), or remove it (logout)."
    made = Parser("codabench-challenge login", what, EXAMPLES)
    made.add_argument("site", nargs="?", default="", help="its address (default codabench.org)")
    what = "ask for a token instead of name and password"
    made.add_argument("--paste", action="store_true", help=what)
    add_record_http(made)
    add_force(made)
    return made


def run(options: argparse.Namespace, words: Sequence[str]) -> int:
    """Ask, and keep; or remove."""
    from codabench_rehearsal.challenge.site.credentials import forget_token, log_in, token_file

    base = site_of(options.site) if options.site else usual_site()
    if words[0] == "logout":
        gone = forget_token(base)
        print_lines([f"{token_file(base)} {'removed' if gone else 'was not there'}"])
        return Exit.FINE
    with opened_site(options, base) as site:
        place = log_in(site, paste=options.paste)
    print_lines([f"{site.host}: logged in; the token is in {place} (mode 600)"])
    return Exit.FINE
