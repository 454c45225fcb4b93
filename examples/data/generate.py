#!/usr/bin/env python3
"""Print territories.json from two unpacked CLDR packages; reads only local files.

Usage: generate.py CLDR_CORE CLDR_LOCALENAMES_FULL > territories.json
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

# Locales of `script_names`, one per script.
SCRIPT_LOCALES = ["ar", "el", "he", "hi", "ja", "ru", "th", "zh"]

# Two-letter CLDR codes that are no ISO 3166-1 country: groupings, unknown and pseudo regions.
NOT_A_COUNTRY = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}
# Parts of countries, which ISO 3166-1 reserves but does not assign.
RESERVED = {"AC", "CP", "CQ", "DG", "EA", "IC", "TA"}

NATIONAL = {"official", "de_facto_official"}
MAX_LANGUAGES = 6
# One microsecond apart: cut to milliseconds, all stamps would be equal.
FIRST_STAMP = datetime(2026, 1, 1, microsecond=1, tzinfo=timezone.utc)


class Names:
    """Territory names by locale, read once per locale."""

    def __init__(self, package):
        self.main = package / "main"
        self.cache = {}

    def find(self, locale, code):
        """The name of `code` in `locale`, or None when CLDR has none."""
        if locale not in self.cache:
            self.cache[locale] = self._read(locale)
        name = self.cache[locale].get(code)
        return None if name == code else name  # an untranslated name is the code itself

    def get(self, locale, code):
        """Like `find`, but a missing name ends the program."""
        return self.find(locale, code) or sys.exit(f"no name for {code} in locale {locale}")

    def _read(self, locale):
        path = self.main / locale / "territories.json"
        if not path.exists():
            return {}
        return load(path)["main"][locale]["localeDisplayNames"]["territories"]


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def languages(info):
    """Language tags: nationally official ones first, then by share of speakers."""
    spoken = info.get("languagePopulation", {})

    def rank(tag):
        facts = spoken[tag]
        national = facts.get("_officialStatus") in NATIONAL
        return (not national, -float(facts["_populationPercent"]), tag)

    known = (tag for tag in spoken if tag != "und")
    return [tag.replace("_", "-") for tag in sorted(known, key=rank)]


def native_name(names, code, tags):
    """The name in the first language that has one, in the territory's own variety if there is one."""
    locales = (locale for tag in tags for locale in (f"{tag}-{code}", tag))
    found = (names.find(locale, code) for locale in locales)
    return next(filter(None, found), None) or names.get("en", code)


def record(index, code, info, names):
    tags = languages(info)
    stamp = FIRST_STAMP + timedelta(microseconds=index)
    return {
        "id": code.lower(),
        "name": names.get("en", code),
        "native_name": native_name(names, code, tags),
        "script_names": {locale: names.get(locale, code) for locale in SCRIPT_LOCALES},
        "languages": tags[:MAX_LANGUAGES],
        "population": int(info["_population"]),
        "updated_at": stamp.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    core, localenames = map(Path, sys.argv[1:])
    facts = load(core / "supplemental" / "territoryInfo.json")["supplemental"]["territoryInfo"]
    names = Names(localenames)
    codes = sorted(c for c in facts if len(c) == 2 and c not in NOT_A_COUNTRY | RESERVED)
    lines = [
        json.dumps(record(index, code, facts[code], names), ensure_ascii=False)
        for index, code in enumerate(codes)
    ]
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    print("[\n" + ",\n".join(lines) + "\n]")


if __name__ == "__main__":
    main()
