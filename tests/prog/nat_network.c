// SPDX-License-Identifier: GPL-2.0
/* See nat_network.h. */

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "nat_network.h"
#include "require.h"
#include "suite.h"

static const char *const network[] = {
	"ip link set lo up",
	"ip link add out0 address " NAT_OUT_MAC " type veth peer name out1",
	"ip link set out0 up",
	"ip link set out1 up",
	"ip addr add 203.0.113.1/24 dev out0",
	"ip addr add 2001:db8:2::1/64 dev out0 nodad",
	"ip neigh add 203.0.113.2 lladdr " NAT_GATEWAY_MAC " dev out0 nud permanent",
	"ip neigh add 2001:db8:2::2 lladdr " NAT_GATEWAY_MAC " dev out0 nud permanent",
	"ip route add 198.51.100.0/24 via 203.0.113.2",
	"ip route add 2001:db8::/64 via 2001:db8:2::2",
	"ip route add unreachable 198.51.100.9",
	"ip route add unreachable 2001:db8::9",
	"ip route add 198.51.100.10 via 203.0.113.2 mtu lock 600",
	"sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
};

/* The VIP of each port of each backend. */
static void put_sources(uint32_t id, const char *address, const char *vip)
{
	static const struct {
		uint16_t port, vip_port;
		uint8_t protocol;
	} rows[] = {
		{5060, 0, IPPROTO_UDP},
		{15060, 5062, IPPROTO_UDP},
		{15061, 5061, IPPROTO_TCP},
		{0, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct nat_source key = {.port = htons(rows[i].port), .protocol = rows[i].protocol};
		struct nat_vip value = {.backend = id, .port = htons(rows[i].vip_port)};

		key.address = balancer_address(address);
		value.vip = balancer_address(vip);
		run_must(
			bpf_map_update_elem(bpf_map__fd(skel->maps.nat_sources), &key, &value, BPF_ANY), "nat_sources");
	}
}

/* Ports 10000 to 10007 of the backend. */
static void put_range(uint32_t id, const char *address, const char *vip)
{
	struct nat_range_key key = {.prefix = PORT_RANGE_KEY_BITS(13), .protocol = IPPROTO_UDP, .port = htons(10000)};
	struct nat_vip value = {.backend = id};

	key.address = balancer_address(address);
	value.vip = balancer_address(vip);
	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.nat_ranges), &key, &value, BPF_ANY), "nat_ranges");
}

void nat_network_set_flags(uint32_t flags)
{
	struct nat_settings settings = {.flags = flags, .hash_key = {test_hash_key[0], test_hash_key[1]}};

	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.nat_settings), &(uint32_t){0}, &settings, BPF_ANY),
		"nat_settings");
}

/* The balancer is attached to out0. */
static void put_interface(void)
{
	uint32_t ifindex = if_nametoindex("out0"), at = INTERFACE_MAC_INDEX(ifindex);
	struct interface_mac mac = {.own.ifindex = ifindex, .mtu = 1500};

	run_must(bpf_map_update_elem(bpf_map__fd(skel->maps.interface_macs), &at, &mac, BPF_ANY), "interface_macs");
}

void nat_network_load(bool no_fast_path)
{
	suite_load(&(struct balancer_setup){.forward = FORWARD_NAT, .no_fast_path = no_fast_path});
	put_sources(1, "10.0.0.1", "192.0.2.10");
	put_sources(1, "fd00::1", "2001:db8::10");
	put_range(1, "10.0.0.1", "192.0.2.20");
	put_range(1, "fd00::1", "2001:db8::20");
	nat_network_set_flags(NAT_ACTIVE | NAT_RANGES);
	put_interface();
}

void nat_network_enter(void)
{
	require_run();
	run_must(unshare(CLONE_NEWNET), "unshare");
	for (size_t i = 0; i < sizeof(network) / sizeof(*network); i++)
		nat_network_run(network[i]);
}

void nat_network_run(const char *command)
{
	run_must(system(command), command);
}
