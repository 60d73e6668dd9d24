"""Other ways of doing what Firstline does, run beside it in the same bench: plain baselines and known libraries."""
