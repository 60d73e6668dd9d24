"""What can go wrong in `models`.

ModelsError
├── WeightsError     a weight or tokenizer file is missing, or is not the file it should be
├── EncoderError     an encoder could not be exported, loaded, or gave vectors that cannot be trusted
├── FineTuneError    an encoder could not be tuned: rows, settings, base folder, device or disk
├── EncoderFullError too many calls are waiting for an encoder
├── ArtifactError    a saved array or card is missing, damaged or of an unknown format
├── EgressError      a request to another machine came to nothing; its text holds nothing of an answer
│   ├── EgressRefusedError      an address, scheme, header or redirect that is not allowed
│   ├── EgressUnreachableError  no connection, or one that broke before the answer was whole
│   ├── EgressTimeoutError      the request's deadline passed
│   └── EgressAnswerError       an answer that is too large, or encoded though nobody asked for it
└── GeneratorError   a language model gave no text
    ├── GeneratorSettingsError     its folder, address, key or limits cannot be used; nothing changes by itself
    ├── GeneratorUnavailableError  not reached, busy, or failing; the same request may succeed later
    ├── GeneratorTimeoutError      the request's deadline passed
    ├── GeneratorRefusedError      turned away: by a full line, an open breaker, or the endpoint itself
    │   └── GeneratorBudgetError   the tokens of this period are spent
    └── GeneratorAnswerError       it answered, and the answer is no text that can be used
"""


class ModelsError(Exception):
    """Root of the errors of this package; the text names what was wrong, where, and the remedy."""


class WeightsError(ModelsError):
    """A weight or tokenizer file is missing or has the wrong SHA-256."""


class EncoderError(ModelsError):
    """An encoder could not be exported or loaded, or returned unusable vectors."""


class FineTuneError(ModelsError):
    """An encoder could not be tuned: rows, settings, base folder, device or disk do not allow it."""


class EncoderFullError(ModelsError):
    """Too many calls are waiting for an encoder; the same call may succeed in a second."""


class ArtifactError(ModelsError):
    """A saved array or its card cannot be read."""


class EgressError(ModelsError):
    """A request to another machine came to nothing. The text is fixed: it never quotes an answer or an address."""


class EgressRefusedError(EgressError):
    """The address, scheme or header is not allowed, or the answer is a redirect; nothing was followed."""


class EgressUnreachableError(EgressError):
    """No connection could be made, or it broke before the answer was whole."""


class EgressTimeoutError(EgressError):
    """The deadline of the request passed."""


class EgressAnswerError(EgressError):
    """The answer is larger than allowed, or encoded though nobody asked for it."""


class GeneratorError(ModelsError):
    """A language model gave no text."""


class GeneratorSettingsError(GeneratorError):
    """A language model's folder, address, key or limits cannot be used."""


class GeneratorUnavailableError(GeneratorError):
    """The model was not reached, is busy, or fails; the same request may succeed later.

    retry_after: the seconds that the endpoint asks to be left alone, where it said so.
    """

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class GeneratorTimeoutError(GeneratorError):
    """The deadline of the request passed."""


class GeneratorRefusedError(GeneratorError):
    """Turned away, by a guard before any model saw the request or by the endpoint; retrying at once is no use."""


class GeneratorBudgetError(GeneratorRefusedError):
    """The tokens of this period are spent."""


class GeneratorAnswerError(GeneratorError):
    """The model answered, and the answer is no text that can be used."""
