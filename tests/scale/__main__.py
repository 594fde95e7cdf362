"""`python -m tests.scale`: what runs in shards cost at sizes that nobody here has."""

import click

from tests.scale import document, merging


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--write", is_flag=True, help="Put the numbers into docs/scale.md.")
@click.option("--measure", is_flag=True, help="Measure what a merge holds as well: a minute.")
def main(*, write: bool, measure: bool) -> None:
    """Count small runs in shards, and say what larger ones cost."""
    texts = {document.MODEL: document.tables()}
    if measure:
        texts[document.MEASURED] = document.measured(merging.found())
    for marks, text in texts.items():
        click.echo(text)
        if write:
            document.put(text, marks)


if __name__ == "__main__":
    main()
