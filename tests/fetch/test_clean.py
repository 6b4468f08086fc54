r"""Repairing titles, abstracts and addresses: what is mended, and what must never change."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsletter.fetch.clean import clean_text, clean_url

PIECES = (
    *(
        "{",
        "}",
        "\\",
        "$",
        "`",
        "``",
        "''",
        "'",
        '"',
        "~",
        "-",
        "--",
        "---",
        "^",
        "_",
        " ",
        "\n",
        "%",
        "&",
        "<",
        ">",
        "#",
    ),
    *("\\%", "\\&", "\\_", "\\#", "\\$", "\\\\", "\\ ", "\\,", "\\(", "\\)", "\\[", "\\]", "\\{", "\\}", "\\2"),
    *("\\alpha", "\\times", "\\textbf{", "\\emph{word}", "\\method{}", "\\frac{1}{2}", "\\frac12", "\\sqrt[3]{2}"),
    *("\\'e", '\\"{u}', "\\'{\\i}", "{\\em a b}", "\\b{Two words}", "\\cite{a1}", "\\today", "\\textbackslash", "\\lt"),
    *("$x$", "$\\times$", "$a<b$", "$5 and ", "50%", "2times", "times", "sim", "sim3", "{word}", "{two words}", "{,}"),
    *(
        "\u00a0",
        "\u200b",
        "\u202e",
        "\u2028",
        "\x00",
        "\x85",
        "\x1c",
        "\ud800",
        "\ufeff",
        "é",
        "e\u0301",
        "\u0338",
        "٣",
    ),
)
ADDRESSES = (
    "https://a.io/x--y",
    "{https://a.io/x--y}",
    "https://a.io/a\\_b",
    "\\url{",
    "\\href{https://a.io/}{",
    "http://",
)
plain_tex = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=14).map("".join)
tex = st.lists(st.sampled_from(PIECES + ADDRESSES) | st.text(max_size=4), max_size=14).map("".join)
thorough = settings(max_examples=300, deadline=None)


def digits(text: str) -> list[str]:
    return re.findall(r"\d", text)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("A title\n  wrapped\u00a0hard\t here ", "A title wrapped hard here"),
        ("zero\u200b width\u202e and\x00 control\u2028line", "zero width and control line"),
        (r"LLM$\times$MapReduce", "LLM×MapReduce"),
        (r"$\text{Transformer}^2$", "Transformer^2"),
        (r"a gain of 3.6\times in speed", "a gain of 3.6× in speed"),
        ("2times larger, 2.5times faster, 64times64", "2× larger, 2.5× faster, 64×64"),
        ("sometimes, two times, 3timesteps", "sometimes, two times, 3timesteps"),
        ("up to sim20% and {sim}750, but sim-to-real", "up to ~20% and ~750, but sim-to-real"),
        (r"54.6\% of R\&D on a\_b, C\# and \$5", "54.6% of R&D on a_b, C# and $5"),
        (r"at (\22K for one)", "at ($22K for one)"),
        ("$5 and $10, or US$44", "$5 and $10, or US$44"),
        ("costs $5 million, or 3$ each", "costs $5 million, or 3$ each"),
        (r"the ratio \(TPP\) and $$x$$", "the ratio TPP and x"),
        (r"a $x%$ share & \textbf{10% more}", "a x% share & 10% more"),
        (r"360$^\circ$ and 90^{circ}", "360° and 90°"),
        (r"Fr\'echet, \"Ust\"un, Bolet\'{\i}n, Fr{\'e}chet", "Fréchet, Üstün, Boletín, Fréchet"),
        (r"Erd\H{o}s and Ne\v{s}et\v{r}il", "Erdős and Nešetřil"),
        (
            r"\textsc{Small-Caps} and {\em slanted words} and textit{S}tripped",
            "Small-Caps and slanted words and Stripped",
        ),
        (r"\method finds \ours{}, \eg \b{Two Words}", "method finds ours, e.g. Two Words"),
        (r"41.6\% vs.\ 33.5\%, 19.6\,FPS", "41.6% vs. 33.5%, 19.6 FPS"),
        ("450~MB on Track~1, as in Smith et al.~2020", "450 MB on Track 1, as in Smith et al. 2020"),
        ("about ~20, 1M~4M, x~p", "about ~20, 1M~4M, x~p"),
        ("a ``good'' and a ``bad`` and an ``ugly\" one", "a “good” and a “bad” and an “ugly” one"),
        ("`better' or `the dog's', but don't", "\u2018better’ or \u2018the dog's’, but don't"),
        ("``a `nested' word''", "“a \u2018nested’ word”"),
        ("one -- two---three 10--20", "one – two—three 10–20"),
        ("a line ---- of dashes", "a line ---- of dashes"),
        ("a {process reward model} in {two-word 3} braces", "a process reward model in two-word 3 braces"),
        (r"G_{stack}, 2^{d_n}, 10^{-3}, π_{0.5}, a_{b_{c}}", "G_stack, 2^d_n, 10^-3, π_0.5, a_b_c"),
        (r"x_{i,j}, \{x\}, {True, False}, {-1, 0}", r"x_{i,j}, \{x\}, {True, False}, {-1, 0}"),
        ("a (1{+}1) search over 1{,}182 cases", "a (1+1) search over 1,182 cases"),
        ("on legal reasoning}. And G_{s,t} stays.", "on legal reasoning. And G_{s,t} stays."),
        ("balanced a} and {b stay", "balanced a} and {b stay"),
        ("https://a.io/{https://a.io/}.", "https://a.io/."),
        (r"https://a.io/a_2/ {https://a.io/a\_2/}", "https://a.io/a_2/"),
        ("https://a.io/x{project page}.", "https://a.io/x (project page)."),
        (
            r"\href{https://a.io/x}{the \textbf{code}} and \url{https://a.io/y--z\_1}",
            "https://a.io/x (the code) and https://a.io/y--z_1",
        ),
        ("see https://a.io/2times--sim3/~me", "see https://a.io/2times--sim3/~me"),
        (r"\textbf{see https://a.io/a--b_1 now}", "see https://a.io/a--b_1 now"),
        (r"a root $\sqrt[3]{2}$ stays TeX", r"a root $\sqrt[3]{2}$ stays TeX"),
        ("{" * 30 + "deep" + "}" * 30, "deep"),
        ("", ""),
    ],
)
def test_text_is_repaired(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


@thorough
@given(tex)
@example("\\textbackslash{}alpha")
@example("{" * 60 + "a" + "}" * 60)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once


@thorough
@given(plain_tex)
def test_digits_keep_their_order(text: str) -> None:
    assert digits(clean_text(text)) == digits(text)


@thorough
@given(tex)
def test_less_than_ampersand_and_percent_are_never_eaten(text: str) -> None:
    clean = clean_text(text)
    assert [clean.count(sign) for sign in "<&%"] == [text.count(sign) for sign in "<&%"]


@thorough
@given(tex)
def test_one_visible_line_comes_out(text: str) -> None:
    clean = clean_text(text)
    assert clean == " ".join(clean.split())
    assert not {unicodedata.category(character) for character in clean} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize("piece", [*PIECES, *ADDRESSES, "{a ", "\\a{{x}", "``a", "`a ", "$a", "\\[", "a-", "{\\a{x}"])
@pytest.mark.timeout(30)  # milliseconds; where a pattern backtracks, hours
def test_a_hostile_text_comes_to_its_end(piece: str) -> None:
    once = clean_text(piece * 3000)
    assert clean_text(once) == once


def recorded(shared: Path) -> tuple[list[str], list[str]]:
    days = [json.loads(path.read_text("utf-8")) for path in sorted((shared / "hf_daily_papers").glob("*.json"))]
    papers = [item for day in days for item in day]
    titles = [title for item in papers for title in (item["paper"]["title"], item.get("title", ""))]
    return titles, [item["paper"]["summary"] for item in papers]


def test_recorded_texts_keep_their_digits_and_signs(shared: Path) -> None:
    titles, abstracts = recorded(shared)
    assert len(abstracts) > 800
    for raw in titles + abstracts:
        clean = clean_text(raw)
        assert clean_text(clean) == clean
        assert [clean.count(sign) for sign in "<&%"] == [raw.count(sign) for sign in "<&%"]
        assert digits(clean) == digits(re.sub(r" ?\{https?://[^{}]*\}", "", raw))


def test_recorded_titles_hold_no_tex_any_more(shared: Path) -> None:
    titles, abstracts = recorded(shared)
    assert not [title for title in map(clean_text, titles) if re.search(r"\\[A-Za-z]|[{}]|\$[^$]+\$", title)]
    assert not [abstract for abstract in map(clean_text, abstracts) if re.search(r"\\|``|\dtimes|\bsim\d", abstract)]


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (None, None),
        ("", None),
        ("https://a.io/x", "https://a.io/x"),
        (" https://a.io/x\n", "https://a.io/x"),
        ("https://a.io/\n  x", "https://a.io/x"),
        ("http://a.io:8080/?q=1#top", "http://a.io:8080/?q=1#top"),
        ("https://a.io/@name", "https://a.io/@name"),
        ("https://a.io/x\nhttps://b.io/y", None),
        ("ftp://a.io/x", None),
        ("javascript:alert(1)", None),
        ("java\nscript:alert(1)", None),
        ("//a.io/x", None),
        ("https:///x", None),
        ("https://name:word@a.io/x", None),
        ("https://name@a.io/x", None),
        ("https://a.io\\@b.io/", None),
        ('https://a.io/"><b>', None),
        ("https://a.io/\x00x", None),
        ("https://a.io/\u202ex", None),
        ("https://[a.io/", None),
        ("https://a.io:port/", None),
    ],
)
def test_only_a_plain_web_address_becomes_a_link(raw: str | None, clean: str | None) -> None:
    assert clean_url(raw) == clean


@thorough
@given(tex | st.builds("https://{}".format, st.text(max_size=12)))
def test_a_cleaned_address_is_clean(text: str) -> None:
    url = clean_url(text)
    assert url is None or (clean_url(url) == url and url.lower().startswith(("http://", "https://")))
