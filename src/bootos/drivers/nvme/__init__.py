"""`disk.nvme`: the namespaces of NVMe drives."""
