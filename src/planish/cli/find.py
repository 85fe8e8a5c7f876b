"""`planish find SOURCE…`."""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from planish.api import RUNS
from planish.api import find as run_recipe
from planish.cli.run_flags import RUN, Config, Quiet, Seed, any_setting, merged_settings

if TYPE_CHECKING:
    from planish.recipes.find import Found
    from planish.recipes.find_settings import FindSettings

TEXTS = "Texts"
LISTED = "What is listed"


@dataclass(frozen=True)
class FindFlags:
    """The settings that have a flag of their own, and what is shown; other settings are reached by --set."""

    label: Annotated[list[str] | None, typer.Option(help="What to call a source, in order.", rich_help_panel=TEXTS)]
    text_column: Annotated[str | None, typer.Option(help="Of a table. Default: by its name.", rich_help_panel=TEXTS)]
    prompt_column: Annotated[
        str | None, typer.Option(help="What each text was written for; excused in it.", rich_help_panel=TEXTS)
    ]
    language: Annotated[str | None, typer.Option(help="Of the texts, such as de.", rich_help_panel=TEXTS)]
    limit: Annotated[int | None, typer.Option(help="Only so many documents of a source.", rich_help_panel=TEXTS)]
    baseline: Annotated[
        str | None, typer.Option(help="A human profile to compare with. Default: ours.", rich_help_panel=LISTED)
    ]
    whitelist: Annotated[list[str] | None, typer.Option(help="Never list this.", rich_help_panel=LISTED)]
    names: Annotated[bool | None, typer.Option("--names/--no-names", help="List names too.", rich_help_panel=LISTED)]
    index: Annotated[bool, typer.Option("--index", help="Show only the slop index.", rich_help_panel=LISTED)]
    index_list: Annotated[
        str | None, typer.Option(help="Another list for the index. Default: ours.", rich_help_panel=LISTED)
    ]
    top: Annotated[int, typer.Option(min=0, help="Show so many entries.", rich_help_panel=LISTED)]
    processes: Annotated[int | None, typer.Option(help="Default: one a core.", rich_help_panel=RUN)]
    seed: Seed
    out: Annotated[
        Path | None, typer.Option(help="Save profile, ban file and a page in this folder.", rich_help_panel=RUN)
    ]
    config: Config
    set: Annotated[list[str] | None, any_setting("least_share=0.05")]
    json: Annotated[bool, typer.Option("--json", help="Print the profiles as JSON.", rich_help_panel=RUN)]
    quiet: Quiet

    def settings(self, sources: list[str]) -> "FindSettings":
        """All settings, checked."""
        from planish.recipes.find_settings import FindSettings

        flags = asdict(self)
        del flags["top"]
        flags["index"] = flags.pop("index_list")
        flags["labels"] = flags.pop("label")
        return FindSettings.from_user({**merged_settings(flags), "sources": tuple(sources)})


def find(
    flags: FindFlags,
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE", help="Text, JSONL, CSV, Parquet, a folder, a Hub data set, or a model."),
    ],
) -> None:
    """Find what texts say too often, compared with people."""
    settings = flags.settings(sources)
    started = time.monotonic()
    _make_ready(flags.out, sources)
    found = _found(settings, flags)
    if flags.json:
        print(json.dumps(_as_json(found, index_alone=flags.index)))
    else:
        _show(found, flags)
    if not flags.quiet:
        _say_speed(found, time.monotonic() - started)


def _make_ready(out: Path | None, sources: list[str]) -> None:
    """A folder that cannot be made costs no work, and libraries that load models leave the terminal alone."""
    from planish.cli.verb import quieten_libraries
    from planish.recipes.find_source import is_model
    from planish.recipes.made_model import made_model
    from planish.runs.disk import explain_refusal, make_folder

    if out is not None:
        with explain_refusal(out):
            make_folder(out)
    if not all(Path(source).exists() and not is_model(made_model(source, RUNS)) for source in sources):
        quieten_libraries()


def _found(settings: "FindSettings", flags: FindFlags) -> "Found":
    from planish.cli.progress import Progress

    given = settings.model_dump(exclude_unset=True, exclude={"sources"})
    return run_recipe(*settings.sources, out=flags.out, listener=Progress(quiet=flags.quiet), **given)


def _as_json(found: "Found", *, index_alone: bool) -> dict[str, Any]:
    if index_alone:
        return {
            "index": [
                {"source": profile.source, **profile.index.model_dump(), "version": profile.index_version}
                for profile in found.profiles
            ]
        }
    family = None if found.family is None else found.family.model_dump()
    profiles = [profile.model_dump() for profile in found.profiles]
    return {"profiles": profiles, "family": family, "notes": found.notes}


def _show(found: "Found", flags: FindFlags) -> None:
    from planish.cli.find_table import show_family, show_index, show_notes, show_profile
    from planish.recipes.find import REPORT

    if flags.index:
        show_index(found.profiles)
    elif found.family is None:
        show_profile(found.profiles[0], flags.top)
    else:
        show_family(found.profiles, found.family, flags.top)
    show_notes(found.notes)
    if flags.out is not None:
        print(f"\nreport: {flags.out / REPORT}")


def _say_speed(found: "Found", seconds: float) -> None:
    words = sum(profile.words for profile in found.profiles)
    print(f"{words:,} words in {seconds:.1f} s, {words / max(seconds, 1e-6):,.0f} words a second", file=sys.stderr)
