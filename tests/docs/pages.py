#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Checks of the documentation against the tree, for tests/docs/test_docs.sh.

usage: tests/docs/pages.py CHECK       run in the root of the repository

Prints each fault; the exit status is 1 if there is one."""
import glob
import os
import re
import subprocess
import sys

ARCHITECTURE = "docs/architecture.md"
TROUBLESHOOT = "docs/troubleshoot.md"
README_LINES = 150
WARNING_SOURCES = "ctl/daemon/control/*.c", "ctl/daemon/group/*.c", "ctl/maps/*.h", "loader/*.c"

LINK = re.compile(r"\]\(([^)\s]+)\)")
MENTION = re.compile(r"(?<![\w/.@])docs/[\w/-]+\.md")
CODE = re.compile(r"`([^`]+)`")
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
# A call or a macro, and the string literals of its format.
WARNING = re.compile(
    r'(?:\bwarn\(\s*\w+,\s*|(?:warnings|"\[o\]"),\s*json_sprintf\(\s*|#define WARNING_\w+[\s\\]+)'
    r'((?:"(?:[^"\\]|\\.)*"|PRIu64|[\s\\])+)')
LITERALS = re.compile(r'"(?:[^"\\]|\\.)*"(?:(?:[\s\\]|PRI[uxd]\d+)*"(?:[^"\\]|\\.)*")*')
CONVERSION = re.compile(r"%[-+ #0]*[\d.*]*(?:ll|l|z|h)*[a-z]", re.IGNORECASE)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def tracked(*patterns):
    """Files of the repository: those that git knows, or will know."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "--", *patterns]
    names = subprocess.check_output(command, text=True).splitlines()
    return [name for name in names if os.path.exists(name)]


def anchors(text):
    """The anchors that GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ +(.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def check_links():
    """Each link leads to a file, and to a heading in it."""
    for page in tracked("*.md"):
        for link in LINK.findall(read(page)):
            if re.match(r"\w+:", link):
                continue
            path, _, anchor = link.partition("#")
            path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            if not os.path.exists(path):
                yield f"{page}: no file {link}"
            elif anchor and anchor not in anchors(read(path)):
                yield f"{page}: no heading {link}"


def check_mentions():
    """Each page that a file of the repository names exists."""
    for name in tracked("*.[ch]", "*.sh", "*.py", "*.yaml", "*.service", "Makefile", "tests/*"):
        for page in MENTION.findall(open(name, encoding="utf-8", errors="replace").read()):
            if not os.path.exists(page):
                yield f"{name}: no page {page}"


def check_readme():
    """The README is short."""
    lines = read("README.md").count("\n")
    if lines > README_LINES:
        yield f"README.md has {lines} lines, and may have {README_LINES}"


def check_paths():
    """Each path in the page about the architecture exists."""
    directories = tuple(name + "/" for name in os.listdir() if os.path.isdir(name))
    for code in CODE.findall(read(ARCHITECTURE)):
        for word in code.split():
            if word.startswith(directories) and not word.startswith("build/") and not glob.glob(word):
                yield f"{ARCHITECTURE}: no file {word}"


def allowed_includes():
    """From the page about the architecture: {directory: what it may include}, and the layers in order."""
    text = read(ARCHITECTURE)
    table = text.split("| directory | may include |")[1].split("\n\n")[0]
    rows = [[CODE.findall(cell) for cell in line.split("|")[1:3]] for line in table.splitlines()[2:]]
    layers = re.search(r"^ +(\w+(?: → \w+)+)$", text.split("`core/` is divided into layers")[1], re.MULTILINE)
    return {directory[0]: allowed for directory, allowed in rows}, layers.group(1).split(" → ")


def check_includes():
    """Includes across directories are as the page about the architecture allows them."""
    table, layers = allowed_includes()
    for layer in sorted({name.split("/")[1] for name in tracked("core/*/*.[ch]")} ^ set(layers)):
        yield f"{ARCHITECTURE}: the layers of core/ differ from the directories: {layer}"
    for directory, allowed in table.items():
        for name in tracked(directory + "*.[ch]"):
            for include in INCLUDE.findall(read(name)):
                if "/" not in include or include.endswith(".skel.h"):
                    continue
                if not include.startswith(tuple(allowed)):
                    yield f"{name}: may not include {include}"
                elif name.startswith("core/") and include.startswith("core/") and \
                        layers.index(include.split("/")[1]) > layers.index(name.split("/")[1]):
                    yield f"{name}: a layer may not include a later one: {include}"


def format_text(literals):
    """The text of adjacent string literals, with "..." for what differs."""
    text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', re.sub(r"PRI[uxd]\d+", '"u"', literals)))
    return CONVERSION.sub("...", text.replace("%%", "\0")).replace("\0", "%")


def warnings():
    """(file, text) of each warning that a status can print."""
    for name in sorted(sum(map(glob.glob, WARNING_SOURCES), [])):
        for literals in WARNING.findall(read(name)):
            yield name, format_text(literals)


def printed_texts():
    """All texts in the source of the programs, one a line."""
    sources = tracked("core/*.[ch]", "ctl/*.[ch]", "loader/*.[ch]")
    return "\n".join(format_text(literals) for name in sources for literals in LITERALS.findall(read(name)))


def check_warnings():
    """Each warning has a row in the page about troubles, which begins as the warning does. The programs
    contain each part of each row."""
    section = re.search(r"\n## Warnings\n(.*?)\n## ", read(TROUBLESHOOT), re.DOTALL)[1]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    spans = [CODE.findall(row)[0].rstrip(" .") for row in rows]
    found = list(warnings())
    if len(found) < 20:
        yield f"only {len(found)} warnings are found in {WARNING_SOURCES}: this check does not know them"
    for name, text in found:
        if not any(text.startswith(span) or span.startswith(text.rstrip(" .")) for span in spans):
            yield f"{TROUBLESHOOT}: no row for the warning of {name}: {text}"
    texts = printed_texts()
    for span in spans:
        parts = [part.strip(" :") for part in span.split("...")]  # a prefix "pool %s: " may be added later
        missing = [part for part in parts if part not in texts]
        if missing:
            yield f"{TROUBLESHOOT}: no program prints {missing} of this warning: {span}"


def main():
    faults = list(globals()["check_" + sys.argv[1]]())
    print(*faults, sep="\n")
    sys.exit(1 if faults else 0)


main()
