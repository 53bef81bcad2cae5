"""The data plane: decodes each stream once, runs every detector on it, reports incidents."""
