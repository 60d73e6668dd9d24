"""Which knowledge may answer: documents, passages, hits."""
