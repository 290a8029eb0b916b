"""Splits a wording into tokens, with the digits of every script as ASCII digits."""

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

MAX_WORDING_CHARACTERS: Final = 200
"""Longer texts are sentences, not wordings. The limit also bounds the time of reading."""

TokenKind = Literal["number", "fraction", "word", "sign", "note"]


class UnusableCharacters(ValueError):
    """Characters that make the digits of a wording uncertain."""


@dataclass(frozen=True, slots=True)
class Token:
    """A part of a wording. `is_spaced`: white space precedes it. `start` and `end` are its place in `normalized`."""

    kind: TokenKind
    text: str
    start: int
    end: int
    is_spaced: bool


_FULLWIDTH_START, _FULLWIDTH_END, _FULLWIDTH_SHIFT = 0xFF01, 0xFF5E, 0xFEE0
_ASCII_ZERO, _FULLWIDTH_ZERO = 0x30, 0xFF10
_HYPHENS: Final = "‐‑−﹣"
_DASHES: Final = "‒–—―"
_APOSTROPHES: Final = "’ʼ‘´′＇"
_IGNORED_MARKS: Final = "\u200e\u200f\u061c\u2066\u2067\u2068\u2069\u202a\u202b\u202c\ufeff"
_PLAIN_CHARACTERS: Final = str.maketrans(
    dict.fromkeys(_HYPHENS, "-")
    | dict.fromkeys(_DASHES, "–")
    | dict.fromkeys(_APOSTROPHES, "'")
    | dict.fromkeys(_IGNORED_MARKS, "")
    | {"〜": "~", "～": "~", "٪": "%", "﹪": "%", "⁄": "/", "∕": "/", "，": ",", "、": ","}
)
_TOKEN: Final = re.compile(
    r"""
    (?P<note>\[(?:[0-9]{1,3}|[a-z])\]|[*†‡]++|(?<=[0-9])[¹²³⁰⁴-⁹]++)
    |(?P<number>[0-9]++(?:[.,'٬٫][0-9]++)*+(?:\ [0-9]{3}(?![0-9]))*+(?:[.,٫][0-9]++)?+)
    |(?P<fraction>[¼-¾⅐-⅞])
    |(?P<word>[cdhkm]?m[23](?![0-9])|[぀-ヿ㐀-鿿豈-﫿가-힣]|°[cfс]|(?:[dl]|qu)'(?=[^\W_])|[^\W\d_぀-ヿ㐀-鿿豈-﫿가-힣]++(?:'[^\W\d_]++)*+'?[²³]?|\.\.\.)
    |(?P<sign>>=|<=|u\.s\.\$|\S)
    """,
    re.VERBOSE,
)
_ZERO_WIDTH_CATEGORY: Final = "Cf"
_SPACE_CATEGORIES: Final = ("Zs", "Zl", "Zp")


def normalize(text: str) -> str:
    """Return a text in lower case, with ASCII digits, spaces, hyphens and apostrophes.

    Raises `UnusableCharacters` for digits of two scripts, and for invisible characters, which may hide a digit group.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    characters: list[str] = []
    scripts: set[int] = set()
    for character in unicodedata.normalize("NFC", text).translate(_PLAIN_CHARACTERS):
        code = ord(character)
        if character.isdecimal():
            digit = unicodedata.decimal(character)
            scripts.add(_ASCII_ZERO if code - digit == _FULLWIDTH_ZERO else code - digit)
            characters.append(str(digit))
        elif _FULLWIDTH_START <= code <= _FULLWIDTH_END:
            characters.append(chr(code - _FULLWIDTH_SHIFT))
        elif unicodedata.category(character) in _SPACE_CATEGORIES or character in "\t\n\r":
            characters.append(" ")
        elif unicodedata.category(character) == _ZERO_WIDTH_CATEGORY:
            raise UnusableCharacters("It contains invisible characters.")
        else:
            characters.append(character.lower())
    if len(scripts) > 1:
        raise UnusableCharacters("It has digits of more than one script.")
    return " ".join("".join(characters).split())


def tokenize(normalized: str) -> list[Token]:
    """Return the tokens of a normalized text.

    A hyphen between two words joins them like a space ("twenty-one"), and a full stop after a word belongs to it.
    French elisions are words of their own: "d'un", "d'1,2 million".
    """
    tokens: list[Token] = []
    end = 0
    for match in _TOKEN.finditer(normalized):
        kind, text = match.lastgroup, match.group()
        is_spaced = match.start() > end or not tokens
        end = match.end()
        previous = tokens[-1] if tokens else None
        follows_word = previous is not None and previous.kind == "word" and not is_spaced
        if kind == "sign" and follows_word and (text == "." or (text == "-" and normalized[end : end + 1].isalpha())):
            continue
        if kind == "word" and text == "...":
            kind = "sign"
        tokens.append(Token(kind, text, match.start(), end, is_spaced))  # type: ignore[arg-type] # the groups are the kinds
    return tokens


def fraction_of(character: str) -> Fraction:
    """Return the value of a character such as ½."""
    return Fraction(unicodedata.numeric(character)).limit_denominator(10)
