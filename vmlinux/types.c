// SPDX-License-Identifier: GPL-2.0
/* The kernel types that bpf/ uses. generate.sh compiles this against the whole
 * of a kernel's BTF and keeps in vmlinux.h only what is reached from here. */
#include "vmlinux-full.h"

struct xdp_md *xdp_md;
struct ethhdr *ethhdr;
struct iphdr *iphdr;
struct ipv6hdr *ipv6hdr;
struct udphdr *udphdr;
struct tcphdr *tcphdr;
struct icmphdr *icmphdr;
struct icmp6hdr *icmp6hdr;
struct frag_hdr *frag_hdr;
struct bpf_spin_lock *bpf_spin_lock;
struct bpf_fib_lookup *bpf_fib_lookup;
enum bpf_map_type bpf_map_type;
enum xdp_action xdp_action;
__be16 net_16;
__be32 net_32;
__be64 net_64;
__wsum csum_32;
__sum16 csum_16;
__s32 signed_32;
__s64 signed_64;
