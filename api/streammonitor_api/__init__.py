"""The contracts: what resources, settings, incidents and events look like. Pure."""
