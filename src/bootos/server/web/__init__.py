"""The face for people: pages that work without scripts."""
