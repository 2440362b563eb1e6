"""The routes of the REST API: thin over what `web.reading` reads."""
