"""Names for any number of companies, no two of them the same.

There are two families of names, each with a short and a long form: "Cedar Logistics" and "Cedar Ridge
Logistics", "Keller Engineering" and "Keller & Sato Engineering". The number of a company decides the family
and the form; a permutation of the numbers decides the words, so that neighbours have nothing in common. Names
begin to repeat beyond two million.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from crm_sandbox.company.dice import Dice
from crm_sandbox.company.person_names import CULTURES, Name
from crm_sandbox.company.words import KINDS, SECONDS, STEMS

_STEMS = tuple(Name(word, word.lower()) for word in STEMS)
_SECONDS = tuple(Name(word, word.lower()) for word in SECONDS)
_FAMILIES = tuple(
    {
        name.text: name for culture in CULTURES.values() for name in culture.last if " " not in name.text
    }.values()
)
_GOLDEN = 0.618033988749895


@dataclass(frozen=True, slots=True)
class CompanyName:
    """A name without its legal form, its domain's first part, and the industry that it tells of."""

    text: str
    domain: str
    industry: int


class CompanyNames:
    """The names of the companies of a seed, by number."""

    def __init__(self, seed: int) -> None:
        dice = Dice(seed, "company names")
        short_stems, short_families = len(_STEMS) * len(KINDS), len(_FAMILIES) * len(KINDS)
        self._stem_short = _Permutation(short_stems, dice)
        self._stem_long = _Permutation(short_stems * len(_SECONDS), dice)
        self._family_short = _Permutation(short_families, dice)
        self._family_long = _Permutation(short_families * (len(_FAMILIES) - 1), dice)

    def name(self, number: int) -> CompanyName:
        """The name of a company."""
        number, family = divmod(number, 2)
        wants_long = number % 3 == 2
        if family:
            return self._family(number, is_long=wants_long or number >= self._family_short.size)
        return self._stem(number, is_long=wants_long or number >= self._stem_short.size)

    def _stem(self, number: int, *, is_long: bool) -> CompanyName:
        place = (self._stem_long if is_long else self._stem_short).of(number)
        place, index = divmod(place, len(_STEMS))
        place, activity = divmod(place, len(KINDS))
        stem, (kind, industry) = _STEMS[index], KINDS[activity]
        if not is_long:
            return CompanyName(f"{stem.text} {kind}", stem.mail + kind.lower(), industry)
        second = _SECONDS[place]
        return CompanyName(
            f"{stem.text} {second.text} {kind}", stem.mail + second.mail + kind.lower(), industry
        )

    def _family(self, number: int, *, is_long: bool) -> CompanyName:
        place = (self._family_long if is_long else self._family_short).of(number)
        place, index = divmod(place, len(_FAMILIES))
        place, activity = divmod(place, len(KINDS))
        first, (kind, industry) = _FAMILIES[index], KINDS[activity]
        if not is_long:
            return CompanyName(f"{first.text} {kind}", first.mail + kind.lower(), industry)
        partner = _FAMILIES[(index + 1 + place) % len(_FAMILIES)]
        return CompanyName(f"{first.text} & {partner.text} {kind}", f"{first.mail}-{partner.mail}", industry)


class _Permutation:
    """The numbers below a size in an order that looks like none."""

    def __init__(self, size: int, dice: Dice) -> None:
        self.size = size
        self._step = _coprime(int(size * _GOLDEN) + dice.below(size // 8), size)
        self._start = dice.below(size)

    def of(self, number: int) -> int:
        """The number that stands at a place."""
        return (number * self._step + self._start) % self.size


def _coprime(step: int, size: int) -> int:
    while gcd(step, size) != 1:
        step += 1
    return step
