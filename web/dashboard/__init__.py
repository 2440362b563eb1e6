"""The dashboard: what its pages show, and how; the pages themselves are in `web.pages`."""
