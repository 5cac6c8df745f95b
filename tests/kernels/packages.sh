# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Debian packages that the tests unpack without installing them, and archives for the kernel. Needs $CACHE, whose directory
# packages/ keeps them, and $WORK.

# newest REGEX: the name of the newest matching package in apt's list or in the cache.
newest() {
	{
		apt-cache search --names-only "$1"
		ls "$CACHE/packages" 2> /dev/null || true
	} | cut -d' ' -f1 | grep -E "$1" | sort -V | tail -n 1
}

# newest_kernel VERSION: the name of the newest package with this kernel.
newest_kernel() {
	newest "^linux-image-${1//./\\.}\\.[0-9]+(-[0-9]+|\\+deb[0-9]+)-cloud-amd64-unsigned$"
}

# fetch PACKAGE [PACKAGE...]: unpacks them into $CACHE/packages/FIRST_PACKAGE/, unless that exists. Two suites may do so at
# the same time.
fetch() {
	mkdir -p "$CACHE/packages"
	(
		flock 9
		_fetch "$@"
	) 9> "$CACHE/lock"
}

_fetch() {
	local directory=$CACHE/packages/$1 file
	[ ! -d "$directory" ] || return 0
	rm -rf "$WORK/fetch" "$directory.new"
	mkdir -p "$WORK/fetch" "$directory.new"
	(cd "$WORK/fetch" && apt-get download -q -o APT::Sandbox::User= "$@") > "$WORK/apt.log" 2>&1 || return 1
	for file in "$WORK"/fetch/*.deb; do
		dpkg-deb -x "$file" "$directory.new" >> "$WORK/apt.log" 2>&1 || return 1
	done
	mv "$directory.new" "$directory"
	rm -rf "$WORK/fetch"
}

# put FILE [AS]: copies a file and its shared libraries into $IMAGE. A script has none.
put() {
	local file=$1 as=${2:-$1} library
	install -D "$file" "$IMAGE/$as"
	while read -r library; do
		[ -e "$IMAGE/$library" ] || install -D "$library" "$IMAGE/$library"
	done < <(ldd "$file" 2> /dev/null | grep -o '/[^ ]*' || true)
}

# pack DIRECTORY FILE
pack() {
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) > "$2"
}
