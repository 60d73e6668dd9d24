"""A run as one page: plots, slices, and the worst cases with their evidence."""
