"""Tells others of incidents: webhooks and Alertmanagers, from the fleet's history of events."""
