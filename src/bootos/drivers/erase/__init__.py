"""`disk.erase`: drives forget what was on them."""
