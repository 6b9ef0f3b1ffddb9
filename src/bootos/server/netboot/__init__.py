"""What machines boot from: menus for every boot loader, per-MAC files, the TFTP root, DHCP and TFTP by dnsmasq."""
