"""Tells the world how the watching goes: OpenTelemetry metrics and a trace an incident.

`configuration` says what is asked for and costs nothing to import. `session` brings the SDK with
it, 8 MB, so it is imported only where something is asked for.
"""
