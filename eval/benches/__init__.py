"""Benches: each prints a table, holds its figures against bars, and writes ``var/bench/NAME.json``."""
