import pytest

from triage.language import MAX_CHARACTERS, Language, detect

SENTENCES = {
    "en": "The card reader in our shop has not connected since this morning.",
    "de": "Unser Kartenleser verbindet sich seit heute Morgen nicht mehr mit der Kasse.",
    "fr": "Notre lecteur de cartes ne se connecte plus à la caisse depuis ce matin.",
    "es": "Nuestro lector de tarjetas no se conecta a la caja desde esta mañana.",
    "it": "Il nostro lettore di carte non si collega più alla cassa da questa mattina.",
    "nl": "Onze kaartlezer maakt sinds vanmorgen geen verbinding meer met de kassa.",
    "pl": "Nasz czytnik kart nie łączy się z kasą od dzisiejszego ranka.",
    "pt": "O nosso leitor de cartões não se liga à caixa registadora desde esta manhã.",
    "sv": "Vår kortläsare ansluter inte längre till kassan sedan i morse.",
    "cy": "Nid yw ein darllenydd cardiau wedi cysylltu ers y bore yma.",
    "ga": "Níl ár léitheoir cártaí ag nascadh ó mhaidin inniu.",
    "ru": "Наш терминал не подключается к кассе с сегодняшнего утра.",
    "el": "Ο αναγνώστης καρτών μας δεν συνδέεται με το ταμείο από σήμερα το πρωί.",
    "ja": "今朝からカードリーダーがレジに接続できません。",
    "ko": "오늘 아침부터 카드 단말기가 계산대에 연결되지 않습니다.",
    "zh": "我们的读卡器从今天早上开始无法连接收银机。",
    "ar": "قارئ البطاقات لدينا لا يتصل بالصندوق منذ هذا الصباح.",
}


@pytest.mark.parametrize(("code", "sentence"), SENTENCES.items(), ids=SENTENCES)
def test_a_sentence_is_told_with_confidence(code: str, sentence: str) -> None:
    found = detect(sentence)
    assert found.code == code
    assert 0.9 < found.confidence <= 1


@pytest.mark.parametrize("text", ["", " \n", "42 17", "😀😀", "..."])
def test_text_without_a_letter_is_undetermined(text: str) -> None:
    assert detect(text) == Language("und", 0.0)


@pytest.mark.parametrize("text", ["ok", "no", "help", "merci", "refund pls", "till BR-77120"])
def test_a_word_or_two_are_undetermined(text: str) -> None:
    assert detect(text).code == "und"


@pytest.mark.parametrize(
    ("code", "text"), [("ja", "こんにちは"), ("ko", "안녕하세요"), ("el", "Καλημέρα σας"), ("th", "สวัสดีครับ")]
)
def test_a_few_letters_of_another_script_are_enough(code: str, text: str) -> None:
    assert detect(text).code == code


def test_only_the_beginning_is_looked_at() -> None:
    english = SENTENCES["en"] + " "
    begun = english * (MAX_CHARACTERS // len(english) + 1)
    assert detect(begun + SENTENCES["de"] * 100).code == "en"


@pytest.mark.parametrize(
    "text",
    ["How do I reset my password?", "how long is a password reset link valid", "can I import a bank statement PDF",
     "reset link expired", "Reset password"],
)  # fmt: skip
def test_short_english_is_not_taken_for_another_language(text: str) -> None:
    assert detect(text, ("en",)).code in ("en", "und")
