"""BootOS: an operating system that runs in memory and configures bare servers."""

__version__ = "0.2.0"
