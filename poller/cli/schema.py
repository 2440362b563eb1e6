"""`buildwatch schema`: the JSON Schema of config.yaml, for editors."""

import json

import typer

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def schema() -> None:
    """Print the JSON Schema of config.yaml, with the keys of every kind of provider and channel."""
    from poller.config import schema as schema_of

    print(json.dumps(schema_of(), indent=2))
