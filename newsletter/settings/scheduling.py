"""The settings of when issues go out by themselves, and what becomes of those that are late."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}  # seconds


def stretch(text: str) -> timedelta:
    """Return a stretch of time as people write it: `90`, `90s`, `10m`, `2h`, `3d`.

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"(\d{1,6})([smhd]?)", text.strip(), re.ASCII)
    if not found:
        raise ValueError(f"{text!r} is no time; write it like 90, 10m, 2h or 3d")
    return timedelta(seconds=int(found[1]) * UNITS[found[2]])


def _written(value: Any) -> Any:
    return stretch(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else value


Stretch = Annotated[timedelta, BeforeValidator(_written)]


class ScheduleSettings(BaseModel):
    """When `newsletter run` and `newsletter send --due` send, and what they do when they come late."""

    model_config = ConfigDict(extra="forbid")

    hour: int = Field(8, ge=0, le=23, description="The hour of a reader's own clock, where they named none.")
    days: list[Weekday] = Field(
        default=["mon", "tue", "wed", "thu", "fri"], min_length=1, description="Days on which daily issues go out."
    )
    weekly_day: Weekday = Field("mon", description="The day of the weekly issue; it tells of the week before.")
    monthly_day: int = Field(2, ge=1, le=28, description="The day of the monthly issue; it tells of the month before.")
    list_day: Literal["settled", "today"] = Field(
        "settled",
        description="Which list a daily issue tells of: the newest that had ended (UTC) before its first reader was"
        " due, or that day's own.",
    )
    min_age: Stretch = Field(
        timedelta(hours=12), description="How old that day's own list has to be, from 0:00 UTC on."
    )
    max_lateness: Stretch = Field(
        timedelta(hours=12), description="An issue that has not begun so long after its last reader was due is late."
    )
    late: Literal["merge", "send", "skip"] = Field(
        "merge",
        description="What becomes of late issues: the next one catches up, each is sent after all, or none is.",
    )
    fetch_every: Stretch = Field(
        timedelta(hours=1), description="How often the votes of the newest lists are read, so that they have a history."
    )
