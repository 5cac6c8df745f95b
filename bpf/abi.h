/* SPDX-License-Identifier: GPL-2.0 */
/* The contract between the programs in the kernel and user space: keys, values, limits and names of the pinned
 * maps. Both sides include this file; no type is defined twice. Increase ABI_VERSION when the size or meaning
 * of a member changes. docs/design/map-contract.md describes the maps in prose.
 *
 * Parts of the contract have files of their own: abi_calls.h contains the maps of calls, abi_guard.h those of the
 * guard, abi_nat.h the flow table of NAT, abi_observe.h the maps for the observation of packets, abi_punt.h those of
 * fragments and of packets for the daemon, and abi_return.h the counters of packets that backends send. */
#pragma once

#include "vmlinux/types.h"
#include "counters.h"
#include "verdicts.h"

#define ABI_VERSION 7

#define PIN_DIR "/sys/fs/bpf/sipxdp"
#define PIN_NEXT "next"       /* subdirectory for maps that will replace those in use */
#define PIN_OLD_BTF "old_btf" /* in PIN_NEXT: array with one struct old_btf */
#define PIN_PROGRAM "balancer"
#define PIN_OBSERVER "observer"       /* the program that replaces the balancer while packets are observed */
#define PIN_CALL_WRITER "call_writer" /* the program that applies changes of calls from other balancers */
#define PIN_LINKS "links"             /* subdirectory: the link of each interface */
#define PIN_DISPATCHED "dispatched"   /* subdirectory: the programs that libxdp's dispatcher calls */

/* Default sizes; `limits:` in the configuration file overrides them. */
#define DEFAULT_SLOTS (1 << 18)
#define DEFAULT_POOLS 32
#define DEFAULT_SERVICES 512
#define DEFAULT_BACKENDS 4096
#define DEFAULT_TRACKED_CALLS (1 << 18)
#define DEFAULT_COUNTED_CALLS (1 << 16)
#define DEFAULT_GUARDED_SOURCES (1 << 18)

#define MIN_SLOTS (1 << 8)
#define MAX_SLOTS (1 << 20)
#define MAX_POOLS 1024
#define MAX_SERVICES 65536
#define MAX_BACKENDS 65535 /* an id has 16 bits; id 0 means "none" */
#define MIN_TRACKED_CALLS (1 << 10)
#define MAX_TRACKED_CALLS (1 << 24)
#define MIN_COUNTED_CALLS (1 << 10)
#define MAX_COUNTED_CALLS (1 << 24)
#define MIN_GUARDED_SOURCES (1 << 10)
#define MAX_GUARDED_SOURCES (1 << 24)

#define MAX_WEIGHT 1000

#define NAME_SIZE 64 /* bytes, including the closing NUL */

/* IPv4 addresses are stored as ::ffff:a.b.c.d, so that one code path serves both families. */
struct address {
	__be32 word[4];
};

struct mac {
	__u8 byte[6];
};

/* The key that selects the backend: packets with the same key reach the same backend. */
enum affinity {
	AFFINITY_CALL_ID,      /* UDP only */
	AFFINITY_SOURCE,       /* source address */
	AFFINITY_FLOW,         /* source address and port */
	AFFINITY_FROM_USER,    /* user part of the URI in From; UDP only */
	AFFINITY_TO_USER,      /* user part of the URI in To; UDP only */
	AFFINITY_REQUEST_USER, /* user part of the Request-URI; UDP only */
};

/* SIP methods to which `methods:` can assign a pool (RFC 3261 and its extensions). counters.h lists them in the
 * same order. */
enum method {
	METHOD_NONE, /* a response, or not SIP */
	METHOD_INVITE,
	METHOD_BYE,
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
	METHOD_ACK,     /* ACK and CANCEL are never initial */
	METHOD_CANCEL,
	METHOD_COUNT,
};

enum forward_method {
	FORWARD_NONE, /* the backend is unreachable: nothing is sent to it */
	FORWARD_DSR,
	FORWARD_IPIP,
	FORWARD_GUE, /* outer IP and UDP header; the inner IP header follows at once (variant 1) */
	FORWARD_NAT,
};

/* own_macs: hash. The key is an interface and a destination MAC address that the interface accepts. The value is the
 * MTU of the interface in bytes, IP header included. A frame with any other destination address is for a different host
 * (switches flood such frames). A packet longer than the MTU consists of several TCP segments (GRO, TSO). */
struct own_mac {
	__u32 ifindex;
	struct mac mac;
	__u16 pad;
};

#define OWN_MACS 4096

/* interface_macs: array. The MAC address of each interface. Nearly all frames have this destination, so the
 * program compares it before it searches own_macs. Two interfaces may share an element, and an element may be
 * empty. Therefore a mismatch proves nothing: only own_macs shows that a frame is for a different host. */
struct interface_mac {
	struct own_mac own;
	__u32 mtu; /* of the interface, in bytes, IP header included */
};

#define INTERFACE_MACS 256
#define INTERFACE_MAC_INDEX(ifindex) ((ifindex) % INTERFACE_MACS)

/* services: hash, struct service_key -> struct service, for IPv6 VIPs. Port 0 matches every port of the VIP for
 * which there is no separate entry. */
struct service_key {
	struct address vip;
	__be16 port;
	__u8 protocol; /* IPPROTO_UDP, IPPROTO_TCP */
	__u8 pad;
};

/* services_ipv4: hash, struct service_key_ipv4 -> struct service, for IPv4 VIPs. The program looks up the service of
 * every packet, and a short key makes the look-up faster. */
struct service_key_ipv4 {
	__be32 vip;
	__be16 port;
	__u8 protocol;
	__u8 pad;
};

enum service_flags {
	SERVICE_METHODS = 1,   /* the pool depends on the method */
	SERVICE_ROUTE = 2,     /* the topmost Route or the Request-URI of a request may name a backend */
	SERVICE_MESSAGES = 4,  /* SIP messages are counted */
	SERVICE_PARAMETER = 8, /* a parameter behind the host may name a backend */
	SERVICE_TAG = 16,      /* the tag of the dialog may name a backend */
};

/* vips: hash, address -> struct vip. All VIPs. The program uses it for packets without a port and for ports
 * without a service. */
enum vip_flags {
	VIP_PING = 1,        /* the program answers echo requests */
	VIP_PORT_RANGES = 2, /* port_ranges has entries for this VIP */
};

struct vip {
	__u32 flags; /* enum vip_flags */
};

/* The hash key is a member of this struct and not in a separate map: the struct is already in the CPU cache
 * when the program needs the key. */
struct service {
	__u64 hash_key[2];
	__u16 id;                 /* index into service_names and service_traffic */
	__u16 guard;              /* index into guards (abi_guard.h); 0: none */
	__u8 affinity;            /* enum affinity */
	__u8 flags;               /* enum service_flags */
	__u16 hint_group;         /* hint_key.group for the hints of its backends; 0: no backend has hints */
	__u16 pool[METHOD_COUNT]; /* indexes into pools; element METHOD_NONE is the default pool */
	__u64 hash_ipv4;          /* hash_start_ipv4() of hash.h */
};

/* port_ranges: LPM trie. Port ranges of VIPs, each split into prefixes. An entry is either a range of media
 * ports that belongs to one backend, or a range of additional ports of a service. */
struct port_range_key {
	__u32 prefix; /* number of significant bits in the members below */
	__u32 protocol;
	struct address vip;
	__be16 port;
	__u16 pad;
};

#define PORT_RANGE_KEY_BITS(port_bits) (32 + 128 + (port_bits))
#define PORT_RANGES 65536
#define PORT_RANGE_PREFIXES 30 /* for the range 1 to 65534, the worst case */

struct port_range {
	__u32 backend; /* id of the backend that owns the ports; 0: the ports belong to a service */
	__u32 service; /* id, for the counters; unused for ports of a service */
	__be16 port;   /* for ports of a service: the port of its entry in services */
	__u16 pad;
};

/* nat_settings: array of one element. Without NAT_ACTIVE, the program reads neither of the next two maps. */
enum nat_flags {
	NAT_ACTIVE = 1, /* at least one pool has `forward: nat` */
	NAT_RANGES = 2, /* nat_ranges has entries */
};

struct nat_settings {
	__u32 flags; /* enum nat_flags */
	__u32 pad;
	__u64 hash_key[2]; /* as in struct service, for packets from backends */
};

/* nat_sources: hash, struct nat_source -> struct nat_vip. The program replaces the source address and port of a packet
 * from a backend with `forward: nat` by those of the VIP, unless the packet is for a service of the balancer. There is
 * one entry for each port on which a backend receives packets of a service, and for each protocol. An entry with port 0
 * and protocol 0 marks the address of such a backend; only `backend` is valid. */
struct nat_source {
	struct address address; /* of the backend */
	__be16 port;
	__u8 protocol;
	__u8 pad;
};

struct nat_vip {
	struct address vip;
	__u32 backend; /* id */
	__u16 service; /* id */
	__be16 port;   /* 0: the port does not change */
	__u8 flags;    /* enum nat_vip_flags */
	__u8 pad[3];
};

/* What the program does with the packets of this port (abi_return.h). The program keeps these flags in the same member
 * of its state as enum service_flags, so NAT_MESSAGES has the value of SERVICE_MESSAGES. */
enum nat_vip_flags {
	NAT_COUNTS = 1,   /* counts packets and bytes */
	NAT_PASSIVE = 2,  /* applies passive_rules; only with NAT_MESSAGES */
	NAT_MESSAGES = 4, /* counts SIP messages; only with NAT_COUNTS */
};

/* nat_ranges: LPM trie, struct nat_range_key -> struct nat_vip. The same for ranges of ports, each split into prefixes.
 * The program reads it for ports without an entry in nat_sources. 0 port bits match all ports. */
struct nat_range_key {
	__u32 prefix; /* number of significant bits in the members below: PORT_RANGE_KEY_BITS() */
	__u32 protocol;
	struct address address; /* of the backend */
	__be16 port;
	__u16 pad;
};

#define NAT_SOURCES 65536

/* hints: hash. Maps a host and port that appear in a SIP message to a backend. hint_key.host is the hash of the
 * host name or address: sip_host_hash() in sip_host.h. The map also contains backends that are down. */
struct hint_key {
	__u64 host;
	__u32 group; /* service.hint_group: services with the same pools share a group */
	__be16 port; /* 0: any port without an entry of its own */
	__u16 pad;
};

#define HINTS 262144

/* probe_addresses: hash, address -> unused value. The source addresses of health probes. */
#define PROBE_ADDRESSES 256

/* pools: array. Pool N owns the tables 2N and 2N + 1. The daemon fills the unused one and then writes its index
 * to `table`. All later packets use the new table. */
struct pool {
	__u32 table;          /* index into tables */
	__u16 migrating;      /* 1: some slots of the pool are migrating, see previous_owners */
	__u16 balanced;       /* enum pool_balanced; if not 0, see balances */
	__u32 balanced_since; /* time of the last change of `balanced` to a higher value, in seconds of CLOCK_MONOTONIC;
				 0: the pool had no lower value before. Only the daemon reads it */
};

/* Which calls of a pool have an entry in counted_calls that selects their backend. */
enum pool_balanced {
	BALANCED_NOT,    /* none: the slot selects the backend of every call */
	BALANCED_ENDING, /* some calls from before; no new ones */
	BALANCED_SOME,   /* new calls that do not go to the owner of their slot */
	BALANCED_ALL,    /* every new call */
};

/* previous_owners: array of __u16[slots] by pool id. The owner of each migrating slot before its migration, 0
 * for other slots. In a migrating slot, packets of a tracked call go to the backend of the call. All other
 * initial packets go to the owner in the table, and all other packets go to the previous owner. The program
 * then tracks these calls. While owner and previous owner are equal, the slot is recording: the program tracks
 * calls, but no call changes its backend. */

/* tables: array of __u16[slots], the backend id of each slot, 0 for none.
 *
 * backends: array by id. If all bytes of an element are 0, the id is free. */
struct backend {
	struct address address;
	struct address source; /* outer source address of a tunnel */
	struct mac next_hop;   /* MAC address of the backend, or of the gateway towards it */
	struct mac interface_mac;
	__u32 ifindex;
	__u16 mtu;        /* the smaller MTU of interface and route, in bytes, IP header included */
	__u8 forward;     /* enum forward_method */
	__u8 alive;       /* 1: hints, tracked calls and port ranges may select it */
	__be16 port;      /* FORWARD_GUE: of the tunnel. FORWARD_NAT: of the backend; 0: the port of the packet */
	__u8 source_bits; /* FORWARD_IPIP: so many last bits of `source` depend on the call, 0 to 32 */
	__u8 pad;
};

/* service_traffic, backend_traffic: per-CPU arrays by id of the structs below. Byte counters count the frame as
 * received. The program does not update the message counters of a service without SERVICE_MESSAGES. All
 * counters of an id are in one element, so that one look-up finds them. */
#define COUNTER_MEMBER(name, kind, label, detail, text) __u64 name;
struct service_traffic {
	SERVICE_COUNTERS(COUNTER_MEMBER)
};
struct backend_traffic {
	BACKEND_COUNTERS(COUNTER_MEMBER)
};
#undef COUNTER_MEMBER

#define COUNTER_VALUE(name, kind, label, detail, text) SERVICE_COUNTER_##name,
enum service_counter {
	SERVICE_COUNTERS(COUNTER_VALUE) SERVICE_COUNTER_COUNT
};
#undef COUNTER_VALUE
#define COUNTER_VALUE(name, kind, label, detail, text) BACKEND_COUNTER_##name,
enum backend_counter {
	BACKEND_COUNTERS(COUNTER_VALUE) BACKEND_COUNTER_COUNT
};
#undef COUNTER_VALUE

/* service_names, pool_names: arrays by id. Tools display them, and a restarted daemon reads them. The program
 * in the kernel does not. */
struct name {
	char name[NAME_SIZE];
};

enum admin_state {
	ADMIN_READY,
	ADMIN_DRAIN,
	ADMIN_MAINT,
};

/* Differences between a running backend and the configuration file. They survive a restart of the daemon. `reload`
 * removes all of them except OVERRIDE_LEAVING and OVERRIDE_JOINED. */
enum override_flags {
	OVERRIDE_ADDED = 1,   /* not in the file */
	OVERRIDE_REMOVED = 2, /* in the file, but an operator has removed it */
	OVERRIDE_WEIGHT = 4,  /* its weight differs */
	OVERRIDE_LEAVING = 8, /* draining; the daemon removes it when its calls have ended */
	OVERRIDE_JOINED = 16, /* with OVERRIDE_ADDED: self-registered; removed when its heartbeats stop */
};

/* Whether a backend may receive packets, and if not, why. */
enum backend_state {
	STATE_PENDING, /* its MAC address is not resolved yet */
	STATE_UP,
	STATE_UNREACHABLE, /* no route, or no neighbour entry */
	STATE_MAINT,       /* in maintenance, set by the operator */
	STATE_IDLE,        /* its weight is 0 */
	STATE_DOWN,        /* its health probes fail, or its responses to clients (backend_record.passive_cause) */
	STATE_UNKNOWN,     /* no health probe has finished yet */
	STATE_SUSPECTED,   /* does not answer probes; keeps its slots until the cause is known */
};

/* The result of health probes. */
enum health {
	HEALTH_UNKNOWN,
	HEALTH_UP,
	HEALTH_DOWN,
};

/* Why a backend fails according to passive health (core/health/passive.h). */
enum passive_cause {
	PASSIVE_NONE,       /* it does not fail */
	PASSIVE_RUN,        /* too many consecutive responses failed */
	PASSIVE_SHARE,      /* too large a share of its responses failed */
	PASSIVE_UNANSWERED, /* it did not respond to INVITEs */
	PASSIVE_GROUP,      /* not for this balancer, but for its group */
};

/* Round-trip times of probes in us; 0: no reply yet. */
struct latency {
	__u32 last;
	__u32 mean;
	__u32 p95;
};

/* backend_records: array by id. Tools display it, and a restarted daemon reads it. A daemon with a different
 * ABI_VERSION finds the members by name (ctl/daemon/old_abi.c). Therefore member names and enum values must
 * keep their meaning. */
struct backend_record {
	char pool[NAME_SIZE];
	char name[NAME_SIZE];
	struct address address;
	struct mac mac; /* replaces neighbour discovery; all zero: not set */
	__u16 weight;
	__u8 admin;     /* enum admin_state */
	__u8 overrides; /* enum override_flags */
	__u8 state;     /* enum backend_state */
	__u8 health;    /* enum health */
	__u32 since;    /* time of the last change of `state`, seconds since the epoch */
	__u32 returned; /* time of the last recovery, in the same unit; 0: none, or slow start is over */
	struct latency latency;
	__u32 passive_until; /* down by passive health at least until this time, in the same unit; 0: never down */
	__u8 passive_count;  /* number of such failures, one shortly after the other */
	__u8 passive_cause;  /* enum passive_cause; PASSIVE_NONE: not down by passive health */
	__u8 pad[2];
};

/* balancer_state: array of one element. What `sipxdp-ctl health` must know while the daemon is stopped. */
#define MAX_INTERFACES 64
#define INTERFACE_SIZE 16 /* IFNAMSIZ */

struct balancer_state {
	__u32 away_since;    /* time of `sipxdp-ctl away`, seconds since the epoch; 0: the balancer is not away */
	__u32 is_blind;      /* 1: backends respond to other balancers of the group, but not to this one */
	__u32 joining_until; /* until this time, in the same unit, the balancer waits for the state of its group; 0: it
				has it */
	__u32 interface_count;
	char interfaces[MAX_INTERFACES][INTERFACE_SIZE]; /* of the running configuration */
};

/* added_backends: hash by id. The settings of a backend that was added at run time, as the YAML of a pool with
 * this one backend. A restarted daemon reads the settings that backend_records does not contain: hints, ports,
 * priority, group, forward. */
struct added_backend {
	char text[1024]; /* with a closing NUL */
};

/* contract.filled */
enum contract_filled {
	CONTRACT_EMPTY,    /* the daemon has not yet written the complete configuration to the maps */
	CONTRACT_FILLED,   /* it has */
	CONTRACT_GIVEN_UP, /* it has, but uses other maps again: the loader must not activate these maps */
};

/* contract: array of one element. The ABI version and the sizes with which the loader created the maps. */
struct contract {
	__u32 version;
	__u32 slots;
	__u32 pools;
	__u32 services;
	__u32 backends;
	__u32 tracked_calls;
	__u32 counted_calls;
	__u32 guarded_sources;
	__u32 filled; /* enum contract_filled */
};

/* decap_sources, decap_vips: LPM tries of decap, prefix -> 1: an option has set the list; 2: it is the default. Only
 * the loader reads the value. The lists contain the outer source addresses and inner destination addresses that decap
 * accepts.
 * ::/0 matches any address. IPv4 prefixes are stored as IPv6 prefixes, so 10.0.0.0/8 has 104 bits. */
struct prefix_key {
	__u32 bits; /* number of significant bits of the address */
	struct address address;
};

#define DECAP_PREFIXES 1024

/* decap_ports: array of one element. The UDP destination ports of GUE that decap accepts, in host order. The loader
 * fills all elements and repeats the first one if there are fewer ports. While they are 0, decap accepts only
 * GUE_PORT. */
#define DECAP_GUE_PORTS 4

struct decap_ports {
	__u16 gue[DECAP_GUE_PORTS];
};

/* The reason for the choice of a packet's backend. */
enum owner_reason {
	REASON_NONE,           /* it has no backend */
	REASON_SLOT,           /* owner of its slot in the table */
	REASON_PREVIOUS_OWNER, /* previous owner of its slot, which is migrating */
	REASON_TRACKED_CALL,   /* backend of its tracked call; the slot is migrating */
	REASON_HINT,           /* the message contains a hint for the backend */
	REASON_FRAGMENT,       /* backend of the first fragment of its datagram */
	REASON_PORT_RANGE,     /* the port belongs to the backend */
	REASON_PLACED_CALL,    /* `balance:` selected the backend for this call, see counted_calls */
};

/* In every ABI version the first member of struct contract is the version, and the struct fits this union. */
union any_contract {
	struct contract contract;
	char of_any_version[256];
};

/* verdicts, decap_verdicts: per-CPU arrays of one element. Each counter is a member of the struct, so that
 * bpftool prints its name. */
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
	VERDICT_CONTINUE = VERDICT_COUNT, /* no verdict: processing continues */
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
_Static_assert(sizeof(struct nat_source) == 20, "nat_source");
_Static_assert(sizeof(struct nat_vip) == 28, "nat_vip");
_Static_assert((int)NAT_MESSAGES == (int)SERVICE_MESSAGES, "flags");
_Static_assert(sizeof(struct nat_range_key) == sizeof(struct port_range_key), "nat_range_key");
_Static_assert(sizeof(struct hint_key) == 16, "hint_key");
_Static_assert(sizeof(struct pool) == 12, "pool");
_Static_assert(sizeof(struct backend) == 56, "backend");
_Static_assert(sizeof(struct service_traffic) == SERVICE_COUNTER_COUNT * 8, "service_traffic");
_Static_assert(sizeof(struct backend_traffic) == BACKEND_COUNTER_COUNT * 8, "backend_traffic");
_Static_assert(sizeof(struct name) == NAME_SIZE, "name");
_Static_assert(sizeof(struct backend_record) == 184, "backend_record");
_Static_assert(sizeof(struct balancer_state) == 16 + MAX_INTERFACES * INTERFACE_SIZE, "balancer_state");
_Static_assert(sizeof(struct added_backend) == 1024, "added_backend");
_Static_assert(sizeof(struct contract) == 36, "contract");
_Static_assert(sizeof(struct prefix_key) == 20, "prefix_key");
_Static_assert(sizeof(struct verdict_counters) == VERDICT_COUNT * 8, "verdict_counters");
