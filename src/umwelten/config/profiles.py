"""Named sets of flags: `[profiles.nightly]` in `umwelten.toml`, put on by `--profile nightly`."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from umwelten.config.files import TomlFile
from umwelten.config.layers import Value, keys, read_layer, rebase_values, section_layer
from umwelten.config.options import BY_KEY, OPTIONS
from umwelten.config.variants import with_variants
from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.types import FrozenStruct

# Where one of these is given, the profile's others of the same row give way.
_INSTEAD = (
    ("directory", "files", "rows", "from"),
    ("prompt", "prompts"),
    ("resume", "overwrite"),
    ("dry_run", "estimate"),
)
_KEYS = [key for key, option in BY_KEY.items() if option.place != "flag"]
_GOES_WITH = {"row_name": "rows", "where": "from", "yes": "estimate"}


class OptionProfile(FrozenStruct):
    """A profile, read and checked: settings by their names, flags that are none by their keys."""

    values: Mapping[str, Value] = {}
    flags: Mapping[str, Value] = {}
    variants: Mapping[str, Mapping[str, Value]] = {}
    notes: tuple[str, ...] = ()


def with_profiles(known: Mapping[str, OptionProfile], file: TomlFile) -> dict[str, OptionProfile]:
    """The profiles with those of one more file: what it says wins, key by key."""
    merged = dict(known)
    for name in file.data.get("profiles", {}):
        below, above = merged.get(name, OptionProfile()), _read(name, file)
        variants = with_variants(below.variants, file, "profiles", name)
        merged[name] = OptionProfile(
            values={**below.values, **above.values},
            flags={**below.flags, **above.flags, **_shown(variants, f"{file.place.path}, [profiles.{name}]")},
            variants=variants,
            notes=(*below.notes, *above.notes),
        )
    return merged


def _shown(variants: Mapping[str, Mapping[str, Value]], source: str) -> dict[str, Value]:
    """The variants as one of the profile's flags: nothing without any."""
    values = {
        name: {OPTIONS[option].key: row.value for option, row in settings.items()}
        for name, settings in variants.items()
    }
    return {"variants": Value(value=values, source=source)} if values else {}


def _read(name: str, file: TomlFile) -> OptionProfile:
    section = {key: value for key, value in file.data["profiles"][name].items() if key != "variants"}
    place = file.place.below("profiles", name)
    spelt = keys(section, place, _KEYS, file.problems)
    layer = section_layer(file, place, f"{file.place.path}, [profiles.{name}]", spelt)
    read = read_layer({key: section[written] for key, written in spelt.items()}, layer)
    values = rebase_values(read.values, file.base)
    flags = {OPTIONS[name].key: value for name, value in values.items() if OPTIONS[name].place == "profile"}
    settings = {name: value for name, value in values.items() if OPTIONS[name].place == "defaults"}
    return OptionProfile(values=settings, flags=flags, notes=read.notes)


def find_profile(name: str, profiles: Mapping[str, OptionProfile]) -> OptionProfile:
    """The profile of that name. Raises `UsageError` with the nearest and all there are."""
    if name in profiles:
        return profiles[name]
    if not profiles:
        hint: str | None = "There are none: write a section [profiles.NAME] in umwelten.toml."
    else:
        names = f"Profiles: {', '.join(sorted(profiles))}."
        hint = sentences(did_you_mean(closest(name, profiles)), names)
    raise UsageError(Phrase("{option:profile}: {name!r} is not known", name=name), hint, argument="profile")


def gives_way(key: str, given: Collection[str], profile: Collection[str]) -> bool:
    """Return whether something that was given stands in place of the profile's flag; all by their keys."""
    owner = _GOES_WITH.get(key)
    if owner in profile and gives_way(str(owner), given, profile):
        return True
    return any(key in row and any(other in given for other in row if other != key) for row in _INSTEAD)
