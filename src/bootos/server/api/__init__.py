"""Two faces over HTTP with JSON: for operators and their programs, and for agents of protocol v2."""
