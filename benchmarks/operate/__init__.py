"""What the service answers while its database, its disk or one of its processes fails: `make operate`."""
