/* SPDX-License-Identifier: GPL-2.0 */
/* The contract between the programs in the kernel and everything in user space:
 * keys, values, limits and names of the pinned maps. Both sides include this file
 * and neither has a second copy of a type. Whoever changes a size or a meaning
 * raises ABI_VERSION. docs/design/map-contract.md says it in prose. */
#pragma once

#include "vmlinux/types.h"
#include "verdicts.h"

#define ABI_VERSION 5

#define PIN_DIR "/sys/fs/bpf/sipxdp"
#define PIN_NEXT "next" /* below it: maps that are to take the place of those in use */

/* What one balancer can hold unless `limits:` of its file says otherwise. */
#define DEFAULT_SLOTS (1 << 18)
#define DEFAULT_POOLS 32
#define DEFAULT_SERVICES 512
#define DEFAULT_BACKENDS 4096
#define DEFAULT_TRACKED_CALLS (1 << 18)

#define MIN_SLOTS (1 << 8)
#define MAX_SLOTS (1 << 20)
#define MAX_POOLS 1024
#define MAX_SERVICES 65536
#define MAX_BACKENDS 65535 /* ids are 16 bits wide and 0 is nobody */
#define MIN_TRACKED_CALLS (1 << 10)
#define MAX_TRACKED_CALLS (1 << 24)

#define MAX_WEIGHT 1000

#define NAME_SIZE 64 /* bytes of a name with its closing NUL */

/* An IPv4 address is ::ffff:a.b.c.d, so that one path serves both families. */
struct address {
	__be32 word[4];
};

struct mac {
	__u8 byte[6];
};

/* What makes packets belong together. */
enum affinity {
	AFFINITY_CALL_ID,   /* UDP only */
	AFFINITY_SOURCE,    /* source address */
	AFFINITY_FLOW,      /* source address and port */
	AFFINITY_FROM_USER, /* user part of From's URI, of To's, of the Request-URI; UDP only */
	AFFINITY_TO_USER,
	AFFINITY_REQUEST_USER,
};

/* Methods that `methods:` can send to a pool of their own (RFC 3261 and its extensions). */
enum method {
	METHOD_NONE, /* a response, or what is no SIP */
	METHOD_INVITE,
	METHOD_ACK,
	METHOD_BYE,
	METHOD_CANCEL,
	METHOD_OPTIONS,
	METHOD_REGISTER,
	METHOD_PRACK,     /* RFC 3262 */
	METHOD_SUBSCRIBE, /* RFC 6665 */
	METHOD_NOTIFY,
	METHOD_PUBLISH, /* RFC 3903 */
	METHOD_INFO,    /* RFC 6086 */
	METHOD_REFER,   /* RFC 3515 */
	METHOD_MESSAGE, /* RFC 3428 */
	METHOD_UPDATE,  /* RFC 3311 */
	METHOD_OTHER,   /* any other token */
	METHOD_COUNT,
};

enum forward_method {
	FORWARD_NONE, /* backend that cannot be reached: nothing is sent to it */
	FORWARD_DSR,
	FORWARD_IPIP,
};

/* own_macs: hash -> MTU of the interface, bytes from the IP header on. The destination MAC addresses by
 * which an interface receives what is for this machine. A frame with another one is for another host: a
 * switch floods such frames. A packet longer than the MTU was not one frame on the wire. */
struct own_mac {
	__u32 ifindex;
	struct mac mac;
	__u16 pad;
};

#define OWN_MACS 4096

/* interface_macs: array. One of own_macs for each interface, its own address, which nearly all frames
 * have: the program compares it before it searches own_macs. Interfaces may share an element, and an
 * element may be empty: only own_macs can say that a frame is for another host. */
struct interface_mac {
	struct own_mac own;
	__u32 mtu; /* of the interface, bytes from the IP header on */
};

#define INTERFACE_MACS 256
#define INTERFACE_MAC_INDEX(ifindex) ((ifindex) % INTERFACE_MACS)

/* services: hash, of IPv6 VIPs. A port of 0 stands for every port of the VIP that has no
 * service of its own. */
struct service_key {
	struct address vip;
	__be16 port;
	__u8 protocol; /* IPPROTO_UDP, IPPROTO_TCP */
	__u8 pad;
};

/* services_ipv4: hash. The same of IPv4 VIPs: what every packet asks for has a short key. */
struct service_key_ipv4 {
	__be32 vip;
	__be16 port;
	__u8 protocol;
	__u8 pad;
};

enum service_flags {
	SERVICE_METHODS = 1, /* pools differ by method */
	SERVICE_ROUTE = 2,   /* a request's topmost Route may name a backend */
};

/* vips: hash: address -> struct vip. All VIPs, for packets without a port or to one without a
 * service. */
enum vip_flags {
	VIP_PING = 1,        /* echo requests are answered */
	VIP_PORT_RANGES = 2, /* there are ranges of its ports */
};

struct vip {
	__u32 flags; /* enum vip_flags */
};

/* The hash key is here, and not in a map of its own, because this line is in the
 * cache already when the key is needed. */
struct service {
	__u64 hash_key[2];
	__u32 id;                 /* index into service_names and service_traffic */
	__u8 affinity;            /* enum affinity */
	__u8 flags;               /* enum service_flags */
	__u16 hint_group;         /* hint_key.group of its backends' hints; 0: none of them has any */
	__u16 pool[METHOD_COUNT]; /* indexes into pools; that of METHOD_NONE is the service's own */
	__u64 hash_ipv4;          /* hash_start_ipv4() of hash.h */
};

/* port_ranges: LPM trie. Ports of a VIP that lie in a range; a range is cut into prefixes. */
struct port_range_key {
	__u32 prefix; /* bits of what follows that count */
	__u32 protocol;
	struct address vip;
	__be16 port;
	__u16 pad;
};

#define PORT_RANGE_KEY_BITS(port_bits) (32 + 128 + (port_bits))
#define PORT_RANGES 65536
#define PORT_RANGE_PREFIXES 30 /* of 1 to 65534, the worst range */

struct port_range {
	__u32 backend; /* whose ports they are; 0: a service's */
	__u32 service; /* id, for counting; of a service's range unused */
	__be16 port;   /* of a service's range: the port of its entry in services */
	__u16 pad;
};

/* hints: hash. Who a host and port in SIP name. The host is hashed with the hash key, as
 * sip_host_hash() of sip_host.h does it. Names living and dead backends. */
struct hint_key {
	__u64 host;
	__u32 group; /* service.hint_group: services with the same pools share one */
	__be16 port; /* 0: whatever the port */
	__u16 pad;
};

#define HINTS 262144

/* tracked_calls: LRU hash. Where the calls are that use a slot migrating (pool.migrating). */
struct tracked_key {
	__u64 hash; /* of the affinity key; of the connection for TCP */
	__u32 pool;
	__u32 slot; /* of the affinity key: the notes of a slot are forgotten when it begins to move */
};

enum call_kind {
	CALL_IS_NONE, /* REGISTER, OPTIONS, a keepalive: nothing that lasts */
	CALL_IS_INVITE,
	CALL_IS_SUBSCRIPTION,
	CALL_IS_CONNECTION, /* TCP: the balancer does not see the calls in it */
};

/* The dialogs of a call that go on, see call.h: none when `pending`, `known` and `overflow` are 0. */
struct dialogs {
	__u32 pending;   /* hash of the branch of an INVITE without a final response */
	__u32 invite;    /* its CSeq number and 1, or that of the last one; 0: not known */
	__u32 completed; /* hash of the branch of one that failed and has had its ACK */
	__u32 closed;    /* hash of the dialog that ended last */
	__u32 known[2];  /* hashes of those that go on */
	__u32 overflow;  /* 1: there were more, and which of them go on is not known */
};

#define CALL_TEXT_SIZE 24

struct tracked_call {
	__u32 backend;
	__u32 seen;  /* seconds of CLOCK_MONOTONIC */
	__u32 ended; /* likewise: when the call was; 0: it goes on */
	__u32 began; /* likewise: when the first message of it was seen */
	struct dialogs dialogs;
	__u8 kind;   /* enum call_kind */
	__u8 hinted; /* 1: a message names the backend, and its slot has nothing to do with it */
	__u8 pad[2];
	union {
		char call_id[CALL_TEXT_SIZE]; /* its beginning, for people */
		struct {
			struct address address;
			__be16 port;
		} source; /* of a connection */
	};
};

/* transactions: LRU hash by tracked_key. The same for what is no call (yet): REGISTER, OPTIONS, keepalives,
 * a TCP SYN. A map of its own, so that unknown senders of such packets take no room from calls. */
struct transaction {
	__u32 backend;
	__u32 seen; /* seconds of CLOCK_MONOTONIC */
};

#define TRANSACTIONS 65536

/* fragments: LRU hash. Who has the first fragment of a datagram has the others. */
struct fragment_key {
	struct address source;
	struct address destination;
	__be32 id; /* 16 bits of it in IPv4 */
	__u8 protocol;
	__u8 pad[3];
};

struct fragment {
	__u64 seen; /* ns of CLOCK_MONOTONIC; of no use FRAGMENT_NSEC later */
	__u16 backend;
	__u8 split_by_daemon; /* 1: the daemon fragments this datagram: its first fragment follows this entry, too */
	__u8 pad;
	__u32 service; /* id, or FRAGMENT_NOT_SERVICE: the datagram is for a VIP, but for no service */
	/* How much of the datagram has been forwarded, in units of 8 bytes. */
	__u16 contiguous;   /* everything up to this offset */
	__u16 length;       /* of the datagram; 0: its last fragment has not arrived yet */
	__u32 out_of_order; /* one part beyond that: offset of its start << 16 | of its end; 0: none */
};

#define FRAGMENT_NOT_SERVICE 0xffffffff
#define FRAGMENT_NSEC 2000000000ULL /* a busy sender uses an identification again within seconds */
#define FRAGMENTS 16384

/* punt_fragments, punt_oversize, punt_probes: ring buffers of struct punt. What the program cannot
 * deal with by itself, for the daemon, one ring for each class of urgency. */
enum punt_class {
	PUNT_CLASS_FRAGMENTS,
	PUNT_CLASS_OVERSIZE,
	PUNT_CLASS_PROBES, /* of this one no reader is noted: a probe waits longer than PUNT_NSEC */
	PUNT_CLASSES,
};

#define PUNT_FRAGMENTS_BYTES (4 << 20)
#define PUNT_OVERSIZE_BYTES (1 << 20)
#define PUNT_PROBES_BYTES (1 << 20)

enum punt_kind {
	PUNT_FRAGMENT,    /* a later fragment whose first one is not known: goes on when that has come */
	PUNT_FIRST_SEEN,  /* the first fragment of `key` has come; without a frame */
	PUNT_OVERSIZE,    /* does not fit the way to its backend: cut up, or its sender told */
	PUNT_PROBE_REPLY, /* came from a VIP, to one of probe_addresses */
};

#define PUNT_FRAME_SIZE 2036
#define PUNT_SMALL_FRAME 172 /* a record of a frame that fits has no room for more */
#define PUNT_NSEC 200000000  /* older ones are of no use: their senders have sent again, or given up */

struct punt {
	__u64 time; /* ns of CLOCK_MONOTONIC */
	struct fragment_key key;
	struct fragment owner; /* who gets the first piece of it; for `fragments`, just before that is sent */
	__u32 ifindex;
	__u16 length; /* of the frame; where that is more than PUNT_FRAME_SIZE, here is its beginning */
	__u16 mtu;    /* of PUNT_OVERSIZE: bytes of an IP packet that would fit */
	__u8 kind;    /* enum punt_kind */
	__u8 pad[3];
	__u8 frame[PUNT_FRAME_SIZE];
};

#define PUNT_HEADER (sizeof(struct punt) - PUNT_FRAME_SIZE)

/* punt_readers: array by enum punt_class. How far the daemon had read when a packet looked last. */
struct punt_reader {
	__u64 position;
	__u64 since; /* ns of CLOCK_MONOTONIC when that was new, or all had been read */
};

/* held_fragments: array by hash of a fragment_key. When a later fragment of such a key was last given to the
 * daemon, ns of CLOCK_MONOTONIC. Two keys that share an element cost a PUNT_FIRST_SEEN too many. */
#define HELD_FRAGMENTS 16384

/* probe_addresses: hash, address -> anything. Where probes are sent from. */
#define PROBE_ADDRESSES 256

/* pools: array. Changing `table` is how a new table takes effect, at once for
 * every packet; tables 2 * pool and 2 * pool + 1 belong to this pool. */
struct pool {
	__u32 table;     /* index into tables */
	__u32 migrating; /* 1: some of its slots are, see previous_owners */
};

/* previous_owners: array of __u16[slots] by pool id, the id of the owner that a slot migrating had
 * before, 0 for a slot that is not. In such a slot a call that is noted goes where the note
 * says; of the others an opening goes to the owner by the table, the rest to the previous owner
 * one; and all are noted. While the two are the same nothing moves and calls are recorded. */

/* tables: array of __u16[slots], each the id of a slot's backend, 0 for none.
 * backends: array by id; all zero where an id is free. */
struct backend {
	struct address address;
	struct address source; /* outer source address, FORWARD_IPIP only */
	struct mac next_hop;   /* who gets the frame: the backend, or the gateway towards it */
	struct mac interface_mac;
	__u32 ifindex;
	__u16 mtu;    /* of that interface or of the route, bytes from the IP header on */
	__u8 forward; /* enum forward_method */
	__u8 alive;   /* hints, notes and ranges that name it count */
	__u8 pad[4];
};

/* service_traffic, backend_traffic: per-CPU arrays by id. Bytes are those of the
 * frame as it arrived. */
struct traffic {
	__u64 packets;
	__u64 bytes;
};

/* service_names, pool_names: arrays by id. The kernel never reads them: they tell
 * people and a restarted daemon which id is whose. */
struct name {
	char name[NAME_SIZE];
};

enum admin_state {
	ADMIN_READY,
	ADMIN_DRAIN,
	ADMIN_MAINT,
};

/* How a running backend differs from the file. Outlives the daemon, ends at `reload`; but who
 * leaves, or has joined, goes on to. */
enum override_flags {
	OVERRIDE_ADDED = 1,   /* is not in the file */
	OVERRIDE_REMOVED = 2, /* is in the file, and was removed */
	OVERRIDE_WEIGHT = 4,  /* has a weight of its own */
	OVERRIDE_LEAVING = 8, /* drains, and is removed when its calls have ended */
	OVERRIDE_JOINED = 16, /* with ADDED: has joined by itself, and goes when it falls silent */
};

/* Whether a backend may have packets, and if not why. */
enum backend_state {
	STATE_PENDING, /* its MAC address is not known yet */
	STATE_UP,
	STATE_UNREACHABLE, /* no way to it */
	STATE_MAINT,       /* taken out by hand */
	STATE_IDLE,        /* has weight 0 */
	STATE_DOWN,        /* fails its probes */
	STATE_UNKNOWN,     /* no probe has come to an end yet */
	STATE_SUSPECTED,   /* does not answer; has its slots until it is decided why */
};

/* What probes say. */
enum health {
	HEALTH_UNKNOWN,
	HEALTH_UP,
	HEALTH_DOWN,
};

/* How long probes took, us; 0 where none has been answered. */
struct latency {
	__u32 last;
	__u32 mean;
	__u32 p95;
};

/* backend_records: array by id, for people and a restarted daemon as above. A daemon that
 * knows another contract finds members by their names (ctl/daemon/old_abi.c): a name and the
 * numbers of an enum keep their meaning for ever. */
struct backend_record {
	char pool[NAME_SIZE];
	char name[NAME_SIZE];
	struct address address;
	struct mac mac; /* override of neighbour discovery; all zero: none */
	__u16 weight;
	__u8 admin;     /* enum admin_state */
	__u8 overrides; /* enum override_flags */
	__u8 state;     /* enum backend_state */
	__u8 health;    /* enum health */
	__u32 since;    /* seconds since the epoch of the last change of `state` */
	__u32 returned; /* likewise: when it came back from down; 0: it never did, or its slow start is over */
	struct latency latency;
};

/* added_backends: hash by id, of backends that were added by hand: what the file would say of them, as
 * YAML: a pool with this one backend. A restarted daemon reads from it what backend_records do not
 * hold: hints, ports, priority, group, forward. */
struct added_backend {
	char text[1024]; /* with a closing NUL */
};

/* contract: array of one. What the loader made the other maps for. */
struct contract {
	__u32 version;
	__u32 slots;
	__u32 pools;
	__u32 services;
	__u32 backends;
	__u32 tracked_calls;
	__u32 filled; /* 1: a daemon has put into the maps all that its file asks for */
};

/* decap_sources, decap_vips: LPM tries of decap, prefix -> anything. Outer sources and inner
 * destinations of the tunnels that it opens. ::/0 is any address: IPv4 ones are mapped, so
 * 10.0.0.0/8 has 104 bits. */
struct prefix_key {
	__u32 bits; /* of the address that count */
	struct address address;
};

#define DECAP_PREFIXES 1024

/* In every version the first member is the version, and the whole is not larger than this. */
union any_contract {
	struct contract contract;
	char of_any_version[256];
};

/* verdicts, decap_verdicts: per-CPU arrays of one struct whose members are the
 * counters, so that bpftool prints their names. */
#define VERDICT_MEMBER(name, action, normal, text) __u64 name;
struct verdict_counters {
	BALANCER_VERDICTS(VERDICT_MEMBER)
};
struct decap_verdict_counters {
	DECAP_VERDICTS(VERDICT_MEMBER)
};
#undef VERDICT_MEMBER

#define VERDICT_VALUE(name, action, normal, text) VERDICT_##name,
enum verdict {
	BALANCER_VERDICTS(VERDICT_VALUE) VERDICT_COUNT,
	VERDICT_CONTINUE = VERDICT_COUNT, /* not decided yet */
};
enum decap_verdict {
	DECAP_VERDICTS(VERDICT_VALUE) DECAP_VERDICT_COUNT
};
#undef VERDICT_VALUE

_Static_assert(sizeof(struct address) == 16, "address");
_Static_assert(sizeof(struct own_mac) == 12, "own_mac");
_Static_assert(sizeof(struct interface_mac) == 16, "interface_mac");
_Static_assert(sizeof(struct service_key) == 20, "service_key");
_Static_assert(sizeof(struct service_key_ipv4) == 8, "service_key_ipv4");
_Static_assert(sizeof(struct vip) == 4, "vip");
_Static_assert(sizeof(struct service) == 64, "service");
_Static_assert(sizeof(struct port_range_key) == 28, "port_range_key");
_Static_assert(sizeof(struct port_range) == 12, "range");
_Static_assert(sizeof(struct hint_key) == 16, "hint_key");
_Static_assert(sizeof(struct tracked_key) == 16, "tracked_key");
_Static_assert(sizeof(struct tracked_call) == 72, "tracked_call");
_Static_assert(sizeof(struct fragment_key) == 40, "fragment_key");
_Static_assert(sizeof(struct fragment) == 24, "fragment");
_Static_assert(sizeof(struct punt) == 2120, "punt");
_Static_assert(sizeof(struct pool) == 8, "pool");
_Static_assert(sizeof(struct backend) == 56, "backend");
_Static_assert(sizeof(struct traffic) == 16, "traffic");
_Static_assert(sizeof(struct name) == NAME_SIZE, "name");
_Static_assert(sizeof(struct backend_record) == 176, "backend_record");
_Static_assert(sizeof(struct added_backend) == 1024, "added_backend");
_Static_assert(sizeof(struct contract) == 28, "contract");
_Static_assert(sizeof(struct prefix_key) == 20, "prefix_key");
_Static_assert(sizeof(struct verdict_counters) == VERDICT_COUNT * 8, "verdict_counters");
