"""The forms in which a name and a title are compared, from strict to loose."""

from __future__ import annotations

import html
import re
import unicodedata
from html.entities import html5
from typing import NamedTuple

MAX_LENGTH = 500
"""Characters that are compared: some normal forms take time with the square of the length."""

ARTICLES = frozenset({"a", "an", "the"})
"""Left out at any place of a title, as people do."""

LEADING_ARTICLES = frozenset(
    {*("le", "la", "les", "l", "un", "une"), *("der", "das", "ein", "eine")}
    | {*("el", "los", "las", "una"), *("il", "lo", "gli"), *("het", "een")}
)
"""Left out as a first word only. The German "die" is an English word too often."""

_ALL_ARTICLES = "|".join(sorted(ARTICLES | LEADING_ARTICLES | {"die"}))
_LAST_ARTICLE = re.compile(rf"(.+), ({_ALL_ARTICLES})(['’]?)")
_BRACKETS = re.compile(r"\s*\([^()]*\)$")
_SUBTITLE = re.compile(r"\s*(?::| [-–—] )\s*")
_SEPARATOR = re.compile(r"[:,;]| [-–—] ")
_GENERIC_SUBTITLE = re.compile(
    r"(?:\s*[:,;]| [-–—])\s*(?:(?:an?|the|une?|ein)\s+)?(?:graphic |short )?"
    r"(?:novel|novella|memoir|thriller|romance|mystery|play|story|stories|poems|biography|"
    r"autobiography|roman|récit|recit|novela|romanzo)$"
)
_MIN_MAIN_WORDS = 5
"""Words, without articles, of a title that is one without any subtitle. Shorter ones are often the
names of series, whose subtitles tell the volumes apart: "Diary of a Wimpy Kid: Rodrick Rules"."""

_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
_TAG = re.compile(r"</?(?:b|i|em|strong|small|sub|sup|u|br|p|span)\s*/?>")
_ELISION = re.compile(r"\b([dl])['’](?=\w)")
_DIGIT_GROUP = re.compile(r"(?<=\d)[,.](?=\d{3}\b)")
_INITIALS = re.compile(r"(?<=\b[a-z])\.(?: ?(?=[a-z]\.)|(?=[a-z]\b))")
_PUNCTUATION = re.compile(r"[^\w\s&#%@$+<=>^`|~]|_")
_AND = (" and ", " et ", " und ", " y ")


class _CharacterMap(dict[int, str]):
    """Maps each character of a decomposed text to what is compared of it, when it is first seen."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if character in "'’‘ʼ´" or _is_accent(code):
            plain = ""
        elif character == "&":
            plain = " & "
        elif category.startswith("P") and character not in "#%@":
            plain = " "
        else:
            plain = _LETTERS.get(character, character)
        self[code] = plain
        return plain


_LETTERS = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
"""Letters with a plain form that Unicode does not decompose."""


def _is_accent(code: int) -> bool:
    """Says whether a combining mark can be left out.

    That is so in Latin, Greek, Cyrillic, Hebrew and Arabic. In Japanese and in the scripts of India
    such a mark makes another letter.
    """
    return (
        0x300 <= code <= 0x36F
        or 0x1AB0 <= code <= 0x1AFF
        or 0x1DC0 <= code <= 0x1DFF
        or 0x591 <= code <= 0x5C7
        or 0x64B <= code <= 0x65F
    ) and unicodedata.category(chr(code)) == "Mn"


_CHARACTERS = _CharacterMap()


def clean(text: str) -> str:
    """Leaves out what a console does not show: control characters, repeated white space.

    A title is the same before and after it was printed, with or without the replacement characters
    that the console shows instead of control characters.

    Example:
        >>> clean("Dune\\x1b[2J   Messiah\\n") == clean("Dune\\ufffd[2J Messiah")
        True
    """
    if text.isprintable() and "\N{REPLACEMENT CHARACTER}" not in text:
        return " ".join(text.split())
    characters = [
        character
        for character in text
        if character in "\t\n"
        or (
            unicodedata.category(character) not in ("Cc", "Cf", "Cs")
            and character != "\N{REPLACEMENT CHARACTER}"
        )
    ]
    # Of a title that has nothing else, the console shows the replacement characters.
    is_blank = not text.strip()
    return " ".join("".join(characters).split()) or (
        "" if is_blank else "\N{REPLACEMENT CHARACTER}"
    )


def fold_case(text: str) -> str:
    """Normalizes Unicode form, case, white space and HTML entities, of the first `MAX_LENGTH`.

    Example:
        >>> fold_case("Flesh  &amp; BLOOD")
        'flesh & blood'
    """
    text = clean(text[: 4 * MAX_LENGTH])[:MAX_LENGTH]
    if "&" in text:
        # Twice, as programs that encode what is encoded already are common.
        text = _ENTITY.sub(_decode_entity, _ENTITY.sub(_decode_entity, text))
    if text.isascii():
        return " ".join(text.lower().split())
    folded_text = unicodedata.normalize("NFKC", text).casefold()
    # Case folding can break the normal form: normalize again.
    return " ".join(unicodedata.normalize("NFKC", folded_text).split())


def _decode_entity(entity: re.Match[str]) -> str:
    """Decodes a complete entity; an unknown name stays as it is."""
    name = entity[0][1:]
    return html.unescape(entity[0]) if name.startswith("#") or name in html5 else entity[0]


def simplify(text: str) -> str:
    """Leaves out accents, punctuation and tags as well, and writes "and" as "&".

    Example:
        >>> simplify("Wind-Up Bird and Café, The")
        'the wind up bird & cafe'
    """
    folded_text = fold_case(text)
    return _simplify_folded(folded_text) or folded_text


def strip_articles(text: str) -> str:
    """Simplifies a name and leaves out its articles and a subtitle such as "a novel".

    Example:
        >>> strip_articles("The Good Life: A Novel")
        'good life'
    """
    folded_text = fold_case(text)
    simple_text = _simplify_folded(_strip_generic_subtitle(folded_text))
    return _strip_articles(simple_text or folded_text)


def get_article(text: str) -> str:
    """Returns the article with which a name or a title begins; empty if it has none.

    Example:
        >>> get_article("Doll's House, The")
        'the'
    """
    first_word = simplify(text).partition(" ")[0]
    return first_word if first_word in ARTICLES | LEADING_ARTICLES else ""


class TitleForms(NamedTuple):
    """The forms of a title of the catalog, from strict to loose.

    Attributes:
        folded_text: As `fold_case`.
        simple: As `simplify`.
        bracketless: As `simplify`, without a suffix in brackets: the series, in many catalogs.
        bare: As `strip_articles`, also without brackets.
        main: The same without any subtitle. Empty if there is none, or if it may be what tells the
            volumes of a series apart.

    Example:
        >>> TitleForms.from_text("The Hunger Games (The Hunger Games, #1)")[2:]
        ('the hunger games', 'hunger games', '')
        >>> TitleForms.from_text("Sapiens: A Brief History of Humankind").main
        'sapiens'
        >>> TitleForms.from_text("Dune: House Atreides").main
        ''
    """

    folded_text: str
    simple: str
    bracketless: str
    bare: str
    main: str

    @classmethod
    def from_text(cls, title: str) -> TitleForms:
        """Computes all forms at once, which takes half the time of doing so one by one."""
        folded_text = fold_case(title)
        simple = _simplify_folded(folded_text) or folded_text
        # Library catalogs separate title and author by " /".
        text = _BRACKETS.sub("", folded_text) if folded_text.endswith(")") else folded_text
        text = text.rstrip(" /")
        bracketless = (simple if text == folded_text else _simplify_folded(text)) or simple
        title_text = _strip_generic_subtitle(text)
        bare = bracketless if title_text == text else _simplify_folded(title_text) or simple
        return cls(folded_text, simple, bracketless, _strip_articles(bare), _strip_subtitle(text))


def _strip_generic_subtitle(text: str) -> str:
    return _GENERIC_SUBTITLE.sub("", text) if _SEPARATOR.search(text) else text


def _strip_subtitle(text: str) -> str:
    if not _SUBTITLE.search(text):
        return ""
    main, subtitle = _SUBTITLE.split(text, maxsplit=1)
    if any(map(str.isdigit, subtitle)):
        return ""
    main = _strip_articles(_simplify_folded(main))
    is_description = subtitle.startswith(("a ", "an "))
    return main if is_description or len(main.split()) >= _MIN_MAIN_WORDS else ""


def _simplify_folded(text: str) -> str:
    # Most titles are plain words.
    if not (text.isascii() and text.replace(" ", "").isalnum()):
        text = _TAG.sub(" ", text) if "<" in text else text
        if ", " in text and (last_article := _LAST_ARTICLE.fullmatch(text)):
            text = last_article.expand(r"\2\3 \1")
        if "." in text or "," in text:
            text = _INITIALS.sub("", _DIGIT_GROUP.sub("", text))
        if "'" in text or "’" in text:
            text = _ELISION.sub(r"\1 ", text)
        if text.isascii():
            text = _PUNCTUATION.sub(" ", text.replace("'", "").replace("&", " & "))
            text = " ".join(text.split())
        else:
            text = unicodedata.normalize("NFKD", text).translate(_CHARACTERS)
            text = unicodedata.normalize("NFC", " ".join(text.split()))
    for word in _AND:
        text = text.replace(word, " & ")
    return text


def _strip_articles(simple_text: str) -> str:
    words = simple_text.split()
    rest = words[1:] if words and words[0] in LEADING_ARTICLES else words
    return " ".join([word for word in rest if word not in ARTICLES] or words)
