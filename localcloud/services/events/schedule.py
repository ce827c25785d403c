"""When a rule's time is: ``rate(5 minutes)`` and ``cron(0 20 ? * MON-FRI *)``, in UTC.

No library that reads cron's times is among the project's, and AWS's have a year and a question
mark. What few use (``L``, ``W`` and ``#``) is refused.
"""

import re
from datetime import UTC, datetime, timedelta

RATE = re.compile(r"rate\(([1-9]\d*) (minute|hour|day)(s?)\)")
CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
YEARS = (1970, 2199)
PART = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?")


class ScheduleError(ValueError):
    """AWS takes no such expression."""


class UnknownError(ScheduleError):
    """AWS takes it, and it is refused here."""


def check(expression: str) -> None:
    """Raise `ScheduleError` for an expression that says no times."""
    after(expression, 0)


def after(expression: str, moment: float) -> float | None:
    """The first time after ``moment`` (seconds of the clock); None when there is none any more."""
    if found := RATE.fullmatch(expression):
        count = int(found[1])
        if (count == 1) == bool(found[3]):
            raise ScheduleError(expression)
        return moment + count * SECONDS[found[2]]
    if found := CRON.fullmatch(expression):
        return _next(_fields(found.groups()), moment)
    raise ScheduleError(expression)


def _fields(words: tuple[str, ...]) -> list[set[int] | None]:
    """Minutes, hours, days of the month, months, days of the week (SUN is 1) and years.

    None for a question mark, of which the two kinds of days have one between them.
    """
    minute, hour, day, month, weekday, year = words
    if (day == "?") == (weekday == "?"):
        raise ScheduleError(" ".join(words))
    return [
        _values(minute, 0, 59),
        _values(hour, 0, 23),
        None if day == "?" else _values(day, 1, 31),
        _values(month, 1, 12, MONTHS),
        None if weekday == "?" else _values(weekday, 1, 7, DAYS),
        _values(year, *YEARS),
    ]


def _values(field: str, least: int, most: int, names: tuple[str, ...] = ()) -> set[int]:
    values: set[int] = set()
    for part in field.split(","):
        found = PART.fullmatch(part)
        if found is None or (found[2] or "").upper() not in ("", *names, *_digits(found[2])):
            kind = UnknownError if set(part.upper()) & set("LW#") else ScheduleError
            raise kind(field)
        every, first, last, step = found.groups()
        begin = least if every else _number(first, names)
        end = _number(last, names) if last else (most if every or step else begin)
        if not least <= begin <= most or not least <= end <= most or step == "0":
            raise ScheduleError(field)
        if end < begin:  # FRI-MON
            values |= set(range(begin, most + 1)) | set(range(least, end + 1))
        else:
            values |= set(range(begin, end + 1, int(step or 1)))
    return values


def _digits(word: str | None) -> tuple[str, ...]:
    return (word,) if word and word.isdigit() else ()


def _number(word: str, names: tuple[str, ...]) -> int:
    if word.isdigit():
        return int(word)
    if word.upper() in names:
        return names.index(word.upper()) + 1
    raise ScheduleError(word)


def _next(fields: list[set[int] | None], moment: float) -> float | None:
    minutes, hours, days, months, weekdays, years = fields
    at = datetime.fromtimestamp(moment, UTC).replace(second=0, microsecond=0)
    at += timedelta(minutes=1)
    while at.year <= max(years):
        today = (days is None or at.day in days) and (
            weekdays is None or (at.isoweekday() % 7) + 1 in weekdays
        )
        if at.year not in years or at.month not in months:
            at = (at.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0)
        elif not today:
            at = at.replace(hour=0, minute=0) + timedelta(days=1)
        elif at.hour not in hours:
            at = at.replace(minute=0) + timedelta(hours=1)
        elif at.minute not in minutes:
            at += timedelta(minutes=1)
        else:
            return at.timestamp()
    return None
