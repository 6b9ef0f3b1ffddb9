"""The demo: one virtual bare-metal machine from power-on to its next boot, checked from outside."""
