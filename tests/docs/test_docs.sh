#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The documentation agrees with the tree. Needs neither root nor a build. Prints TAP.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh

check "links lead to files and headings" tests/docs/pages.py links
check "pages that sources name exist" tests/docs/pages.py mentions
check "the README is one page" tests/docs/pages.py readme
check "paths in docs/architecture.md exist" tests/docs/pages.py paths
check "includes are as docs/architecture.md allows them" tests/docs/pages.py includes
check "each warning is in docs/troubleshoot.md" tests/docs/pages.py warnings
tap_end
