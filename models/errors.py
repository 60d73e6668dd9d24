"""What can go wrong in `models`.

ModelsError
├── WeightsError     a weight or tokenizer file is missing, or is not the file it should be
├── EncoderError     an encoder could not be exported, loaded, or gave vectors that cannot be trusted
├── FineTuneError    an encoder could not be tuned: rows, settings, base folder, device or disk
├── EncoderFullError too many calls are waiting for an encoder
└── ArtifactError    a saved array or card is missing, damaged or of an unknown format
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
