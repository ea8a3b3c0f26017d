"""Tell text that holds a card number.

The danger: a storefront puts a card number into a note or metadata, and from then on every log, backup
and event that copies it is in the scope of PCI DSS. So a request that holds one is refused unread.

A number counts when it stands alone (no letter or digit touches it), is written in one run or in the
groups printed on cards, has a length its issuer range uses (ISO/IEC 7812) and a right check digit
(Luhn). What is merely long, such as a UUID, a hash, a time stamp or an article number, does not.
"""

import re

# The first digit comes first, before the look-behind, so that the search can skip to digits.
_CANDIDATE = re.compile(
    r"[2-6](?<![0-9A-Za-z][2-6])(?:"
    r"[0-9]{12,18}"
    r"|[0-9]{3}(?P<quad>[ -])[0-9]{4}(?P=quad)[0-9]{4}(?P=quad)[0-9]{4}(?:(?P=quad)[0-9]{1,3})?"
    r"|[0-9]{3}(?P<amex>[ -])[0-9]{6}(?P=amex)[0-9]{4,5}"
    r")(?![0-9A-Za-z])"
)
# Sixteen digits in fours, even where a short number, such as a security code, follows.
_GROUPED_BY_FOUR = re.compile(
    r"[2-6](?<![0-9A-Za-z][2-6])"
    r"[0-9]{3}(?P<quad>[ -])[0-9]{4}(?P=quad)[0-9]{4}(?P=quad)[0-9]{4}(?![0-9A-Za-z])"
)
# Issuer ranges and the lengths in use in them.
_ISSUER = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa: 13, 16, 19
    r"|5[1-5][0-9]{14}"  # Mastercard: 16
    r"|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"  # Mastercard, second range: 16
    r"|3[47][0-9]{13}"  # American Express: 15
    r"|3(?:0[0-59]|6[0-9]|[89][0-9])[0-9]{11,16}"  # Diners Club: 14 to 19
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"  # JCB: 16 to 19
    r"|(?:5[06-9]|6[0-9])[0-9]{11,17}"  # Maestro, Discover, UnionPay, RuPay: 13 to 19
)
_SEPARATORS = str.maketrans("", "", " -")
# Twice the digit, its two digits added.
_DOUBLED = str.maketrans("0123456789", "0246813579")
_ARTICLE_NUMBER_DIGITS = 13


def may_hold_card_number(text: str) -> bool:
    """Tell whether `text` has a run of digits worth a look; fast, for a whole request at once."""
    return _CANDIDATE.search(text) is not None


def holds_card_number(text: str) -> bool:
    """Tell whether `text` is, or has inside it as a run of its own, something like a card number."""
    return any(
        _is_card_number(found.group().translate(_SEPARATORS))
        for pattern in (_CANDIDATE, _GROUPED_BY_FOUR)
        for found in pattern.finditer(text)
    )


def without_card_numbers(text: str, *, instead: str) -> str:
    """Return `text` with `instead` in the place of whatever `holds_card_number` finds in it."""
    for pattern in (_CANDIDATE, _GROUPED_BY_FOUR):
        text = pattern.sub(
            lambda found: instead if _is_card_number(found.group().translate(_SEPARATORS)) else found.group(),
            text,
        )
    return text


def _is_card_number(digits: str) -> bool:
    return (
        _ISSUER.fullmatch(digits) is not None
        and _luhn_holds(digits)
        and not (len(digits) == _ARTICLE_NUMBER_DIGITS and _is_article_number(digits))
    )


def _luhn_holds(digits: str) -> bool:
    return sum(map(int, digits[-1::-2] + digits[-2::-2].translate(_DOUBLED))) % 10 == 0


def _is_article_number(digits: str) -> bool:
    """Tell a GTIN-13 (EAN) by its check digit; shops send them as SKUs, and one in ten passes Luhn."""
    total = sum(int(digit) * (3 if position % 2 else 1) for position, digit in enumerate(digits))
    return total % 10 == 0
