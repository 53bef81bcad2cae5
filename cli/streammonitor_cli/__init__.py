"""The one command. Whatever a sub-command needs is imported inside it, so that the others start
fast and run where it is not installed."""
