"""Adapts a desk's encoder to its own labels, and says which past tickets may still judge the result."""

from dataclasses import dataclass
from pathlib import Path

from models.encoder_folders import EncoderFolder, find_encoder_folder
from models.errors import FineTuneError
from models.finetune import FineTuneReport, finetune
from models.finetune_data import FineTuneSettings, LabelledRows
from models.protocols import Progress, no_progress
from triage.cleaning import read_text
from triage.desk_files import Desk
from triage.engine import text_to_classify

#: The field whose labels an encoder is tuned on; the others profit or not.
FIELD = "category"
#: From this many labelled tickets on a smaller share is enough to judge by.
MANY = 2_000
FEW_SETTINGS = FineTuneSettings(epochs=4, patience=2, held_out_share=0.25)
MANY_SETTINGS = FineTuneSettings(epochs=8, patience=2, held_out_share=0.1, batch_size=128)


@dataclass(frozen=True)
class Tuned:
    """What came of tuning: the report, the folder that the desk's vectors are made with, and the rows of the history
    that were kept out of the training (None: all). Only they can say how sure a head on top of it may be."""

    report: FineTuneReport
    folder: EncoderFolder
    judging: frozenset[int] | None

    @property
    def text(self) -> str:
        """The outcome as a sentence."""
        found = self.report
        change = f"{found.before:.3f} to {found.after:.3f} on {len(found.held_out)} held-out tickets"
        if found.improved:
            return f"fine-tuned on {FIELD}: accuracy {change}; thresholds are found on tickets that it was not tuned on"
        return f"fine-tuning on {FIELD} did not help ({change}); the encoder is kept as it was"


def tune_encoder(
    desk: Desk, encoders: Path, progress: Progress = no_progress, settings: FineTuneSettings | None = None
) -> Tuned:
    """Tune the encoder that a desk names on its history; the result lies in `encoders`, and going on after a kill
    costs one epoch at most. Raises `FineTuneError` where the history does not allow it, `WeightsError`."""
    base = find_encoder_folder(desk.rules.settings.encoder, desk.folder)
    rows = [row for row, past in enumerate(desk.history) if FIELD in past.labels]
    if not rows:
        raise FineTuneError(f"fine-tuning needs past tickets with a {FIELD}; {desk.folder} has none")
    texts = tuple(text_to_classify(read_text(desk.history[row].ticket)) for row in rows)
    labelled = LabelledRows(texts, tuple(desk.history[row].labels[FIELD] for row in rows))
    chosen = settings or (MANY_SETTINGS if len(rows) >= MANY else FEW_SETTINGS)
    encoders.mkdir(parents=True, exist_ok=True)
    report = finetune(base, labelled, encoders / f"tuned-{desk.rules.settings.id}", chosen, progress)
    if report.folder is None:
        return Tuned(report, base, None)
    judging = frozenset(rows[place] for place in report.held_out)
    return Tuned(report, find_encoder_folder(str(report.folder)), judging)
