"""Where events go: Redis, lines of JSON, and from Redis on to whoever is to be notified."""
