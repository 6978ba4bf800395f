"""Text that strangers wrote, made safe to show: it stays readable and stays data.

What a web form or an e-mail brought into the CRM may try to hide something from people, to load or link
something where it is shown, or to pass for an instruction. So characters that nobody sees are taken out,
markup is broken, free text stands between marks that it cannot contain, and what is cut says how long it was.
"""

from __future__ import annotations

import re
import unicodedata

OPEN, CLOSE = "⟦", "⟧"
"""The marks round free text. Inside it they become plain brackets."""
LONGEST_IN_LIST = 400
LONGEST_ALONE = 20_000
_LONGEST_LABEL = 500

_KEPT = frozenset("\n")
_NEW_LINES = re.compile(r"\r\n?|[\u0085\u2028\u2029\v\f]")
# Variation selectors that no emoji needs; each stands for a byte that nobody sees.
_SELECTORS = range(0xE0100, 0xE01F0)
_MARKS = str.maketrans({OPEN: "[", CLOSE: "]"})
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_SPACED_TARGET = re.compile(r"\]\s+(?=[(\[:])")
_BEFORE_TARGET = re.compile(r"\](?=[(\[:])")
_SCHEME = re.compile(r"\b(javascript|data|vbscript):", re.IGNORECASE)
_RISKY = re.compile(r"[<\]]|(?:javascript|data|vbscript):", re.IGNORECASE)
_CUT = re.compile(r"\.\.\. \(cut here, [\d,]+ characters in all\)$")


def line(text: str) -> str:
    """A name or another short text, on one line."""
    return _shortened(" ".join(_cleaned(text).split("\n")), _LONGEST_LABEL)


def free_text(text: str, longest: int) -> str:
    """A text of many lines, between its marks and at most so long."""
    return f"{OPEN}{_shortened(_cleaned(text), longest)}{CLOSE}"


def unmarked(text: str) -> str:
    """A text as it was before :func:`free_text`: what a model copies back is written without the marks."""
    inner = text.strip()
    return inner[len(OPEN) : -len(CLOSE)] if inner.startswith(OPEN) and inner.endswith(CLOSE) else text


def is_cut(text: str) -> bool:
    """Whether this is a text that was shortened here, and so is not the whole."""
    return _CUT.search(unmarked(text)) is not None


def _shortened(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest]}... (cut here, {len(text):,} characters in all)"


def _cleaned(text: str) -> str:
    # Nearly every text needs nothing, and each answer has many.
    if text.isascii() and text.isprintable() and not _RISKY.search(text):
        return text
    text = _NEW_LINES.sub("\n", text).replace("\t", " ")
    visible = "".join(char for char in text if char in _KEPT or not _is_hidden(char))
    return _without_markup(visible.translate(_MARKS))


def _is_hidden(char: str) -> bool:
    """Control and format characters: bidirectional, zero-width and tag characters, and what is no character.

    https://www.unicode.org/reports/tr36/, https://www.unicode.org/reports/tr44/#General_Category_Values
    """
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn") or ord(char) in _SELECTORS


def _without_markup(text: str) -> str:
    """Break what a viewer would load or turn into a link: HTML tags, links and images of Markdown."""
    text = _TAG.sub("< ", text)
    text = _BEFORE_TARGET.sub("] ", _SPACED_TARGET.sub("]", text))
    return _SCHEME.sub(r"\1 :", text)
