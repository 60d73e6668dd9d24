"""The drafting module: handoff rules first, then the writer, then the check of every sentence."""
