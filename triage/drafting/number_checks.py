"""Numbers that prove themselves: the check digits of cards, bank accounts and national ids. Pure arithmetic."""

import re
from collections.abc import Callable
from dataclasses import dataclass

#: First digits of card numbers, with the lengths that they have.
CARDS = (
    (re.compile(r"4"), (13, 16, 19)),
    (re.compile(r"5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)"), (16,)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"3(?:0[0-5]|[689])"), (14, 16)),
    (re.compile(r"6(?:011|4[4-9]|5)|35|62"), (16, 17, 18, 19)),
    (re.compile(r"5[0678]|6"), (13, 14, 15, 16, 17, 18, 19)),
)
#: Countries by the characters of their IBAN (ISO 13616 registry).
IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KZ LT LU XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU",
    31: "MT SC",
    32: "LC",
}
IBAN_LENGTHS = {country: length for length, countries in IBAN_COUNTRIES.items() for country in countries.split()}


@dataclass(frozen=True, slots=True)
class NationalId:
    """How an id of one country is written, what proves it, and whether a word in front must say what it is."""

    name: str
    shape: re.Pattern[str]
    is_right: Callable[[str], bool]
    needs_word: bool = False


def is_card(digits: str) -> bool:
    """Tell whether 13 to 19 digits have a card's prefix, the length that goes with it, and a right last digit."""
    lengths = next((lengths for prefix, lengths in CARDS if prefix.match(digits)), ())
    return len(digits) in lengths and len(set(digits)) > 1 and passes_luhn(digits)


def passes_luhn(digits: str) -> bool:
    """Tell whether the last digit is right (ISO/IEC 7812-1, annex B)."""
    doubled = (int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits)))
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def is_iban(characters: str) -> bool:
    """Tell whether an IBAN without spaces has its country's length and the remainder 1 (ISO 13616, ISO 7064)."""
    if IBAN_LENGTHS.get(characters[:2].upper()) != len(characters):
        return False
    return int("".join(str(int(char, 36)) for char in characters[4:] + characters[:4])) % 97 == 1


def _ssn(digits: str) -> bool:
    return digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def _german_tax_id(digits: str) -> bool:
    """ISO 7064 mod 11,10; one or two of the first ten digits repeat."""
    if not 8 <= len(set(digits[:10])) <= 9:
        return False
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def _national_insurance(value: str) -> bool:
    return value[:2] not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ")


def _dni(value: str) -> bool:
    digits = value[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == value[-1]


def _bsn(digits: str) -> bool:
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11 == 0


def _codice_fiscale(value: str) -> bool:
    odd = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", ODD_VALUES, strict=True))
    even = {char: int(char) if char.isdigit() else ord(char) - 65 for char in odd}
    total = sum(odd[char] if at % 2 == 0 else even[char] for at, char in enumerate(value[:15]))
    return chr(65 + total % 26) == value[15]


#: Of the characters in odd places of an Italian tax code: 0 to 9, then A to Z.
ODD_VALUES = (
    *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21),
    *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
)


def _nir(digits: str) -> bool:
    return 97 - int(digits[:13]) % 97 == int(digits[13:])


def _cpf(digits: str) -> bool:
    if len(set(digits)) == 1:
        return False
    checks = (
        sum(int(d) * w for d, w in zip(digits, range(size + 1, 1, -1), strict=False)) * 10 % 11 % 10 for size in (9, 10)
    )
    return "".join(map(str, checks)) == digits[9:]


def _ahv(digits: str) -> bool:
    return sum(int(digit) * (1 + 2 * (at % 2)) for at, digit in enumerate(digits)) % 10 == 0


def _tfn(digits: str) -> bool:
    weights = (1, 4, 3, 7, 5, 8, 6, 9, 10)
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11 == 0


def _aadhaar(digits: str) -> bool:
    """Verhoeff's check: the dihedral group of ten, digits permuted by their place."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[value]
        total = _dihedral(total, value)
    return total == 0


def _dihedral(left: int, right: int) -> int:
    if left < 5:
        return (left + right) % 5 + 5 * (right >= 5)
    return (left - right) % 5 + (5 if right < 5 else 0)


def _anything(_: str) -> bool:
    return True


def _shape(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-])(?<!\d[ /])(?:{pattern})(?![\w-]| ?\d)")


NATIONAL_IDS = (
    NationalId("US social security", _shape(r"\d{3}-\d{2}-\d{4}"), _ssn),
    NationalId("US social security", _shape(r"\d{3} \d{2} \d{4}|\d{9}"), _ssn, needs_word=True),
    NationalId("DE tax id", _shape(r"[1-9]\d \d{3} \d{3} \d{3}"), _german_tax_id),
    NationalId("DE tax id", _shape(r"[1-9]\d{10}"), _german_tax_id, needs_word=True),
    NationalId(
        "GB national insurance",
        _shape(r"(?i:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D])"),
        _national_insurance,
    ),
    NationalId("ES DNI or NIE", _shape(r"(?i:(?:\d{8}|\d\d\.\d{3}\.\d{3}|[XYZ]-?\d{7})[ -]?[A-Z])"), _dni),
    NationalId("NL BSN", _shape(r"\d{9}|\d{4}[ .]\d\d[ .]\d{3}"), _bsn, needs_word=True),
    NationalId("IT codice fiscale", _shape(r"(?i:[A-Z]{6}\d\d[A-EHLMPR-T]\d\d[A-Z]\d{3}[A-Z])"), _codice_fiscale),
    NationalId("FR NIR", _shape(r"[12] ?\d\d ?\d\d ?\d\d ?\d{3} ?\d{3} ?\d\d"), _nir),
    NationalId("BR CPF", _shape(r"\d{3}\.\d{3}\.\d{3}-\d\d"), _cpf),
    NationalId("BR CPF", _shape(r"\d{11}"), _cpf, needs_word=True),
    NationalId("CH AHV", _shape(r"756\.\d{4}\.\d{4}\.\d\d|756\d{10}"), _ahv),
    NationalId("CA social insurance", _shape(r"\d{3}[ -]?\d{3}[ -]?\d{3}"), passes_luhn, needs_word=True),
    NationalId("AU tax file number", _shape(r"\d{3} ?\d{3} ?\d{3}"), _tfn, needs_word=True),
    NationalId("IN Aadhaar", _shape(r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}"), _aadhaar, needs_word=True),
    NationalId("IN PAN", _shape(r"(?i:[A-Z]{5}\d{4}[A-Z])"), _anything, needs_word=True),
)
