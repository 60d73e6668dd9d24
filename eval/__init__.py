"""How well it decides: cases, measurements, runs. Reads files and calls the engine; never the service."""
