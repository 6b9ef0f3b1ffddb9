"""Kernel modules of a built image: what is in it, building one from source, adding one without a rebuild."""
