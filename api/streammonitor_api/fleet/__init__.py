"""The contract between operator and workers, over Redis: keys, records, scripts, typed calls."""
