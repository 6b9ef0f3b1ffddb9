"""Upgrade firmware: one planner (`plan.py`) over what is installed (`state.py`), and a driver for each way to apply it.

None of the drivers exports: a machine tells its versions but not the packages that bring them, and an item without a
package is no template. The versions of a golden machine belong into `expect`.
"""
