"""The pages that agents look at."""
