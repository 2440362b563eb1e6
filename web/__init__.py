"""The web: REST, WebSocket, ingest, feeds and the dashboard, over the store and a few functions that `poller` gives."""
