"""Which column of an export holds what, by its name and by what stands in it. A guess says why it was made."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from eval.loaders.columns import Columns
from eval.loaders.rule_files import plain_letters
from triage.tickets import MAX_TEXT

UNUSED = ""
#: What a column can be besides a field of labels.
ROLES = ("subject", "body", "reply", "id", "language")
#: Names in plain letters, the surest first; what needs the better name chooses first.
NAMES: Mapping[str, tuple[str, ...]] = {
    "subject": (
        "subject", "betreff", "sujet", "objet", "asunto", "title", "titel", "titre", "titulo", "summary", "headline",
        "short description", "kurzbeschreibung", "zusammenfassung",
    ),
    "body": (
        "body", "description", "text", "message", "beschreibung", "nachricht", "texte", "texto", "content", "inhalt",
        "contenu", "contenido", "descripcion", "mensaje", "cuerpo", "corps", "anfrage", "question", "frage", "pregunta",
        "query", "utterance", "problem description", "comment", "comments", "kommentar", "details",
    ),
    "category": (
        "category", "kategorie", "categorie", "categoria", "type", "typ", "tipo", "art", "intent", "label", "topic",
        "class", "klasse", "issue type", "ticketart", "thema", "anliegen", "product area",
    ),
    "team": (
        "team", "queue", "group", "department", "abteilung", "warteschlange", "gruppe", "assignment group", "equipe",
        "groupe", "equipo", "grupo", "departamento", "service desk", "bereich", "zustandigkeit",
    ),
    "priority": (
        "priority", "prioritat", "prioritaet", "prio", "dringlichkeit", "urgency", "severity", "priorite", "prioridad",
        "urgence", "urgencia", "wichtigkeit",
    ),
    "reply": (
        "reply", "answer", "antwort", "response", "reponse", "respuesta", "resolution", "solution", "losung",
        "loesung", "resolution notes", "agent reply",
    ),
    "language": ("language", "sprache", "lang", "langue", "idioma", "locale"),
    "id": (
        "id", "ticket id", "ticketid", "ticketnummer", "ticket number", "ticket", "number", "nummer", "nr", "key",
        "issue key", "case number", "case id", "vorgangsnummer", "numero", "reference",
    ),
}  # fmt: skip
#: Few different values, but of how a ticket was handled, not of what it says.
_HANDLING = (
    "status state zustand stand channel kanal source quelle via origin split agent assignee owner bearbeiter language "
    "lang sprache tags country land satisfaction"
)
HANDLING = frozenset(_HANDLING.split())
LANGUAGE_CODE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
NUMBERED = re.compile(r"[^\W\d_]{0,10}[-#_/ ]?\d+")
DATE = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}")
MAX_SUBJECT, MAX_ID, MAX_LABEL = 1_000, 128, 100


@dataclass(frozen=True)
class Guess:
    """What a column is taken for: one of `ROLES`, the name of a field, or `UNUSED`; `reason` says why."""

    column: str
    role: str
    reason: str


@dataclass(frozen=True)
class Guesses:
    r"""A guess for every column, in the order of the header. literal_newlines: how many texts hold "\n" as two letters.

    It is 0 where the texts have proper line ends more often.
    """

    columns: tuple[Guess, ...]
    literal_newlines: int = 0

    def having(self, role: str) -> list[str]:
        """Return the columns of a role."""
        return [guess.column for guess in self.columns if guess.role == role]

    def with_role(self, column: str, role: str, reason: str) -> "Guesses":
        """Return the guesses with another one for a column; a column that had that role loses it, bodies apart."""
        alone = role not in (UNUSED, "body")
        changed = []
        for guess in self.columns:
            if guess.column == column:
                guess = Guess(column, role, reason)
            elif alone and guess.role == role:
                guess = Guess(guess.column, UNUSED, f"{column} is the {role}")
            changed.append(guess)
        return replace(self, columns=tuple(changed))

    def as_columns(self) -> Columns:
        """Return what the reader of columns is told."""
        first = {role: next(iter(self.having(role)), "") for role in ROLES}
        labels = {guess.role: guess.column for guess in self.columns if guess.role not in (UNUSED, *ROLES)}
        text = [*self.having("subject"), *self.having("body")]
        return Columns(text, labels, first["reply"], first["id"], first["language"], self.literal_newlines > 0)


@dataclass(frozen=True)
class ColumnFacts:
    """What the values of a column are like; lengths in characters, `words` per filled value on average."""

    rows: int
    filled: int
    distinct: int
    longest: int
    words: float
    texts: int
    codes: int
    numbered: int
    dates: int

    @classmethod
    def of(cls, values: Sequence[str]) -> "ColumnFacts":
        """Look at the values of a column. texts: with a letter; codes: of a language; numbered: as "T-17"."""
        filled = [value.strip() for value in values if value.strip()]
        return cls(
            rows=len(values),
            filled=len(filled),
            distinct=len(set(filled)),
            longest=max(map(len, filled), default=0),
            words=sum(len(value.split()) for value in filled) / max(1, len(filled)),
            texts=sum(any(map(str.isalpha, value)) for value in filled),
            codes=sum(LANGUAGE_CODE.fullmatch(value) is not None for value in filled),
            numbered=sum(NUMBERED.fullmatch(value) is not None for value in filled),
            dates=sum(DATE.match(value) is not None for value in filled),
        )

    @property
    def repeats(self) -> bool:
        """Few different values, each short: what labels are like."""
        return 0 < self.distinct <= max(12, self.filled // 4) and self.longest <= MAX_LABEL and self.distinct <= 1_000

    @property
    def says_much(self) -> bool:
        """Mostly different texts of several words: what messages are like."""
        return self.filled > 0 and self.words >= 3 and self.distinct > self.filled / 2 and self.texts > self.filled / 2


#: What must be true of a column's values, whatever its name, and what is said where it is not.
Test = tuple[Callable[[ColumnFacts], bool], str]
WORDY: Test = (lambda facts: facts.filled > 0 and facts.texts > facts.filled / 2, "it holds few words")
LABELS: Test = (lambda facts: facts.repeats, "it holds too many different or too long values for labels")
TESTS: Mapping[str, Test] = {
    "subject": (
        lambda facts: WORDY[0](facts) and facts.longest <= MAX_SUBJECT,
        "it holds few words, or very long ones",
    ),
    "body": (lambda facts: WORDY[0](facts) and not (facts.words < 2 and facts.repeats), WORDY[1]),
    "category": LABELS,
    "team": LABELS,
    "priority": LABELS,
    "reply": (lambda facts: WORDY[0](facts) and facts.words >= 2 and facts.longest <= MAX_TEXT, WORDY[1]),
    "language": (lambda facts: facts.filled == facts.codes > 0, 'its values are no codes such as "en" or "de-AT"'),
    "id": (
        lambda facts: facts.rows == facts.distinct and 0 < facts.longest <= MAX_ID and facts.words < 3,
        "its values are not all different, or texts",
    ),
}


def guess_columns(header: Sequence[str], sample: Sequence[Mapping[str, str]]) -> Guesses:
    """Return what each column seems to be. sample: records, all of them where ids are to be told surely.

    A name counts only where the values agree with it; without a name the longest mostly different text is the body,
    the one column of few different values the category, and a first column of differing numbers the id.
    """
    facts = {column: ColumnFacts.of([record[column] for record in sample]) for column in header}
    found: dict[str, Guess] = {}
    for role in NAMES:
        named = sorted((rank, place) for place, column in enumerate(header) if (rank := _rank(column, role)))
        for _, place in named:
            column = header[place]
            if column in found and found[column].role != UNUSED:
                continue
            fits, fault = TESTS[role]
            if role in {guess.role for guess in found.values()}:
                found.setdefault(column, Guess(column, UNUSED, f"there is a better {role}"))
            elif fits(facts[column]):
                found[column] = Guess(column, role, "by its name")
            else:
                found.setdefault(column, Guess(column, UNUSED, f"named like the {role}, but {fault}"))
    _guess_by_content(header, facts, found)
    guesses = tuple(found.get(column) or Guess(column, UNUSED, _looks(facts[column])) for column in header)
    return Guesses(guesses, literal_newlines(guesses, sample))


def literal_newlines(guesses: Sequence[Guess], sample: Sequence[Mapping[str, str]]) -> int:
    r"""Return in how many bodies a line's end is a backslash and an n; 0 where proper line ends are as common."""
    texts = [record[guess.column] for guess in guesses if guess.role == "body" for record in sample]
    literal = sum("\\n" in text for text in texts)
    return literal if literal > len(texts) / 100 and literal > sum("\n" in text for text in texts) else 0


def _guess_by_content(header: Sequence[str], facts: Mapping[str, ColumnFacts], found: dict[str, Guess]) -> None:
    """Add guesses for the roles that no name settled."""
    taken = {guess.role for guess in found.values()}
    free = [column for column in header if column not in found or found[column].role == UNUSED]
    if "body" not in taken:
        texts = [column for column in free if facts[column].says_much]
        if texts:
            longest = max(texts, key=lambda column: facts[column].words)
            found[longest] = Guess(longest, "body", f"by its long texts, {facts[longest].words:.0f} words on average")
    if "category" not in taken:
        labels = [column for column in free if _may_be_category(column, facts[column])]
        if len(labels) == 1:
            few = facts[labels[0]].distinct
            found[labels[0]] = Guess(labels[0], "category", f"by its {few} values that come again and again")
    first, of_first = header[0], facts[header[0]]
    if "id" not in taken and first not in found and 0 < of_first.rows == of_first.numbered == of_first.distinct:
        found[first] = Guess(first, "id", "by its numbers, all of them different")


def _may_be_category(column: str, facts: ColumnFacts) -> bool:
    return facts.repeats and facts.distinct > 1 and not facts.dates and not HANDLING & set(_words(column))


def _looks(facts: ColumnFacts) -> str:
    if not facts.filled:
        return "it is empty"
    if facts.says_much:
        return "texts, but no name that says of whom"
    values = "1 value" if facts.distinct == 1 else f"{facts.distinct:,} different values"
    return f"{values}, and no name that says what for"


def _words(name: str) -> list[str]:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"[^\W_]+", plain_letters(apart))


def _rank(column: str, role: str) -> tuple[int, int] | None:
    """Return how well a name fits a role, the smaller the better: it is the word, holds it, or is a compound of it."""
    words = _words(column)
    spoken = f" {' '.join(words)} "
    for kind in range(3):
        for place, name in enumerate(NAMES[role]):
            if (
                (kind == 0 and spoken == f" {name} ")
                or (kind == 1 and f" {name} " in spoken)
                or (kind == 2 and len(name) >= 5 and any(word.endswith(name) for word in words))
            ):
                return kind, place
    return None
