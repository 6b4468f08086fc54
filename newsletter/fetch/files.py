"""Lists in the Hugging Face shape, kept as files: one day's, or a folder of them named by their days."""

import json
from datetime import date
from pathlib import Path

from newsletter.errors import SourceError
from newsletter.fetch.listing import papers_of
from newsletter.models import Paper, Period
from newsletter.periods import days_of

MEND = "fetch that list again"


class FileSource:
    """One list day in a file, or a folder of files named YYYY-MM-DD.json; other names in a folder are left alone.

    Args:
        path: the file or the folder.
        name: the spec as the operator wrote it.
        as_of: the list day of a single file whose name tells none; without it, its items tell their day.
    """

    live = False
    voted = True

    def __init__(self, path: Path, name: str | None = None, as_of: date | None = None) -> None:
        self.name = name or f"file:{path}"
        self._path = path
        self._as_of = as_of

    def days(self, today: date) -> list[date]:  # noqa: ARG002 - a recording keeps its days whatever today is
        """Return the days there are, newest first: of a folder by its names, of a single file by its papers.

        Raises:
            SourceError: the path cannot be read, a folder has no list in it, or a single file is no list.
        """
        days = self._folder() or {paper.listed_on for paper in self._read(self._path) if paper.listed_on}
        return sorted(days, reverse=True)

    def papers(self, period: Period) -> tuple[Paper, ...]:
        """Return the papers listed within the period, oldest day first, each day in its file's order.

        Raises:
            SourceError: the path cannot be read, a folder has no list in it, or a file of the period is no list.
        """
        folder = self._folder()
        if folder is None:
            days = set(days_of(period))
            return tuple(paper for paper in self._read(self._path) if paper.listed_on in days)
        paths = (folder[day] for day in days_of(period) if day in folder)
        return tuple(paper for path in paths for paper in self._read(path))

    def _folder(self) -> dict[date, Path] | None:
        """Return a folder's files by day, or None for a single file."""
        try:
            files = {day: path for path in self._path.iterdir() if (day := _day_in_name(path))}
        except NotADirectoryError:
            return None
        except (OSError, ValueError) as error:  # ValueError: a null character in the path
            raise self._unreadable(self._path, error) from error
        if not files:
            fault = f"{self._path} holds no file named YYYY-MM-DD.json"
            raise SourceError(self.name, fault, "name each list by its day")
        return files

    def _read(self, path: Path) -> tuple[Paper, ...]:
        return papers_of(self._json(path), day=_day_in_name(path) or self._as_of, source=self.name)

    def _json(self, path: Path) -> object:
        try:
            return json.loads(path.read_bytes().decode("utf-8-sig"))
        except json.JSONDecodeError as error:
            fault = f"{path} is no JSON: {error.msg} at line {error.lineno}, column {error.colno}"
            raise SourceError(self.name, fault, MEND) from error
        except UnicodeDecodeError as error:
            raise SourceError(self.name, f"{path}: byte {error.start} is not UTF-8", MEND) from error
        except (OSError, ValueError, RecursionError) as error:  # a number of 4,301 digits, arrays nested without end
            raise self._unreadable(path, error) from error

    def _unreadable(self, path: Path, error: Exception) -> SourceError:
        reason = getattr(error, "strerror", None) or error
        return SourceError(self.name, f"{path} cannot be read ({reason})", "check the path")


def _day_in_name(path: Path) -> date | None:
    try:
        day = date.fromisoformat(path.stem)
    except ValueError:
        return None
    return day if path.name == f"{day}.json" else None  # fromisoformat also reads 20251225 and 2025-W52-4
