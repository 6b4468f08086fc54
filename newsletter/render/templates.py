"""The templates a person edits: Jinja in a sandbox, the user's own folder before the shipped one, file by file."""

import tomllib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from newsletter.errors import TemplateError
from newsletter.render import mjml, text
from newsletter.render.contrast import colour_of
from newsletter.render.fragments import Marks, Plain
from newsletter.render.notices import NoticeView
from newsletter.render.view import EntryView, IssueView, ReaderView, RiserView, SectionView

VIEWS = {EntryView, IssueView, ReaderView, RiserView, SectionView}


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, which takes our own frozen views as safe without looking at each of their attributes."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if type(obj) in VIEWS:
            return not attr.startswith("_")
        return super().is_safe_attribute(obj, attr, value)


class Templates:
    """Jinja templates and the theme.

    Args:
        folders: where to look, the first that has a file wins.

    Raises:
        TemplateError: a folder is not there.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        for folder in self.folders:
            if not folder.is_dir():
                raise TemplateError(f"templates {folder}: there is no such folder; check the setting `templates`")
        loader = jinja2.FileSystemLoader(self.folders)
        options: dict[str, Any] = {
            "loader": loader,
            "undefined": jinja2.StrictUndefined,
            "trim_blocks": True,
            "lstrip_blocks": True,
            "keep_trailing_newline": True,
        }
        # select_autoescape does not know .mjml, so each kind of output has its own environment.
        self._markup = _Sandbox(autoescape=True, **options)
        self._plain = _Sandbox(autoescape=False, **options)  # plain text has no markup
        self._plain.filters |= {"wrap": text.wrap}

    @cached_property
    def theme(self) -> dict[str, Any]:
        """The colours, fonts and sizes of theme.toml; what the user's own leaves out is the shipped one's.

        Raises:
            TemplateError: theme.toml is missing or broken, or a colour is none.
        """
        paths = [found for folder in reversed(self.folders) if (found := folder / "theme.toml").is_file()]
        if not paths:
            raise TemplateError(f"theme.toml: not found in {self.folders[0]}; restore it from the shipped templates")
        theme: dict[str, Any] = {}
        for path in paths:
            own = _read_theme(path)
            theme |= {
                name: theme.get(name, {}) | value if isinstance(value, dict) else value for name, value in own.items()
            }
        return theme

    def issue_html(self, issue: IssueView, reader: ReaderView, marks: Plain | Marks) -> str:
        """Return the HTML part of an issue: Jinja to MJML to premailer.

        Raises:
            TemplateError: a template or its MJML is wrong; names the file and line.
        """
        return self._html("mail/issue.mjml.j2", issue=issue, reader=reader, item=marks.item, optional=marks.optional)

    def issue_text(self, issue: IssueView, reader: ReaderView, marks: Plain | Marks) -> str:
        """Return the plain-text part of an issue.

        Raises:
            TemplateError: the template is wrong; names the file and line.
        """
        names: dict[str, Any] = {"issue": issue, "reader": reader, "item": marks.item, "optional": marks.optional}
        return self._render(self._plain, "mail/issue.txt.j2", names)

    def notice_html(self, notice: NoticeView) -> str:
        """Return the HTML part of a notice.

        Raises:
            TemplateError: a template or its MJML is wrong; names the file and line.
        """
        return self._html("mail/notice.mjml.j2", notice=notice)

    def notice_text(self, notice: NoticeView) -> str:
        """Return the plain-text part of a notice.

        Raises:
            TemplateError: the template is wrong; names the file and line.
        """
        return self._render(self._plain, "mail/notice.txt.j2", {"notice": notice})

    def to_html(self, source: str, css: str) -> str:
        """Return the HTML of MJML with the rules of `css` written into it; see `mjml.to_html`."""
        return mjml.to_html(source, css)

    def _html(self, name: str, **names: Any) -> str:
        source = self._render(self._markup, name, names)
        return self.to_html(source, self._render(self._markup, "mail/inline.css.j2", {}))

    def _render(self, environment: jinja2.Environment, name: str, names: dict[str, Any]) -> str:
        try:
            return environment.get_template(name).render(names, theme=self.theme)
        except TemplateError:  # theme.toml is read on the way, and says itself what is wrong
            raise
        except jinja2.TemplateSyntaxError as fault:
            raise TemplateError(f"{fault.filename or fault.name}:{fault.lineno}: {fault.message}") from None
        except jinja2.TemplateNotFound as fault:
            raise TemplateError(f"template {fault.name}: not found; restore it from the shipped templates") from None
        except jinja2.TemplateError as fault:
            raise TemplateError(f"template {_place(fault, name)}: {fault.message}") from None
        except Exception as fault:  # noqa: BLE001 - a template is a program, and fails as programs do
            raise TemplateError(f"template {_place(fault, name)}: {type(fault).__name__}: {fault}") from None


def _read_theme(path: Path) -> dict[str, Any]:
    try:
        theme = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise TemplateError(f"{path}: {fault}") from None
    for mode in ("light", "dark"):
        colours = theme.get(mode, {})
        if not isinstance(colours, dict):
            raise TemplateError(f"{path}: {mode}: {colours!r} is no table; write [{mode}] on a line of its own")
        for name, colour in colours.items():
            if not isinstance(colour, str) or colour_of(colour) is None:
                raise TemplateError(f"{path}: {mode}.{name}: {colour!r} is no colour; write it like #1d1b18")
    for name in ("width", "serif", "sans", "logo", "logo_width", "logo_alt"):
        if not isinstance(theme.get(name, ""), str):
            raise TemplateError(f'{path}: {name}: {theme[name]!r} is no text; put it in quotes, such as "600px"')
    return theme


def _place(fault: Exception, name: str) -> str:
    """The template file and line in a traceback: an undefined name tells neither by itself."""
    trace, place = fault.__traceback__, name
    while trace:
        filename = trace.tb_frame.f_code.co_filename
        if filename.endswith(".j2"):
            place = f"{filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
