"""Inside the in-memory OS: inventories, plans, applies, verifies, reports. `sequence.run` is the table of contents."""
