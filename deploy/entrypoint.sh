#!/bin/sh
# Reads the database's URL from a file, so that no list of processes and no description of the container shows it.
set -eu
if [ -n "${FIRSTLINE_DATABASE_FILE:-}" ]; then
    FIRSTLINE_DATABASE="$(cat "$FIRSTLINE_DATABASE_FILE")"
    export FIRSTLINE_DATABASE
fi
exec firstline "$@"
