#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The manual pages are correct for two formatters, and name every option. Needs a build, but no root.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# silent COMMAND...: exit status 0, and nothing on standard error.
silent() {
	"$@" > /dev/null 2> "$scratch/err" && [ ! -s "$scratch/err" ] || { cat "$scratch/err" && return 1; }
}

# has_sections PAGE TITLE...
has_sections() {
	local page=$1 title
	shift
	for title; do
		grep -qx "\.SH $title" "$page" || { echo "no section $title" && return 1; }
	done
}

# text_of PAGE: as a reader sees it, in one line.
text_of() {
	MANWIDTH=200 LC_ALL=C.UTF-8 man -E UTF-8 -l "$1" | sed 's/\x1b\[[0-9;]*m//g' | tr -s ' \n' '  '
}

# options_of PROGRAM [ARGUMENT...]: all that its help shows.
options_of() {
	"build/$1" "${@:2}" --help | grep -oE -- '(^|[ [])--?[a-zA-Z][a-z-]*' | tr -d ' [' | sort -u
}

# names_all PAGE WORD...
names_all() {
	local text word
	text=$(text_of "$1")
	shift
	[ $# -gt 0 ] || { echo "no words" && return 1; }
	for word; do
		grep -qE -- "(^|[ ([])$word([] ,.:;)']|$)" <<< "$text" || { echo "no $word" && return 1; }
	done
}

# refers_to_pages PAGE: each page of this project that it names exists.
refers_to_pages() {
	local name section
	while read -r name section; do
		[ -e "man/$name.$section" ] || { echo "no man/$name.$section" && return 1; }
	done < <(sed 's/\\-/-/g' "$1" | sed -nE 's/^\.BR (sipxdp[a-z.-]*) \(([0-9])\).*/\1 \2/p')
}

for page in man/*; do
	name=$(basename "$page")
	if command -v mandoc > /dev/null; then
		check "$name: mandoc finds no fault" silent sh -c "mandoc -T lint -W style '$page' >&2"
	else
		skip "$name: mandoc finds no fault" "no mandoc (Debian package mandoc)"
	fi
	check "... nor does groff" silent env LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l "$page"
	check "... the sections are complete" has_sections "$page" NAME DESCRIPTION FILES EXAMPLES "SEE ALSO"
	check "... SEE ALSO lists existing pages" refers_to_pages "$page"
done

for program in sipxdpd sipxdp-loader sipxdp-ctl; do
	page=man/$program.8
	check "$program(8): sections of a program" has_sections "$page" SYNOPSIS OPTIONS "EXIT STATUS"
	# shellcheck disable=SC2046 # a list of words
	check "... every option of --help" names_all "$page" $(options_of $program)
done
while read -r words; do
	# shellcheck disable=SC2086,SC2046
	check "sipxdp-ctl(8): '$words' and its options" names_all man/sipxdp-ctl.8 "$words" $(options_of sipxdp-ctl $words)
done < <(build/sipxdp-ctl --help | sed -nE '/^commands:/,/^$/ s/^  ([a-z]+( [a-z]+)?).*/\1/p')

sed -n '/^\.EX$/,/^\.EE$/ { /^\.E/d; s/\\-/-/g; p }' man/sipxdp.yaml.5 > "$scratch/example.yaml"
check "sipxdp.yaml(5): the example is a valid file" build/sipxdpd -c "$scratch/example.yaml" --check
check "... and is not empty" test -s "$scratch/example.yaml"
tap_end
