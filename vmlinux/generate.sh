#!/usr/bin/env bash
# Generates vmlinux.h from the BTF of the running kernel. Run it when bpf/ needs a
# kernel type that types.c does not contain yet. The result is committed, so that a
# build needs no kernel with BTF and gives the same object everywhere.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bpftool btf dump file /sys/kernel/btf/vmlinux format c > "$work/vmlinux-full.h"
clang -target bpf -g -O2 -I "$work" -c types.c -o "$work/types.o"
bpftool btf dump file "$work/types.o" format c > vmlinux.h
