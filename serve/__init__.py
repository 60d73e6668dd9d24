"""How people and programs reach Firstline: the API, the console, storage and keys."""
