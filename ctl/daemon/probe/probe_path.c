// SPDX-License-Identifier: GPL-2.0
/* See probe_path.h, and docs/design/probes.md for the complete path. */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "bpf/abi_punt.h"
#include "bpf/tunnel.h"
#include "core/net/address.h"
#include "core/base/memory.h"
#include "core/health/probe_packet.h"
#include "ctl/daemon/log.h"
#include "ctl/maps/clock.h"
#include "ctl/maps/maps.h"
#include "ctl/maps/ring.h"
#include "probe_path.h"
#include "probe_source.h"
#include "probe_tun.h"

#define BUCKETS 4096
#define LINGER_SECONDS 10   /* for the last packets of a closed connection */
#define PACKETS_AT_ONCE 256 /* then the loop handles its other events */
#define REPLIES_AT_ONCE 1024
#define PACKET_SIZE 65536

/* A socket: the key of the packets that it sends, and their route. */
struct binding {
	struct probe_key key;
	struct backend route;
	struct binding *next; /* next binding in the hash bucket */
	time_t closed;        /* CLOCK_MONOTONIC; 0: open */
	int error;            /* of the last packet sent, -errno */
};

struct probe_path {
	struct probe_tun *tun;
	struct probe_sources *sources;
	struct ring_buffer *replies;
	size_t turn_count; /* replies read in this turn of the loop */
	int wire_fd;       /* AF_PACKET, for sending only */
	struct probe_namespace *space;
	sd_event_source *sent, *replied, *ended;
	time_t tidied;
	struct binding *buckets[BUCKETS];
};

/* --- sockets by the key of their packets */

/* The kernel assigns ports in sequence or at random; both spread well over the buckets. */
static struct binding **bucket_of(struct probe_path *path, const struct probe_key *key)
{
	return &path->buckets[(ntohs(key->port) ^ key->protocol) % BUCKETS];
}

static struct binding *find(struct probe_path *path, const struct probe_key *key)
{
	struct binding *binding = *bucket_of(path, key);

	while (binding && memcmp(&binding->key, key, sizeof(*key)))
		binding = binding->next;
	return binding;
}

/* Replaces a closed binding with the same key: the kernel may assign the port again before the binding is removed. */
static void add_binding(struct probe_path *path, const struct probe_key *key, const struct backend *route)
{
	struct binding *binding = find(path, key), **bucket = bucket_of(path, key);

	if (!binding) {
		binding = allocate(1, sizeof(*binding));
		binding->key = *key;
		binding->next = *bucket;
		*bucket = binding;
	}
	binding->route = *route;
	binding->closed = 0;
	binding->error = 0;
}

/* Removes bindings that were closed before a time. */
static void sweep(struct probe_path *path, time_t before)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct binding **at = &path->buckets[i];

		while (*at) {
			struct binding *binding = *at;

			if (binding->closed && binding->closed < before) {
				*at = binding->next;
				free(binding);
			} else {
				at = &binding->next;
			}
		}
	}
}

/* Runs at most once a second. */
static int tidy(struct probe_path *path)
{
	time_t now = clock_seconds();
	int error;

	if (path->tidied == now)
		return 0;
	sweep(path, now - LINGER_SECONDS);
	error = probe_sources_refresh(path->sources);
	if (!error)
		path->tidied = now;
	return error;
}

/* --- sending and receiving */

/* 0 or -errno. */
static int put_on_wire(struct probe_path *path, void *packet, size_t size, const struct backend *route)
{
	_Alignas(4) uint8_t outer[PROBE_OUTER_SIZE];
	struct iovec parts[] = {{.iov_base = outer}, {.iov_base = packet, .iov_len = size}};
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = route->ifindex, .sll_halen = 6};
	struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = parts, .msg_iovlen = 2};
	bool ipv6 = *(uint8_t *)packet >> 4 == 6;

	if (is_tunnel(route->forward)) {
		parts[0].iov_len = probe_packet_outer(packet, size, route, outer);
		ipv6 = !address_is_ipv4(&route->address);
	}
	to.sll_protocol = htons(ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	memcpy(to.sll_addr, &route->next_hop, sizeof(route->next_hop));
	return sendmsg(path->wire_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Also reads packets that belong to no socket, such as neighbour discovery, and drops them. */
static int on_sent(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct probe_path *path = data;
	static uint8_t packet[PACKET_SIZE];

	(void)source;
	(void)events;
	for (int i = 0; i < PACKETS_AT_ONCE; i++) {
		ssize_t size = read(fd, packet, sizeof(packet));
		struct binding *binding = NULL;
		struct probe_key key;

		if (size <= 0)
			break;
		if (!probe_packet_key(packet, size, &key))
			binding = find(path, &key);
		if (binding)
			binding->error = put_on_wire(path, packet, size, &binding->route);
	}
	return 0;
}

/* The network stack of the namespace checks the packet: checksum, sequence number. Any host can send packets from a
 * VIP, so those for no socket are dropped first. Returning an error ends the turn. libbpf has consumed the record by
 * then. */
static int take_reply(void *data, void *record, size_t size)
{
	struct probe_path *path = data;
	const struct punt *frame = record;
	struct probe_key key;
	size_t offset = probe_packet_reply(frame->frame, frame->length, &key);

	(void)size;
	if (offset && find(path, &key))
		(void)!write(probe_tun_fd(path->tun), frame->frame + offset, frame->length - offset);
	return ++path->turn_count < REPLIES_AT_ONCE ? 0 : -EAGAIN;
}

/* Replies have priority: they are read before more probes are sent, and before the ring buffer is full. After a turn
 * that has not read them all, the other events have their turn first: a flood may fill the ring buffer without an end.
 */
static int on_replied(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct probe_path *path = data;

	(void)fd;
	(void)events;
	path->turn_count = 0;
	ring_buffer__consume(path->replies);
	return sd_event_source_set_priority(
		source, path->turn_count < REPLIES_AT_ONCE ? SD_EVENT_PRIORITY_IMPORTANT : SD_EVENT_PRIORITY_NORMAL);
}

/* --- sockets */

static socklen_t to_sockaddr(const struct address *address, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (address_is_ipv4(address)) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;

		in->sin_family = AF_INET;
		in->sin_addr.s_addr = address->word[3];
		return sizeof(*in);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, address, sizeof(*address));
		return sizeof(*in6);
	}
}

/* The key of packets that a bound socket sends. 0 or -errno. */
static int key_of(int fd, struct probe_key *out)
{
	struct sockaddr_storage name;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&name;
	struct sockaddr_in *in = (struct sockaddr_in *)&name;
	socklen_t size = sizeof(name), protocol_size = sizeof(int);
	int protocol;

	if (getsockname(fd, (struct sockaddr *)&name, &size) < 0 ||
		getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &protocol_size) < 0)
		return -errno;
	*out = (struct probe_key){.protocol = protocol};
	if (name.ss_family == AF_INET) {
		out->source = (struct address){.word = {0, 0, htonl(0xffff), in->sin_addr.s_addr}};
		out->port = in->sin_port;
	} else {
		memcpy(&out->source, &in6->sin6_addr, sizeof(out->source));
		out->port = in6->sin6_port;
	}
	return 0;
}

/* Limits packets to one hop: a backend that lacks the VIP but forwards packets would pass a probe on to
 * a backend that has the VIP, possibly through this balancer. Disables fragmentation, because later
 * fragments carry no port and cannot be matched to the socket. */
static int prepare(int fd, bool ipv4)
{
	static const struct {
		int level, name, value;
	} options[2][3] = {
		{{IPPROTO_IPV6, IPV6_FREEBIND, 1}, {IPPROTO_IPV6, IPV6_UNICAST_HOPS, 1},
			{IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO}},
		{{IPPROTO_IP, IP_FREEBIND, 1}, {IPPROTO_IP, IP_TTL, 1}, {IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO}},
	};

	for (int i = 0; i < 3; i++)
		if (setsockopt(fd, options[ipv4][i].level, options[ipv4][i].name, &options[ipv4][i].value,
			    sizeof(int)) < 0)
			return -errno;
	return 0;
}

static int bind_socket(struct probe_path *path, int fd, const struct address *from, const struct backend *route)
{
	struct sockaddr_storage name;
	socklen_t size = to_sockaddr(from, &name);
	struct probe_key key;
	int error = prepare(fd, address_is_ipv4(from));

	if (error)
		return error;
	if (bind(fd, (struct sockaddr *)&name, size) < 0)
		return -errno;
	error = key_of(fd, &key);
	if (!error)
		add_binding(path, &key, route);
	return error;
}

/* Limits packets to a size that fits every route. */
static int fit(struct probe_path *path, const struct backend *route)
{
	uint32_t outer = outer_size(route);

	return probe_tun_limit(path->tun, route->mtu > outer ? route->mtu - outer : 0);
}

int probe_path_socket(
	struct probe_path *path, int type, int protocol, const struct address *vip, const struct backend *route)
{
	struct address from;
	int fd, error = tidy(path);

	if (!error)
		error = probe_sources_choose(path->sources, vip, route->ifindex, &from);
	if (!error)
		error = fit(path, route);
	if (error)
		return error;
	fd = probe_tun_socket(path->tun, address_is_ipv4(vip) ? AF_INET : AF_INET6, type, protocol);
	if (fd < 0)
		return fd;
	error = bind_socket(path, fd, &from, route);
	if (!error)
		return fd;
	close(fd);
	return error;
}

static struct binding *find_by_fd(struct probe_path *path, int fd)
{
	struct probe_key key;

	return key_of(fd, &key) ? NULL : find(path, &key);
}

int probe_path_sent(struct probe_path *path, int fd)
{
	const struct binding *binding = find_by_fd(path, fd);

	return binding ? binding->error : 0;
}

void probe_path_close(struct probe_path *path, int fd)
{
	struct binding *binding = find_by_fd(path, fd);

	if (binding)
		binding->closed = clock_seconds();
	close(fd);
}

/* --- setup and cleanup */

static int open_wire(struct probe_path *path)
{
	path->wire_fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return path->wire_fd < 0 ? -errno : 0;
}

/* Without this process, the daemon cannot open sockets and would not detect failed backends. */
static int on_ended(sd_event_source *source, int fd, uint32_t events, void *data)
{
	(void)fd;
	(void)events;
	(void)data;
	log_error("the process that opens the probe sockets has exited: sipxdpd also exits and must be restarted; "
		  "forwarding continues");
	return sd_event_exit(sd_event_source_get_event(source), -EPIPE);
}

static int join_loop(struct probe_path *path, sd_event *event)
{
	int error = sd_event_add_io(event, &path->sent, probe_tun_fd(path->tun), EPOLLIN, on_sent, path);

	if (error >= 0)
		error = sd_event_add_io(event, &path->ended, probe_namespace_fd(path->space), EPOLLHUP, on_ended, path);
	if (error >= 0)
		error = sd_event_add_io(
			event, &path->replied, ring_buffer__epoll_fd(path->replies), EPOLLIN, on_replied, path);
	if (error >= 0)
		error = sd_event_source_set_priority(path->sent, SD_EVENT_PRIORITY_IMPORTANT);
	if (error >= 0)
		error = sd_event_source_set_priority(path->replied, SD_EVENT_PRIORITY_IMPORTANT);
	return error < 0 ? error : 0;
}

int probe_path_new(struct probe_path **out, sd_event *event, struct probe_namespace *space, const char *pin_directory)
{
	struct probe_path *path = allocate(1, sizeof(*path));
	int error;

	path->wire_fd = -1;
	path->space = space;
	error = probe_tun_new(&path->tun, space);
	if (!error)
		error = probe_sources_new(&path->sources, path->tun, pin_directory);
	if (!error)
		error = ring_open(&path->replies, pin_directory, "punt_probes", take_reply, path);
	if (!error)
		error = open_wire(path);
	if (!error)
		error = join_loop(path, event);
	if (error) {
		probe_path_free(path);
		path = NULL;
	}
	*out = path;
	return error;
}

void probe_path_free(struct probe_path *path)
{
	if (!path)
		return;
	sd_event_source_unref(path->sent);
	sd_event_source_unref(path->replied);
	sd_event_source_unref(path->ended);
	ring_buffer__free(path->replies);
	probe_sources_free(path->sources);
	probe_tun_free(path->tun);
	if (path->wire_fd >= 0)
		close(path->wire_fd);
	for (size_t i = 0; i < BUCKETS; i++) {
		while (path->buckets[i]) {
			struct binding *binding = path->buckets[i];

			path->buckets[i] = binding->next;
			free(binding);
		}
	}
	free(path);
}
