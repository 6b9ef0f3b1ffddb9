"""The lab: virtual bare-metal machines (QEMU) with real PXE, a real BMC protocol and disks that can be read from
outside. For the demo, the tests, and for users who try a template before it touches steel.

It starts the server and everything else as processes and imports only errors, process and document."""
