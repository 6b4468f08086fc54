"""Pure: a Hugging Face list of papers, as `/api/daily_papers` answers it and as files keep it.

A list is a JSON array of items, and each item holds its paper as an object. On 9,881 recorded items a field that is not
known is absent. The item's own title keeps the TeX that the paper's title lost; the item's own `publishedAt` is off by
the hours of a time zone and is never read.
"""

from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from newsletter.errors import SourceError
from newsletter.fetch.clean import clean_text, clean_url
from newsletter.models import Paper

SITE = "https://huggingface.co"
QUOTED = 200  # characters of an API's error text
MEND = "fetch the list again; if it stays so, its format has changed"
LARGEST_COUNT = 2**31 - 1  # what a database's integer holds


def papers_of(payload: object, *, day: date | None, source: str, site: str = SITE) -> tuple[Paper, ...]:
    """Return the papers of a list in its order; of those with one id, the first.

    Args:
        payload: the decoded JSON, of whatever shape.
        day: the list day that was asked for; None takes each item's `submittedOnDailyAt`.
        source: the spec that errors and papers carry.
        site: where the papers' own pages are.

    Raises:
        SourceError: the payload is no array, or one of its items has not the shape of an item.
    """
    if not isinstance(payload, list):
        text = error_text(payload)
        raise SourceError(source, f"no list of papers but {f'the error {text!r}' if text else 'other JSON'}", MEND)
    papers: dict[str, Paper] = {}
    for number, given in enumerate(payload, start=1):
        place = f"item {number} of the list" + (f" of {day}" if day else "")
        item = _checked(given, place, source)
        listed_on = day or item.paper.listed_on
        if listed_on is None:
            raise SourceError(source, f"{place} tells no list day", "name the file YYYY-MM-DD.json or pass --as-of")
        papers.setdefault(item.paper.id, _paper(item, listed_on, source, site))
    return tuple(papers.values())


def error_text(payload: object) -> str | None:
    """Return what an error object (`{"error": "..."}`) says, as one line of at most 200 characters, or None."""
    match payload:
        case {"error": str(text)}:
            return clean_text(text[:QUOTED]) or None
    return None


def _day_of(moment: object) -> date:
    """Return the day of an ISO 8601 moment; the API writes all of them in UTC."""
    try:
        return datetime.fromisoformat(moment if isinstance(moment, str) else "").date()
    except ValueError as error:
        raise PydanticCustomError("moment", "Input should be a moment such as 2025-12-25T00:20:37.914Z") from error


Text = Annotated[str, AfterValidator(clean_text)]
Link = Annotated[str | None, AfterValidator(clean_url)]
Day = Annotated[date, BeforeValidator(_day_of)]
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]


class _Shape(BaseModel):
    """Strict, so that neither `true` nor `"12"` counts as a number; unknown fields are left out."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Author(_Shape):
    name: Text
    hidden: bool = False


class _Organization(_Shape):
    name: Text | None = None
    fullname: Text | None = None


class _Paper(_Shape):
    id: str = Field(pattern=r"^[0-9]{4}\.[0-9]{4,5}$")
    title: Text | None = None
    abstract: Text | None = Field(None, alias="summary")
    summary: Text | None = Field(None, alias="ai_summary")
    authors: list[_Author] = Field(default_factory=list)
    organization: _Organization | None = None
    published_on: Day | None = Field(None, alias="publishedAt")
    listed_on: Day | None = Field(None, alias="submittedOnDailyAt")
    upvotes: Count | None = None
    keywords: list[Text] = Field(default_factory=list, alias="ai_keywords")
    repository_url: Link = Field(None, alias="githubRepo")
    repository_stars: Count | None = Field(None, alias="githubStars")
    project_url: Link = Field(None, alias="projectPage")


class _Item(_Shape):
    paper: _Paper
    title: Text | None = None
    comment_count: Count | None = Field(None, alias="numComments")
    thumbnail_url: Link = Field(None, alias="thumbnail")
    organization: _Organization | None = None

    @model_validator(mode="after")
    def _has_a_title(self) -> "_Item":
        if not (self.title or self.paper.title):
            raise PydanticCustomError("title", "title: Field required")
        return self


def _checked(given: object, place: str, source: str) -> _Item:
    try:
        return _Item.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(step) for step in first["loc"])
        fault = first["msg"].partition(" or instance of")[0]  # the rest names our classes
        raise SourceError(source, f"{place}: {field}{': ' if field else ''}{fault}", MEND) from error


def _paper(item: _Item, listed_on: date, source: str, site: str) -> Paper:
    paper = item.paper
    return Paper(
        title=item.title or paper.title or "",
        arxiv_id=paper.id,
        abstract=paper.abstract or None,
        summary=paper.summary or None,
        authors=tuple(author.name for author in paper.authors if author.name and not author.hidden) or None,
        author_count=len(paper.authors) or None,
        organization=_name_of(paper.organization) or _name_of(item.organization),
        published_on=paper.published_on,
        listed_on=listed_on,
        upvotes=paper.upvotes,
        comment_count=item.comment_count,
        keywords=tuple(keyword for keyword in paper.keywords if keyword) or None,
        repository_url=paper.repository_url,
        repository_stars=paper.repository_stars,
        project_url=paper.project_url,
        thumbnail_url=item.thumbnail_url,
        source=source,
        url=f"{site}/papers/{paper.id}",
    )


def _name_of(organization: _Organization | None) -> str | None:
    return (organization.fullname or organization.name or None) if organization else None
