"""Text that strangers wrote stays readable and stays data, whatever they put into it."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_tools.outside_text import CLOSE, OPEN, free_text, is_cut, line, unmarked

HIDDEN = ["\u202e", "\u200b", "\ufeff", "\U000e0041", "\U000e0100", "\x00", "\r\n", "\u2028"]
MARKUP = [
    OPEN,
    CLOSE,
    "](",
    "] (",
    "]\n(",
    "![",
    "[",
    "<img",
    "<",
    "javascript:",
    "... (cut here, 9 characters",
]
SNEAKY = st.text() | st.lists(st.sampled_from([*HIDDEN, *MARKUP, "a", " "])).map("".join)
PLAIN = st.characters(codec="ascii", exclude_characters="<[]", min_codepoint=32, max_codepoint=126)
LAWS = settings(derandomize=True, max_examples=500, deadline=None)


@LAWS
@given(SNEAKY)
def test_nothing_that_nobody_sees_comes_through(text: str) -> None:
    shown = free_text(text, 10_000)
    hidden = [char for char in shown if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn")]
    assert set(hidden) <= {"\n"}
    assert not any(0xE0100 <= ord(char) < 0xE01F0 for char in shown)


@LAWS
@given(SNEAKY, st.integers(1, 60))
def test_free_text_cannot_leave_its_marks(text: str, longest: int) -> None:
    shown = free_text(text, longest)
    assert shown[0] == OPEN
    assert shown[-1] == CLOSE
    assert OPEN not in shown[1:-1]
    assert CLOSE not in shown[1:-1]


@LAWS
@given(SNEAKY)
def test_a_name_is_one_line_without_marks(text: str) -> None:
    shown = line(text)
    assert not {OPEN, CLOSE, "\n"} & set(shown)


@LAWS
@given(SNEAKY)
def test_no_markup_that_loads_or_links_is_left(text: str) -> None:
    shown = free_text(text, 10_000)
    assert not re.search(r"<[A-Za-z/!?]", shown)
    assert not re.search(r"\]\(", shown)
    assert not re.search(r"(?i)\bjavascript:", shown)


@LAWS
@given(st.text(PLAIN | st.just("\n")))
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    if not re.search(r"(?i)\b(javascript|data|vbscript):", text):
        assert free_text(text, 10_000) == f"{OPEN}{text}{CLOSE}"
        assert unmarked(free_text(text, 10_000)) == text


@LAWS
@given(SNEAKY)
def test_what_was_cleaned_is_clean(text: str) -> None:
    once = unmarked(free_text(text, 100_000))
    assert unmarked(free_text(once, 100_000)) == once


@LAWS
@given(st.text(st.characters(categories=["L", "N"]), min_size=11))
def test_what_is_cut_says_so_and_how_long_it_was(text: str) -> None:
    shown = free_text(text, 10)
    assert shown.startswith(OPEN + text[:10])
    assert f"{len(text):,} characters in all" in shown
    assert is_cut(shown)
    assert is_cut(unmarked(shown))
    assert not is_cut(free_text(text, len(text)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë Müller, 東京 🚀", "Zoë Müller, 東京 🚀"),
        ("5 < 6 and a<b", "5 < 6 and a< b"),
        ("see https://contoso.example/x?y=1", "see https://contoso.example/x?y=1"),
        ("![x](http://evil.example/?q=secret)", "![x] (http://evil.example/?q=secret)"),
        ("<img src='http://evil.example'>", "< img src='http://evil.example'>"),
        ("Hi\u202e dlrow\u200b", "Hi dlrow"),
        ("first\r\nsecond", "first second"),
    ],
)
def test_texts_are_shown_like_this(text: str, shown: str) -> None:
    assert line(text) == shown
