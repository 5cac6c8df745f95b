// SPDX-License-Identifier: GPL-2.0
/* `status`: the state of the balancer, anomalies and warnings. See report.h. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include "ctl/daemon/capture/capture_sender.h"
#include "bpf/tunnel.h"
#include "core/base/memory.h"
#include "ctl/daemon/active_maps.h"
#include "ctl/daemon/call_balance.h"
#include "ctl/daemon/counted_calls.h"
#include "ctl/daemon/setups.h"
#include "ctl/daemon/tracked_calls.h"
#include "ctl/daemon/join/join_listener.h"
#include "ctl/daemon/observe/observe.h"
#include "ctl/daemon/listening_clock.h"
#include "ctl/daemon/log.h"
#include "ctl/daemon/neighbour/forwarding.h"
#include "ctl/daemon/floods.h"
#include "ctl/daemon/group/group_report.h"
#include "ctl/daemon/guard/guard_blocks.h"
#include "ctl/daemon/guard/guard_lists.h"
#include "ctl/daemon/guard/guard_watch.h"
#include "ctl/maps/maps_report.h"
#include "ctl/daemon/trace/trace.h"
#include "report.h"

static json_t *interfaces_json(const struct daemon *daemon)
{
	const struct config *config = daemon->farm->config;
	char path[ACTIVE_MAPS_PATH_SIZE];
	const char *pins = active_maps_directory(daemon, path);
	json_t *list = json_array();

	for (size_t i = 0; i < config->interface_count; i++) {
		const char *mode = maps_attach_mode(daemon->maps, pins, config->interfaces[i]);

		json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "name", config->interfaces[i], "attached",
						    strcmp(mode, "none") != 0, "mode", mode));
	}
	return list;
}

static void warn(json_t *warnings, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void warn(json_t *warnings, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	json_array_append_new(warnings, json_vsprintf(format, arguments));
	va_end(arguments);
}

static void warn_of_interface(const struct daemon *daemon, const char *interface, json_t *warnings)
{
	char name[INTERFACE_SIZE], path[ACTIVE_MAPS_PATH_SIZE];
	const char *pins = active_maps_directory(daemon, path);
	const char *now = maps_current_name(pins, interface, name);
	const char *mode = maps_attach_mode(daemon->maps, pins, interface);
	const char *fault = maps_link_fault(now);

	if (fault)
		warn(warnings, "interface %s: no packet can pass, because it %s (see 'ip link show %s')", now, fault,
			now);
	if (!strcmp(mode, "none"))
		warn(warnings, "interface %s: no balancer is attached (run 'sipxdp-loader attach -c %s')", interface,
			daemon->config_path);
	else if (!strcmp(mode, "unknown"))
		warn(warnings, "interface %s: cannot determine whether the balancer is attached", interface);
	else if (strcmp(now, interface))
		warn(warnings,
			"interface %s: the balancer runs on %s, which was %s: change `interfaces:` in %s, then run "
			"'sipxdp-ctl reload'",
			interface, now, interface, daemon->config_path);
	else if (!strcmp(mode, "generic"))
		warn(warnings, "interface %s: attached in generic mode, which is slow", interface);
}

static void warn_of_interfaces(const struct daemon *daemon, json_t *warnings)
{
	const struct config *config = daemon->farm->config;
	int pinned;

	if (daemon->using_next_maps) {
		warn(warnings,
			"sipxdp-loader is switching to new maps (if it was interrupted, run 'sipxdp-loader upgrade -c "
			"%s')",
			daemon->config_path);
		return;
	}
	pinned = maps_are_pinned(daemon->maps, daemon->pin_directory);
	if (pinned < 0)
		warn(warnings, "cannot read the pinned maps in %s: %s", daemon->pin_directory, strerror(-pinned));
	if (active_maps_are_cut_off(daemon))
		warn(warnings,
			"the pins in %s are gone (was bpffs unmounted?): the balancer still forwards, but only until "
			"sipxdpd stops. Do not stop it before an outage is possible",
			daemon->pin_directory);
	else if (!pinned)
		warn(warnings, "the balancer is detached and forwards no packets (run 'sipxdp-loader attach -c %s')",
			daemon->config_path);
	for (size_t i = 0; i < config->interface_count; i++)
		warn_of_interface(daemon, config->interfaces[i], warnings);
}

#define SERVICES_CHECKED 1000 /* a configuration may have 65,536 services, and each costs system calls */

static size_t count_local_vips(const struct daemon *daemon, const struct config_service *service)
{
	size_t count = 0;

	for (size_t i = 0; i < service->vip_count; i++)
		count += neighbours_is_local(daemon->neighbours, &service->vips[i]) == 1;
	return count;
}

static void warn_of_vip(const struct config *config, const struct config_service *service,
	const struct address *address, bool has_packets, json_t *warnings)
{
	const int bits = address_is_ipv4(address) ? 32 : 128;
	char vip[ADDRESS_TEXT_SIZE];

	address_format(address, vip);
	if (has_packets)
		warn(warnings,
			"service %s: %s is not an address of this machine, although a different VIP of the service is: "
			"route it to this machine, or run 'ip address add %s/%d dev %s'",
			service->name, vip, vip, bits, config->interfaces[0]);
	else
		warn(warnings,
			"service %s: %s is not an address of this machine, and no packet for it has arrived: "
			"route it to this machine, or run 'ip address add %s/%d dev %s'",
			service->name, vip, vip, bits, config->interfaces[0]);
}

/* A VIP needs a local address, which answers ARP or neighbour discovery, or a route to this machine. The daemon cannot
 * verify such a route except by packets that arrive. The packets of a service are counted together: if a VIP of the
 * service is local, they may all have arrived for that one. */
static void warn_of_vips(const struct daemon *daemon, json_t *warnings)
{
	const struct farm *farm = daemon->farm;

	for (size_t i = 0; i < farm->config->service_count && i < SERVICES_CHECKED; i++) {
		const struct config_service *service = &farm->config->services[i];
		struct service_traffic traffic = {0};

		maps_service_traffic(daemon->maps, farm->service_ids[i], &traffic);
		if (traffic.packets && !count_local_vips(daemon, service))
			continue;
		for (size_t j = 0; j < service->vip_count; j++)
			if (!neighbours_is_local(daemon->neighbours, &service->vips[j]))
				warn_of_vip(farm->config, service, &service->vips[j], traffic.packets, warnings);
	}
}

static uint32_t outer_bytes(const struct farm_backend *backend)
{
	return outer_size(&(struct backend){.address = backend->record.address, .forward = backend->forward});
}

/* The MTU of each interface of the balancer: an array with interface_count elements, which the caller frees. */
static uint32_t *interface_mtus(const struct daemon *daemon)
{
	const struct config *config = daemon->farm->config;
	uint32_t *mtus = allocate(config->interface_count, sizeof(*mtus));

	for (size_t i = 0; i < config->interface_count; i++)
		mtus[i] = neighbours_interface_mtu(daemon->neighbours, config->interfaces[i]);
	return mtus;
}

/* The MTU that the route to a backend needs for the largest packets of clients, in bytes. If clients use the same
 * interface as the route, their packets have at most 1500 bytes: a larger MTU of this interface is for the tunnel. */
static uint32_t wanted_mtu(const struct config *config, const uint32_t *mtus, const char *interface, uint32_t outer)
{
	uint32_t most = 0;

	for (size_t i = 0; i < config->interface_count; i++) {
		bool same = !strcmp(config->interfaces[i], interface);
		uint32_t mtu = same && mtus[i] > ETH_DATA_LEN ? ETH_DATA_LEN : mtus[i];

		most = mtu > most ? mtu : most;
	}
	return most + outer;
}

/* A backend whose route needs a larger MTU. */
struct narrow {
	const struct farm_backend *backend; /* NULL: none */
	uint32_t outer;                     /* bytes of the tunnel header */
	uint32_t wanted;                    /* the MTU that the route needs */
};

static bool is_worse(const struct narrow *a, const struct narrow *b)
{
	if (!b->backend || a->wanted != b->wanted)
		return !b->backend || a->wanted > b->wanted;
	return a->backend->route.mtu < b->backend->route.mtu;
}

/* Returns the backend whose route needs the largest MTU; that MTU is also sufficient for all other backends. */
static struct narrow find_narrow(const struct daemon *daemon, const uint32_t *mtus, const struct farm_pool *pool)
{
	struct narrow worst = {0};

	for (size_t i = 0; i < pool->count; i++) {
		const struct route *route = &pool->backends[i].route;
		struct narrow this = {.backend = &pool->backends[i], .outer = outer_bytes(&pool->backends[i])};

		if (!farm_backend_exists(this.backend) || route->state != ROUTE_READY)
			continue;
		this.wanted = wanted_mtu(daemon->farm->config, mtus, route->interface, this.outer);
		if (route->mtu < this.wanted && is_worse(&this, &worst))
			worst = this;
	}
	return worst;
}

/* The origin of a route's MTU. */
static const char *why_narrow(const struct daemon *daemon, const struct farm_backend *backend, char *why, size_t size)
{
	const struct route *route = &backend->route;
	char address[ADDRESS_TEXT_SIZE];

	if (route->path_mtu == route->mtu)
		snprintf(why, size, "reported by router %s", address_format(&route->path_router, address));
	else if (route->mtu < neighbours_interface_mtu(daemon->neighbours, route->interface))
		snprintf(why, size, "see 'ip route get %s'", address_format(&backend->record.address, address));
	else
		snprintf(why, size, "see 'ip link show %s'", route->interface);
	return why;
}

/* Adds one line for the pool. It names the worst backend. */
static void warn_of_mtu(
	const struct daemon *daemon, const uint32_t *mtus, const struct farm_pool *pool, json_t *warnings)
{
	const struct narrow narrow = find_narrow(daemon, mtus, pool);
	char why[32 + ADDRESS_TEXT_SIZE];

	if (!narrow.backend)
		return;
	warn(warnings,
		"pool %s: packets of more than %u bytes are fragmented or refused: the route to %s has an MTU of %u "
		"(%s) and needs %u",
		pool->config->name, narrow.backend->route.mtu - narrow.outer, narrow.backend->record.name,
		narrow.backend->route.mtu, why_narrow(daemon, narrow.backend, why, sizeof(why)), narrow.wanted);
}

/* Adds one line for the pool. It names the first such backend. */
/* The next hops to clients come from the kernel's routing table, which the kernel lets XDP read only if it forwards the
 * packets of this interface. The first server stands for all. */
static void warn_of_forwarding(const struct farm_pool *pool, json_t *warnings)
{
	const struct farm_backend *nat = NULL;
	bool ipv6;

	for (size_t i = 0; i < pool->count && !nat; i++)
		if (pool->backends[i].forward == FORWARD_NAT && *pool->backends[i].route.interface &&
			farm_backend_exists(&pool->backends[i]))
			nat = &pool->backends[i];
	ipv6 = nat && !address_is_ipv4(&nat->record.address);
	if (nat && !forwarding_is_on(nat->route.interface, ipv6))
		warn(warnings,
			"pool %s: responses of its servers are not translated: the kernel does not forward %s packets "
			"of %s (run 'sysctl -w %s=1')",
			pool->config->name, ipv6 ? "IPv6" : "IPv4", nat->route.interface,
			ipv6 ? "net.ipv6.conf.all.forwarding" : "net.ipv4.ip_forward");
}

static void warn_of_trouble(const struct farm_pool *pool, json_t *warnings)
{
	const struct farm_backend *first = NULL;
	size_t count = 0;

	for (size_t i = 0; i < pool->count; i++)
		if (farm_backend_exists(&pool->backends[i]) && *pool->backends[i].probe_trouble) {
			first = first ? first : &pool->backends[i];
			count++;
		}
	if (first)
		warn(warnings,
			"pool %s: the balancer cannot probe %zu of %zu backends and does not change their health "
			"(%s: %s)",
			pool->config->name, count, report_backends(pool), first->record.name, first->probe_trouble);
}

#define BACKENDS_NAMED 100 /* maximum lines for one pool, which may have 65,535 backends */

/* A backend with `mac:` in the file gets its packets at this address, also if its hardware has changed. */
static void warn_of_mac(
	const struct daemon *daemon, const struct farm_pool *pool, const struct farm_backend *backend, json_t *warnings)
{
	const struct route *route = neighbours_route(daemon->neighbours, &backend->record.address);
	char set[MAC_TEXT_SIZE], found[MAC_TEXT_SIZE];

	if (mac_is_zero(&backend->record.mac) || mac_is_zero(&route->next_hop) || route->state != ROUTE_READY ||
		!memcmp(&backend->record.mac, &route->next_hop, sizeof(route->next_hop)))
		return;
	warn(warnings, "backend %s/%s: its MAC address is set to %s (mac), but the network reports %s",
		pool->config->name, backend->record.name, mac_format(&backend->record.mac, set),
		mac_format(&route->next_hop, found));
}

static void warn_of_states(const struct daemon *daemon, const struct farm_pool *pool, json_t *warnings)
{
	const struct farm *farm = daemon->farm;
	size_t count = 0;

	for (size_t i = 0; i < pool->count; i++) {
		const struct farm_backend *backend = &pool->backends[i];
		enum backend_state state = backend->record.state;

		if (!farm_backend_exists(backend) || (state != STATE_PENDING && state != STATE_UNREACHABLE &&
							     state != STATE_DOWN && state != STATE_SUSPECTED))
			continue;
		if (count++ >= BACKENDS_NAMED)
			continue;
		warn(warnings, "backend %s/%s is %s: %s", pool->config->name, backend->record.name,
			farm_state_name(state), farm_reason(farm, pool, backend));
		warn_of_mac(daemon, pool, backend, warnings);
	}
	if (count > BACKENDS_NAMED)
		warn(warnings, "pool %s: %zu more backends are not up (see 'sipxdp-ctl backend list %s')",
			pool->config->name, count - BACKENDS_NAMED, pool->config->name);
}

/* No backend owns a slot of the pool. */
static void warn_of_owners(const struct daemon *daemon, const struct farm_pool *pool, json_t *warnings)
{
	bool alive = false;

	for (size_t i = 0; i < pool->count; i++)
		alive |= daemon->running->backends[pool->backends[i].id].alive;
	if (alive)
		warn(warnings, "pool %s: no backend takes new calls: only existing calls are forwarded",
			pool->config->name);
	else
		warn(warnings, "pool %s: no backend can receive packets: its calls are not forwarded",
			pool->config->name);
}

static void warn_of_backends(const struct daemon *daemon, json_t *warnings)
{
	const struct farm *farm = daemon->farm;
	uint32_t *mtus = interface_mtus(daemon);
	char text[FARM_OUTAGE_SIZE], failing[FARM_PASSIVE_SIZE];
	bool changed = false;

	for (size_t i = 0; i < farm->config->pool_count; i++) {
		const struct farm_pool *pool = &farm->pools[i];

		if (pool->outage.view != OUTAGE_NONE)
			warn(warnings, "pool %s: %s", pool->config->name,
				farm_outage_text(pool, listening_clock_now(), text));
		if (*farm_passive_text(pool, failing))
			warn(warnings, "pool %s: %s", pool->config->name, failing);
		if (pool->fail_open)
			warn(warnings,
				"pool %s FAIL OPEN: less than %u %% of its backends pass their probes (min_alive), so "
				"it ignores them",
				pool->config->name, pool->config->min_alive);
		if (!report_serving(daemon, pool))
			warn_of_owners(daemon, pool, warnings);
		warn_of_mtu(daemon, mtus, pool, warnings);
		warn_of_trouble(pool, warnings);
		warn_of_forwarding(pool, warnings);
		warn_of_states(daemon, pool, warnings);
		for (size_t j = 0; j < pool->count; j++) {
			uint8_t overrides = pool->backends[j].record.overrides;

			changed |= overrides && !(overrides & (OVERRIDE_JOINED | OVERRIDE_LEAVING));
		}
	}
	free(mtus);
	if (changed)
		warn(warnings,
			"the running configuration differs from %s: a reload will undo the changes ('sipxdp-ctl save' "
			"prints it)",
			daemon->config_path);
}

static void warn_of_rate(void *warnings, const char *text)
{
	warn(warnings, "%s", text);
}

static json_t *warnings_json(const struct daemon *daemon)
{
	json_t *warnings = json_array();

	if (daemon->farm->away_since)
		warn(warnings, WARNING_AWAY);
	warn_of_interfaces(daemon, warnings);
	warn_of_vips(daemon, warnings);
	warn_of_backends(daemon, warnings);
	floods_warnings(daemon->floods, warn_of_rate, warnings);
	guard_watch_warnings(daemon->guard_watch, daemon, warn_of_rate, warnings);
	if (!tracked_calls_have_room(daemon->calls, daemon))
		warn(warnings,
			"the map of tracked calls is nearly full (%u entries): raise `limits: tracked_calls`, or end "
			"migrations with 'sipxdp-ctl pool finish POOL'",
			daemon->running->contract.tracked_calls);
	if (!counted_calls_have_room(daemon->counted_calls, daemon))
		warn(warnings,
			"the map of counted calls is nearly full (%u entries): the numbers of calls become too low. "
			"Raise `limits: counted_calls`",
			daemon->running->contract.counted_calls);
	if (!setups_have_room(daemon))
		warn(warnings,
			"the map of call setups is nearly full (%d entries): the setup times of further calls are not "
			"measured",
			SETUPS);
	call_balance_warnings(daemon, warn_of_rate, warnings);
	group_report_warnings(daemon, warn_of_rate, warnings);
	if (blocks_count(guard_blocks_entries(daemon)) > GUARD_BLOCKS / 10 * 9)
		warn(warnings, "the list of blocked prefixes is nearly full (%zu of %d entries)",
			blocks_count(guard_blocks_entries(daemon)), GUARD_BLOCKS);
	if (guard_lists_fault(daemon))
		warn(warnings, "the guard does not use the lists of its files: %s", guard_lists_fault(daemon));
	if (log_lost())
		warn(warnings, "%" PRIu64 " log lines of sipxdpd are lost: %s", log_lost(), log_lost_reason());
	if (join_listener_fault(daemon->join_listener))
		warn(warnings, "servers cannot join: %s; the silence of servers does not count",
			join_listener_fault(daemon->join_listener));
	if (observe_fault(daemon->observe))
		warn(warnings, "monitoring cannot read metrics: %s", observe_fault(daemon->observe));
	if (capture_sender_fault(daemon->capture_sender))
		warn(warnings, "SIP messages are not captured: %s", capture_sender_fault(daemon->capture_sender));
	if (join_listener_outsiders(daemon->join_listener))
		warn(warnings, "join: %s", join_listener_outsiders(daemon->join_listener));
	if (join_listener_losses(daemon->join_listener))
		warn(warnings, "join: %s", join_listener_losses(daemon->join_listener));
	return warnings;
}

/* Adds the counts of the packets that the kernel has passed to the daemon, by result. They are not parts of the
 * counters of the kernel, which are older than the daemon. */
static void add_punt_counts(const struct daemon *daemon, json_t *anomalies)
{
	const struct punt_counts counts = punt_counts(daemon->punt_handler);
	const struct refuse_counts refused = refuse_counts(daemon->refuser);
	const struct {
		const char *verdict, *text;
		uint64_t packets;
	} rows[] = {
		{"held_fragment", "dropped: the first fragment never arrived", counts.timed_out},
		{"held_fragment", "dropped: too many waited, and newer ones replaced them", counts.displaced},
		{"held_fragment", "dropped: duplicates of waiting fragments", counts.duplicates},
		{"held_fragment", "dropped: the daemon read them too late", counts.late_fragments},
		{"held_fragment", "dropped: the interface did not accept them", counts.unsent},
		{"oversize", "fragmented and forwarded", counts.fragmented},
		{"oversize", "refused: an ICMP message reported the MTU to the sender", counts.answered},
		{"oversize", "dropped: neither fragmentation nor a further ICMP message was possible", counts.refused},
		{"oversize", "dropped: the daemon read them too late", counts.late_oversize},
		{"nat_held", "dropped: the kernel did not accept them", counts.unsent_nat},
		{"nat_held", "dropped: the daemon read them too late", counts.late_nat},
		{"refused", "answered with 503", refused.answered},
		{"refused", "not answered: the daemon read them too late", refused.late},
		{"refused", "not answered: a header that a response needs was missing or unreadable", refused.unusable},
		{"refused", "not answered: it would have been larger than the INVITE", refused.too_large},
		{"refused", "not answered: the interface did not accept it", refused.unsent},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].packets)
			json_array_append_new(
				anomalies, json_pack("{s:s, s:I, s:o}", "verdict", rows[i].verdict, "packets",
						   (json_int_t)rows[i].packets, "text",
						   json_sprintf("since the daemon started: %s", rows[i].text)));
}

/* NULL without `capture:`. */
static json_t *capture_json(const struct daemon *daemon)
{
	const struct config_capture *capture = &daemon->farm->config->capture;
	const struct capture_sender_counts counts = capture_sender_counts(daemon->capture_sender);
	char to[ENDPOINT_TEXT_SIZE];

	if (!capture->to.port)
		return NULL;
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "to", endpoint_format(&capture->to, to), "id",
		(json_int_t)capture->id, "sample", (json_int_t)capture->sample, "sent", (json_int_t)counts.sent,
		"ring_full", (json_int_t)counts.ring_full, "incomplete", (json_int_t)counts.incomplete, "too_long",
		(json_int_t)counts.too_long, "unsent", (json_int_t)counts.unsent, "refused",
		(json_int_t)counts.refused);
}

json_t *report_status(struct daemon *daemon, const struct request *request)
{
	const struct farm *farm = daemon->farm;
	size_t backends = 0, in_table = 0;
	struct verdict_counters counters;
	const uint64_t *counter = (const uint64_t *)&counters;
	uint64_t packets = 0, forwarded = 0;
	json_t *anomalies = json_array();

	(void)request;
	maps_verdicts(daemon->maps, &counters);
	for (size_t i = 0; i < farm->config->pool_count; i++) {
		backends += report_backends(&farm->pools[i]);
		in_table += report_serving(daemon, &farm->pools[i]);
	}
	for (int i = 0; i < VERDICT_COUNT; i++) {
		packets += counter[i];
		forwarded += maps_report_verdicts[i].forwards ? counter[i] : 0;
		if (counter[i] && !maps_report_verdicts[i].normal)
			json_array_append_new(
				anomalies, json_pack("{s:s, s:I, s:s}", "verdict", maps_report_verdicts[i].name,
						   "packets", counter[i], "text", maps_report_verdicts[i].text));
	}
	add_punt_counts(daemon, anomalies);
	return protocol_ok(json_pack(
		"{s:s, s:i, s:I, s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o*, s:I, s:b, s:I, s:s}",
		"version", SIPXDP_VERSION, "pid", getpid(), "uptime", (json_int_t)(time(NULL) - daemon->started),
		"away_since", (json_int_t)farm->away_since, "config", protocol_text(daemon->config_path), "pin_dir",
		protocol_text(daemon->pin_directory), "interfaces", interfaces_json(daemon), "services",
		(json_int_t)farm->config->service_count, "pools", (json_int_t)farm->config->pool_count, "backends",
		(json_int_t)backends, "in_table", (json_int_t)in_table, "packets", (json_int_t)packets, "forwarded",
		(json_int_t)forwarded, "anomalies", anomalies, "warnings", warnings_json(daemon), "capture",
		capture_json(daemon), "traces", (json_int_t)traces_count(daemon->traces), "reloading",
		daemon->reloading, "longest_turn_ms", (json_int_t)worker_longest_turn(daemon->worker), "log_level",
		log_level()));
}
