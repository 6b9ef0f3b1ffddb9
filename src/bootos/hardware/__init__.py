"""Read the machine: sysfs, SMBIOS and tools -> `wire.inventory.Inventory`. Changes nothing."""
