# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# A bare Debian system with what the packages of `make deb` depend on, and packages of a later version.

DEBIAN_CACHE=build/debian
DEBIAN_RELEASE=bookworm
DEBIAN_MIRROR=http://deb.debian.org/debian
DEBIAN_TOOLS=systemd-sysv,dbus,iproute2,iputils-ping,kmod,procps,udev # used by the tests

# debian_package NAME: prints the path of the package that `make deb` has built.
debian_package() {
	ls "build/deb/${1}_"[0-9]*.deb
}

# _debian_dependencies: prints the packages on which ours depend, without versions; of alternatives the first.
_debian_dependencies() {
	dpkg -f "$(debian_package sipxdp)" Depends
	dpkg -f "$(debian_package sipxdp-decap)" Depends
}

# debian_root: makes build/debian/root unless it exists, and prints its path. If that fails, prints why. Two suites may
# call it at the same time.
debian_root() {
	local packages key
	packages=$DEBIAN_TOOLS,$(_debian_dependencies | sed 's/ *([^)]*)//g; s/ *|[^,]*//g' | tr -s ', \n' '\n' | grep -v '^sipxdp' | sort -u | paste -sd ,)
	key=$(sha256sum <<< "$DEBIAN_RELEASE $packages" | cut -c 1-12)
	mkdir -p "$DEBIAN_CACHE"
	exec 8> "$DEBIAN_CACHE/lock"
	flock 8
	if [ ! -d "$DEBIAN_CACHE/root-$key" ]; then
		rm -rf "$DEBIAN_CACHE"/root-* "$DEBIAN_CACHE/new"
		if ! debootstrap --variant=minbase --include="$packages" $DEBIAN_RELEASE "$DEBIAN_CACHE/new" $DEBIAN_MIRROR \
			> "$DEBIAN_CACHE/debootstrap.log" 2>&1 8>&-; then
			tail -n 1 "$DEBIAN_CACHE/debootstrap.log"
			return 1
		fi
		rm -rf "$DEBIAN_CACHE/new/var/cache/apt/archives"/*.deb
		mv "$DEBIAN_CACHE/new" "$DEBIAN_CACHE/root-$key"
	fi
	flock -u 8
	echo "$PWD/$DEBIAN_CACHE/root-$key"
}

# debian_later DIRECTORY VERSION: writes our packages with a later version to the directory. The conffile differs, too.
debian_later() {
	local name tree=$1/tree
	for name in sipxdp-decap sipxdp; do
		rm -rf "$tree"
		dpkg-deb -R "$(debian_package $name)" "$tree"
		sed -i "s/^Version: .*/Version: $2/; s/sipxdp-decap (= [^)]*)/sipxdp-decap (= $2)/" "$tree/DEBIAN/control"
		[ ! -e "$tree/etc/default/sipxdp-decap" ] || echo "# Of version $2" >> "$tree/etc/default/sipxdp-decap"
		dpkg-deb -b --root-owner-group -Znone "$tree" "$1/${name}_$2.deb" > /dev/null
	done
	rm -rf "$tree"
}
