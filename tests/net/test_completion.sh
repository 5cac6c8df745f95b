#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Bash completion: commands, arguments and options of the programs, names of the running daemon.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/lib/tap.sh
. tests/lib/lab.sh

# completes LINE: prints the candidates for the last word of the line; a space at its end begins a new word.
completes() {
	# shellcheck disable=SC2016 # the variables are the inner shell's
	lab_in balancer bash -c '
		. completions/sipxdp
		read -ra COMP_WORDS <<< "$1"
		[[ $1 != *" " ]] || COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_sipxdp "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		echo "${COMPREPLY[*]}"' bash "$1"
}

# complete NAME LINE WANTED
complete() {
	is "$1" "$(completes "$2")" "$3"
}

lab_open
lab_flat 2
lab_config dsr
lab_in balancer sipxdp-loader attach -c "$LAB_CONFIG" > /dev/null
lab_daemon

is "first words of all commands" "$(completes "sipxdp-ctl ")" \
	"$(lab_ctl help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | sort -u | xargs)"
complete "the second word of a command" "sipxdp-ctl backend re" "ready remove"
complete "a pool of the running daemon" "sipxdp-ctl backend drain " "proxies"
complete "a backend of this pool" "sipxdp-ctl backend drain proxies p" "px1 px2"
complete "... also with a given socket and --json" \
	"sipxdp-ctl --json -s /run/sipxdp/ctl.sock backend maint proxies " "px1 px2"
complete "an option before the arguments" "sipxdp-ctl backend remove --wait 3 proxies " "px1 px2"
complete "a pool that does not exist has no backends" "sipxdp-ctl backend drain none " ""
complete "a new backend has no known name" "sipxdp-ctl backend add proxies " ""
complete "a service" "sipxdp-ctl lookup " "sip"
complete "one of several words" "sipxdp-ctl log level " "debug info warning"
complete "options of a command" "sipxdp-ctl backend remove proxies px1 --dr" "--drain"
complete "the value of an option" "sipxdp-ctl backend add proxies px9 10.0.0.19 --forward " "dsr ipip gue nat"
complete "a file" "sipxdp-ctl plan yaml-examples/ds" "yaml-examples/dsr.yaml"
complete "the help of a command" "sipxdp-ctl help backend we" "weight"
complete "commands of the loader" "sipxdp-loader de" "detach"
complete "... the value of an option" "sipxdp-loader attach --program " "balancer decap"
complete "... an interface" "sipxdp-loader detach e" "eth0"
complete "options of the daemon" "sipxdpd --ch" "--check"
complete "... a file" "sipxdpd -c yaml-examples/ip" "yaml-examples/ipip.yaml"
lab_ctl backend add proxies px7 10.0.0.17 > /dev/null
complete "a backend that was added at run time" "sipxdp-ctl backend ready proxies " "px1 px2 px7"
lab_stop sipxdpd
complete "without a daemon the names come from the maps" "sipxdp-ctl backend drain proxies " "px1 px2 px7"
tap_end
