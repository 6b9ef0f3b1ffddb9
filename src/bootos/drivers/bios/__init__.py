"""Drivers that change settings of the BIOS. All share `setting` (what a setting is, one planner) and `names`."""
