"""The page and the command of what was found in texts."""

from typing import TYPE_CHECKING

from planish.find.slop.examples import examples
from planish.prove.find_page import entries_shown, find_html
from planish.recipes.find_settings import FindSettings
from planish.recipes.reproduce import reproduce as command
from planish.runs.toml import flat

if TYPE_CHECKING:
    from planish.recipes.find import Found


def report(found: "Found", settings: FindSettings) -> str:
    """The page as HTML; the texts are read once more, as far as it takes to show each entry in context."""
    shown = entries_shown(len(found.profiles))
    sources = zip(found.profiles, found.shards, strict=True)
    return find_html(
        found.profiles,
        [examples(profile.overused[:shown], shards) for profile, shards in sources],
        family=found.family,
        settings={**flat(settings.model_dump(mode="json")), "index_version": found.profiles[0].index_version},
        reproduce=reproduce(settings),
        notes=found.notes,
    )


def reproduce(settings: FindSettings) -> str:
    """The command that does the same again."""
    # How many read at once changes no figure.
    changed = settings.model_dump(mode="json", exclude_defaults=True, exclude={"sources", "processes"})
    return command("find", settings.sources, changed)
