"""A phase's dates as the site takes them, and what it loses of them without a word.

Source: `get_datetime` of Codabench's unpacker (March 2026): what YAML took for a date is that day's
midnight, a text is read by dateutil (the month first), and every time zone is dropped.
"""

from __future__ import annotations

import datetime as dt
import re
from contextlib import suppress
from dataclasses import dataclass

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = re.compile(
    r"(?:^|[T\s,])(\d{1,2})(?::(\d{2}))(?::(\d{2})(?:\.\d+)?)?\s*([ap]m)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?$",
    re.I,
)
_YEAR_FIRST = re.compile(r"(\d{4})[-/. ](\d{1,2})[-/. ](\d{1,2})(?!\d)")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d{2})(?!\d)")
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_WORDS = re.compile(rf"(?:{_DAY}\s+)?([a-z]{{3,9}})\.?\s+(?:{_DAY},?\s+)?(\d{{4}})", re.I)


@dataclass(frozen=True)
class SiteDate:
    """value: as the site keeps it, in UTC; None where we cannot tell. refused: it is no date to it.

    lost_time, lost_zone: what stands there and is dropped. month_first: whether day and month can
    be taken for each other, and are taken as month-day-year.
    """

    value: dt.datetime | None = None
    refused: bool = False
    lost_time: bool = False
    lost_zone: bool = False
    month_first: bool = False


def site_date(given: object) -> SiteDate:
    """What the site makes of a value of `start` or `end` that is not empty."""
    if isinstance(given, dt.datetime):
        day = dt.datetime.combine(given.date(), dt.time())
        return SiteDate(day, lost_time=given.time() != dt.time(), lost_zone=bool(given.utcoffset()))
    if isinstance(given, dt.date):
        return SiteDate(dt.datetime.combine(given, dt.time()))
    if not isinstance(given, str):
        return SiteDate(refused=True)
    return _of_text(given.strip())


def _of_text(text: str) -> SiteDate:
    if not re.search(r"\d", text):
        return SiteDate(refused=True)
    for pattern, order in ((_YEAR_FIRST, (1, 2, 3)), (_YEAR_LAST, (3, 1, 2))):
        if found := pattern.match(text):
            year, month, day = (int(found[at]) for at in order)
            both = pattern is _YEAR_LAST and max(month, day) <= 12 and month != day
            return _made(year, month, day, text[found.end() :], month_first=both)
    if (words := _WORDS.match(text)) and words[2][:3].lower() in _MONTHS and (words[1] or words[3]):
        month = _MONTHS.index(words[2][:3].lower()) + 1
        return _made(int(words[4]), month, int(words[1] or words[3]), text[words.end() :])
    return SiteDate()  # dateutil reads much more


def _made(year: int, month: int, day: int, rest: str, *, month_first: bool = False) -> SiteDate:
    if month > 12 >= day:
        month, day = day, month  # dateutil's own way out
    year += 2000 if year < 70 else 1900 if year < 100 else 0
    clock, zone = dt.time(), ""
    if rest.strip():
        found = _TIME.search(rest)
        if found is None:
            return SiteDate()
        with suppress(ValueError):
            hour = (
                int(found[1]) % 12 + 12 * (found[4].lower() == "pm") if found[4] else int(found[1])
            )
            clock = dt.time(hour, int(found[2]), int(found[3] or 0))
        zone = found[5] or ""
    try:
        value = dt.datetime.combine(dt.date(year, month, day), clock)
    except ValueError:
        return SiteDate(refused=True)
    is_utc = zone.upper() in ("", "Z", "UTC", "GMT", "+00:00", "+0000")
    return SiteDate(value, lost_zone=not is_utc, month_first=month_first)
