import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.loaders.guess_columns import ROLES, UNUSED, Guesses, guess_columns

LONG = "the printer in the hall has jammed again and nobody can pull the paper out"
VALUES = st.text(st.characters(codec="utf-8"), max_size=30)


def table(rows: int, **values: str) -> list[dict[str, str]]:
    """Rows in which {n} is the row's number and {few} one of three letters; "_" in a name stands for a space."""
    return [
        {name.replace("_", " "): value.format(n=n, few="abc"[n % 3]) for name, value in values.items()}
        for n in range(rows)
    ]


def roles(sample: list[dict[str, str]]) -> dict[str, str]:
    return {guess.column: guess.role for guess in guess_columns(list(sample[0]), sample).columns}


@pytest.mark.parametrize(
    ("names", "reply", "language"),
    [
        (("Ticket ID", "Subject", "Description", "Type", "Assigned Group", "Priority"), "Answer", "Language"),
        (("Ticketnummer", "Betreff", "Nachricht", "Kategorie", "Abteilung", "Priorität"), "Antwort", "Sprache"),
        (("Vorgangsnummer", "Titel", "Ticketbeschreibung", "Ticketart", "Gruppe", "Wichtigkeit"), "Lösung", "Sprache"),
        (("Numéro", "Sujet", "Contenu", "Catégorie", "Équipe", "Priorité"), "Réponse", "Langue"),
        (("Número", "Asunto", "Descripción", "Categoría", "Equipo", "Prioridad"), "Respuesta", "Idioma"),
        (("ticket_id", "ticketSubject", "messageText", "issue_type", "queue_name", "urgency"), "agent_reply", "lang"),
    ],
)  # fmt: skip
def test_columns_of_help_desks_are_known_by_their_names(names: tuple[str, ...], reply: str, language: str) -> None:
    values = ("T-{n}", "jam {n} again", f"{LONG} {{n}}", "{few}", "{few} team", "{few}1", f"please {LONG}", "en")
    columns = dict(zip((*names, reply, language), values, strict=True))
    sample = [{name: value.format(n=n, few="abc"[n % 3]) for name, value in columns.items()} for n in range(40)]
    expected = ("id", "subject", "body", "category", "team", "priority", "reply", "language")
    assert roles(sample) == dict(zip(columns, expected, strict=True))


def test_without_telling_names_the_values_decide_and_say_so() -> None:
    guesses = guess_columns(["a", "b", "c", "d"], table(60, a="{n}", b=f"{LONG} {{n}}", c="{few}", d=""))
    assert [(guess.column, guess.role) for guess in guesses.columns] == [
        ("a", "id"),
        ("b", "body"),
        ("c", "category"),
        ("d", UNUSED),
    ]
    assert [guess.reason for guess in guesses.columns] == [
        "by its numbers, all of them different",
        "by its long texts, 16 words on average",
        "by its 3 values that come again and again",
        "it is empty",
    ]


def test_of_two_columns_that_could_be_the_category_none_is_taken() -> None:
    assert roles(table(60, text=LONG, one="{few}", other="{few}")) == {"text": "body", "one": UNUSED, "other": UNUSED}


def test_a_day_is_no_category() -> None:
    sample = [row | {"made": f"2024-01-0{n % 9 + 1}"} for n, row in enumerate(table(90, text=LONG, code="{few}"))]
    assert roles(sample) == {"text": "body", "code": "category", "made": UNUSED}


def test_what_happened_to_a_ticket_is_no_category() -> None:
    assert roles(table(60, text=LONG, status="{few}", x="{few}"))["x"] == "category"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("priority", "{n} of many", "named like the priority, but it holds too many different or too long values"),
        ("id", "{few}", "named like the id, but its values are not all different"),
        ("language", "Esperanto {few}", 'named like the language, but its values are no codes such as "en"'),
        ("reply time", "{n}:00", "named like the reply, but it holds few words"),
        ("subject", "{n} " + "x" * 1001, "named like the subject, but it holds few words, or very long ones"),
    ],
)
def test_a_name_counts_only_where_the_values_agree(name: str, value: str, reason: str) -> None:
    sample = [row | {name: value.format(n=n, few="abc"[n % 3])} for n, row in enumerate(table(60, text=LONG, type="b"))]
    guess = guess_columns(["text", "type", name], sample).columns[2]
    assert guess.role == UNUSED
    assert guess.reason.startswith(reason)


def test_a_column_called_ticket_may_be_the_text() -> None:
    assert roles(table(60, ticket=f"{LONG} {{n}}", label="{few}")) == {"ticket": "body", "label": "category"}


def test_the_better_name_wins_wherever_it_stands() -> None:
    found = guess_columns(["type", "category"], table(30, type="{few}", category="{few}"))
    assert [guess.role for guess in found.columns] == [UNUSED, "category"]
    assert found.columns[0].reason == "there is a better category"


@pytest.mark.parametrize(
    ("body", "count"), [(r"Dear all\n\nit jams {n}", 50), ("no end {n}", 0), ("real\nand \\n {n}", 0)]
)
def test_line_ends_written_as_letters_are_noticed(body: str, count: int) -> None:
    assert guess_columns(["body"], table(50, body=body)).literal_newlines == count


def test_a_role_that_is_given_away_is_lost_by_who_had_it_but_bodies_add_up() -> None:
    guesses = guess_columns(["text", "kind", "more"], table(30, text=f"{LONG} {{n}}", kind="{few}", more="{few} x y"))
    moved = guesses.with_role("more", "category", "as said")
    assert [guess.role for guess in moved.columns] == ["body", UNUSED, "category"]
    both = guesses.with_role("more", "body", "as said").as_columns()
    assert (list(both.text), both.labels) == (["text", "more"], {})
    assert guesses.with_role("kind", "product", "as said").as_columns().labels == {"product": "kind"}


def test_a_subject_comes_before_the_body_whatever_the_order_of_the_file() -> None:
    columns = guess_columns(["body", "subject"], table(30, body=LONG, subject="jam {n} again")).as_columns()
    assert list(columns.text) == ["subject", "body"]


@settings(deadline=None, max_examples=60)
@given(st.lists(VALUES, min_size=1, max_size=6, unique=True), st.data())
def test_whatever_a_file_holds_every_column_gets_one_guess_and_no_role_twice(
    header: list[str], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(header, VALUES)), max_size=8))
    found: Guesses = guess_columns(header, rows)
    assert [guess.column for guess in found.columns] == header
    assert all(guess.reason for guess in found.columns)
    given_roles = [guess.role for guess in found.columns if guess.role != UNUSED]
    assert len(given_roles) == len(set(given_roles))
    assert {*given_roles} <= {*ROLES, "category", "team", "priority"}
