"""PRE and POST: fetched (`file`), run, and what their failure means (`hook`)."""
