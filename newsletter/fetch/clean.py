r"""Pure: repairs the text of titles and abstracts, and the addresses beside them.

Lists of papers carry what authors typed for arXiv: hard wraps, TeX, and TeX whose backslashes were stripped on the way
(`2times`, `sim20%`, `{process reward model}`). Only the TeX that is found is handed to pylatexenc, never a whole
abstract: there a bare `%` would start a comment and eat the rest of its line.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

# Authors nest two or three deep; a text that needs more passes than this loses its TeX characters instead.
PASSES = 20
TEX_CHARACTERS = str.maketrans("", "", "\\{}$`")

# Controls (Cc), invisible and bidirectional marks (Cf), and lone surrogates (Cs), which no mail can encode.
HIDDEN = frozenset({"Cc", "Cf", "Cs"})

URL = r"""https?://(?:[^\s{}$\\<>"'`]|\\[_%#&~])+"""
GROUP = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
LETTER = r"[^\W\d_]"
STYLES = r"text(?:it|bf|tt|sc|sf|rm)?|emph|mbox|math(?:bb|bf|cal|it|rm|sf)"

# What pylatexenc does not know, and what stands for it; any other unknown command is shown by its name.
SILENT = (
    "left|right|middle|[bB]ig[lr]?|(?:display|text)style|(?:no)?limits|boldsymbol|bm|em|it|bf|rm|sc|sf|sl|tt"
    "|(?:it|sc)shape|bfseries|ttfamily|small|large|centering|noindent"
)
ABBREVIATIONS = {"eg": "e.g.", "ie": "i.e."}


def clean_text(text: str) -> str:
    r"""Return a title or abstract as one line of plain Unicode.

    Cleaning twice is cleaning once. Decimal digits keep their order (only the copy of a doubled URL goes), and every
    `<`, `&` and `%` stays. Text it does not understand is left as it stands.
    """
    for _ in range(PASSES):
        cleaned = _one_line(text)
        if _TRACE.search(cleaned):
            cleaned = _drop_unmatched_braces(_TOKEN.sub(_repair, cleaned))
        if cleaned == text:
            return text
        text = cleaned
    return clean_text(text.translate(TEX_CHARACTERS))


def clean_url(text: str | None) -> str | None:
    """Return a web address fit for a link, or None for anything else.

    White space is removed, since recorded addresses hold wraps. What is left must be http or https with a host, without
    user name, password, control characters or the characters that end an HTML attribute.
    """
    parts = (text or "").split()
    url = "".join(parts)
    if any(part.lower().startswith(("http:", "https:")) for part in parts[1:]):
        return None  # two addresses; joined they would lead nowhere
    if any(unicodedata.category(character) in HIDDEN and character not in "\t\r\n" for character in text or ""):
        return None
    return url if not re.search(r"[\\<>\"]", url) and _has_plain_host(url) else None


def _has_plain_host(url: str) -> bool:
    try:
        address = urlsplit(url)
        _ = address.port  # raises for a port that is no number
    except ValueError:
        return False
    return address.scheme in {"http", "https"} and bool(address.hostname) and "@" not in address.netloc


def _one_line(text: str) -> str:
    if not text.isprintable():
        text = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in HIDDEN)
    return " ".join(text.split())


def _drop_unmatched_braces(text: str) -> str:
    """Drop closing braces whose opening one was stripped, as in `legal reasoning}.`."""
    excess = text.count("}") - text.count("{")
    if excess <= 0:
        return text
    pieces, depth = re.split(r"((?<!\\)[{}])", text), 0
    for place, piece in enumerate(pieces):
        if piece == "}" and not depth and excess and re.search(r"[\w.!?]$", pieces[place - 1]):
            pieces[place] = ""
            excess -= 1
        else:
            depth = max(0, depth + (piece == "{") - (piece == "}"))
    return "".join(pieces)


@cache
def _converter() -> Any:
    """Return pylatexenc's converter; imported here, because most texts hold no TeX."""
    from pylatexenc import latex2text

    latex2text.logger.disabled = True  # a title's faulty TeX is no news for the operator's terminal
    known = latex2text.get_default_latex_context_db()
    known.set_unknown_macro_spec(latex2text.MacroTextSpec("", simplify_repl=_name_of))
    return latex2text.LatexNodes2Text(latex_context=known, math_mode="text", keep_comments=True)


def _name_of(node: Any) -> str:
    return "" if re.fullmatch(SILENT, node.macroname) else f"{node.macroname}{node.macro_post_space}"


@cache
def _known_commands() -> Any:
    from pylatexenc.latex2text import get_default_latex_context_db

    return get_default_latex_context_db()


@lru_cache(maxsize=1024)
def _unicode_of(tex: str) -> str | None:
    """Return a TeX segment as Unicode, or None where that would lose a digit, a `<`, `&` or `%`, or a URL."""
    escaped = re.sub(r"(?<!\\)[%&#]", r"\\\g<0>", tex)
    try:
        converted = " ".join(str(_converter().latex_to_text(escaped)).split())
    except Exception:  # noqa: BLE001 - anyone's TeX comes through here, and pylatexenc raises what its parts raise
        return None
    return converted if _essence(converted) == _essence(tex) else None


def _essence(text: str) -> tuple[list[str], list[int], list[str]]:
    """Return what no repair may change."""
    return re.findall(r"\d", text), [text.count(sign) for sign in "<&%"], re.findall(URL, text)


def _segment(match: re.Match[str]) -> str:
    converted = _unicode_of(match[0])
    return match[0] if converted is None else converted


def _accent(match: re.Match[str]) -> str:
    converted = _unicode_of(match[0])
    return converted if converted and len(converted) == 1 else match[0]


def _command(match: re.Match[str]) -> str:
    """Convert a command outside of math; an unknown one leaves the words in its braces, or its name."""
    name, tex = match["name"], match[0].rstrip(" ")
    space = match[0][len(tex) :]
    converted = None if _known_commands().get_macro_spec(name) is None else _unicode_of(tex)
    if converted is None or any(unicodedata.combining(character) for character in converted):
        converted = _contents(match)
    return converted + space if converted else ""


def _contents(match: re.Match[str]) -> str:
    name = match["name"]
    words = " ".join(group[1:-1] for group in re.findall(GROUP, match["groups"])).strip()
    instead = "" if re.fullmatch(SILENT, name) else ABBREVIATIONS.get(name, name)
    return (match["option"] or "") + (words or instead)


def _labelled(match: re.Match[str]) -> str:
    r"""Turn `URL{words}`, what is left of a `\href`, into `URL (words)`."""
    label = match["label"][1:-1].strip()
    return f"{match['link']} ({label})" if label else match["link"]


def _unescaped_url(match: re.Match[str]) -> str:
    return re.sub(r"\\([_%#&~])", r"\1", match[0])


class _Rule(NamedTuple):
    name: str
    pattern: str
    replacement: str | Callable[[re.Match[str]], str]


# Tried in this order at each place of the text; URLs come first, so that nothing below reaches into one.
_RULES = (
    _Rule("doubled", r"(?P<once>https?://[^\s{}]+?)(?P<slash>/?) ?\{(?P=once)/?\}", r"\g<once>\g<slash>"),
    _Rule("labelled", rf"(?P<link>{URL})(?P<label>{GROUP})(?=[\s.,;:)]|$)", _labelled),
    _Rule("url", URL, _unescaped_url),
    _Rule("href", rf"(?:\\|\b)(?:href|url) ?\{{(?P<target>{URL})\}}", r"\g<target>"),
    _Rule("accent", r"""(?<!/)\\['"`^~=.](?:\{\\?[A-Za-z]\}|\{\}|\\[ij](?![A-Za-z])|[A-Za-z])""", _accent),
    # pandoc's rule for dollars (its manual, tex_math_dollars), and no sum of money that runs on into a sentence.
    _Rule(
        "math",
        r"(?<![\\$])\$(?![\s$]|\d[\d.,]*\w? [a-z]{2})(?:[^$\\]|\\.){1,500}?(?<!\s)\$(?![\d$])"
        r"|(?<![\\$])\$\$(?:[^$\\]|\\.){1,500}?\$\$|\\\(.{1,500}?\\\)|\\\[.{1,500}?\\\]",
        _segment,
    ),
    _Rule("declared", rf"(?=\{{\\){GROUP}", _segment),
    _Rule(
        "command",
        rf"\\(?P<name>[A-Za-z]+)\*?(?P<option>\[[^\[\]{{}}]*\](?=\{{))?(?P<groups>(?:{GROUP})*) ?",
        _command,
    ),
    _Rule("sign", r"\\(?P<kept>[%&_#$])", r"\g<kept>"),
    _Rule("lost_dollar", r"\\(?=\d)", "$"),  # `\$22K` whose dollar was stripped: TeX has no command that is a digit
    _Rule("space", r"\\[ ,;:\\]", " "),
    _Rule("no_space", r"\\[!@]", ""),
    _Rule("tie", r"(?<=[A-Za-z]{2})~(?=[A-Za-z(\[\\$])|(?<=\d)~(?=[A-Za-z]{2}|[(\[\\$])", " "),
    _Rule("numbered", r"(?:(?<=[A-Za-z]{3})|(?<=[A-Za-z]{2}\.))~(?=\d)", " "),
    _Rule("times", r"(?<=\d)times(?![A-Za-z])", "\N{MULTIPLICATION SIGN}"),
    _Rule("about", r"\bsim(?=\d)", "~"),
    _Rule("degrees", r"\^(?:\{(?:∘|circ)\}|∘|circ\b)", "°"),
    _Rule("styled", rf"\b(?:{STYLES})\{{(?P<content>[^{{}}]*)\}}", r"\g<content>"),
    _Rule("script", r"(?<=[^\W_])(?P<lowered>[_^])\{(?P<index>[\w.+-]+)\}", r"\g<lowered>\g<index>"),
    _Rule("mark", r"(?<![\\_^])\{(?P<bare>[=+,<>:*-])\}", r"\g<bare>"),
    _Rule("words", rf"(?<![\\_^}}/])(?<!{LETTER})\{{(?P<phrase>{LETTER}(?:[^\W_]|[ -])*)\}}", r"\g<phrase>"),
    _Rule("quoted", r"""(?<![`\\])``(?![`\s])(?P<speech>[^`]{1,300}?)(?<!\s)(?:''|``|")""", "\u201c\\g<speech>\u201d"),
    _Rule("cited", r"(?<![`\w\\])`(?![`\s])(?P<term>[^`]{1,300}?)(?<!\s)'(?![A-Za-z'])", "\u2018\\g<term>\u2019"),
    _Rule("em_dash", r"(?<!-)---(?!-)", "\N{EM DASH}"),
    _Rule("en_dash", r"(?<!-)--(?!-)", "\N{EN DASH}"),
)
_REPLACEMENTS = {rule.name: rule.replacement for rule in _RULES}
# No rule changes a text without one of these, and most texts hold none.
_TRACE = re.compile(r"[\\${}`~^]|--|\dtimes|\bsim\d")
_TOKEN = re.compile("|".join(f"(?P<{rule.name}>{rule.pattern})" for rule in _RULES))


def _repair(match: re.Match[str]) -> str:
    replacement = _REPLACEMENTS[match.lastgroup or ""]
    return match.expand(replacement) if isinstance(replacement, str) else replacement(match)
