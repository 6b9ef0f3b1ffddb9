"""What the drivers named `*.redfish` share: where the service is, how it is spoken to, what its resources are."""
