// SPDX-License-Identifier: GPL-2.0
/* Parses rtnetlink messages: see netlink.h. */

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include "core/net/address.h"
#include "core/net/prefix.h"
#include "netlink.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

struct attribute {
	uint16_t type;
	uint16_t offset; /* of the member that receives the value */
	void (*read)(void *member, const void *value, size_t size);
};

static void read_u32(void *member, const void *value, size_t size)
{
	if (size == sizeof(uint32_t))
		memcpy(member, value, size);
}

/* A namespace id may be 0. */
static void read_namespace(void *member, const void *value, size_t size)
{
	uint32_t id;

	read_u32(&id, value, size);
	if (size == sizeof(id))
		*(uint32_t *)member = id + 1;
}

static void read_u8(void *member, const void *value, size_t size)
{
	if (size == sizeof(uint8_t))
		memcpy(member, value, size);
}

static void read_mac(void *member, const void *value, size_t size)
{
	if (size == sizeof(struct mac))
		memcpy(member, value, size);
}

static void read_name(void *member, const void *value, size_t size)
{
	if (size <= sizeof(((struct netlink_link *)0)->name))
		memcpy(member, value, size);
}

/* IFLA_LINKINFO is a nested attribute; only the kind is of interest. */
static void read_kind(void *member, const void *value, size_t size)
{
	const struct nlattr *attr;

	mnl_attr_for_each_payload((void *)value, size)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND &&
			mnl_attr_get_payload_len(attr) <= sizeof(((struct netlink_link *)0)->kind))
			memcpy(member, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	}
}

static void read_address(void *member, const void *value, size_t size)
{
	struct address *address = member;

	if (size == sizeof(struct in_addr)) {
		*address = (struct address){.word[2] = htonl(0xffff)};
		memcpy(&address->word[3], value, size);
	} else if (size == sizeof(*address)) {
		memcpy(address, value, size);
	}
}

/* A gateway of the other family: RTA_VIA holds the family and then the address. */
static void read_via(void *member, const void *value, size_t size)
{
	if (size > sizeof(struct rtvia))
		read_address(member, (const char *)value + sizeof(struct rtvia), size - sizeof(struct rtvia));
}

/* RTA_METRICS is a nested attribute; each metric is a number. */
static void read_mtu(void *member, const void *value, size_t size)
{
	const struct nlattr *attr;

	mnl_attr_for_each_payload((void *)value, size)
	{
		if (mnl_attr_get_type(attr) == RTAX_MTU)
			read_u32(member, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	}
}

static void read_managed(void *member, const void *value, size_t size)
{
	uint32_t flags = 0;

	read_u32(&flags, value, size);
	*(bool *)member = flags & NTF_EXT_MANAGED;
}

static const struct attribute LINK_ATTRIBUTES[] = {
	{IFLA_IFNAME, offsetof(struct netlink_link, name), read_name},
	{IFLA_ADDRESS, offsetof(struct netlink_link, mac), read_mac},
	{IFLA_MTU, offsetof(struct netlink_link, mtu), read_u32},
	{IFLA_MASTER, offsetof(struct netlink_link, master), read_u32},
	{IFLA_LINK, offsetof(struct netlink_link, lower), read_u32},
	{IFLA_LINK_NETNSID, offsetof(struct netlink_link, lower_namespace), read_namespace},
	{IFLA_LINKINFO, offsetof(struct netlink_link, kind), read_kind},
};

static const struct attribute ROUTE_ATTRIBUTES[] = {
	{RTA_DST, offsetof(struct netlink_route, prefix), read_address},
	{RTA_OIF, offsetof(struct netlink_route, ifindex), read_u32},
	{RTA_GATEWAY, offsetof(struct netlink_route, gateway), read_address},
	{RTA_VIA, offsetof(struct netlink_route, gateway), read_via},
	{RTA_PREFSRC, offsetof(struct netlink_route, source), read_address},
	{RTA_METRICS, offsetof(struct netlink_route, mtu), read_mtu},
};

static const struct attribute NEIGHBOUR_ATTRIBUTES[] = {
	{NDA_DST, offsetof(struct netlink_neighbour, address), read_address},
	{NDA_LLADDR, offsetof(struct netlink_neighbour, mac), read_mac},
	{NDA_PROTOCOL, offsetof(struct netlink_neighbour, protocol), read_u8},
	{NDA_FLAGS_EXT, offsetof(struct netlink_neighbour, managed), read_managed},
};

/* A point-to-point interface has both attributes. */
struct address_attributes {
	struct address address; /* of the remote end if both are present */
	struct address local;
};

static const struct attribute ADDRESS_ATTRIBUTES[] = {
	{IFA_ADDRESS, offsetof(struct address_attributes, address), read_address},
	{IFA_LOCAL, offsetof(struct address_attributes, local), read_address},
};

struct reading {
	const struct attribute *table;
	size_t count;
	char *out;
};

static int read_attribute(const struct nlattr *attr, void *data)
{
	const struct reading *reading = data;
	const struct attribute *row = reading->table;

	for (; row < reading->table + reading->count; row++)
		if (mnl_attr_get_type(attr) == row->type)
			row->read(
				reading->out + row->offset, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	return MNL_CB_OK;
}

static void read_attributes(
	const struct nlmsghdr *message, size_t header, const struct attribute *table, size_t count, void *out)
{
	struct reading reading = {table, count, out};

	mnl_attr_parse(message, header, read_attribute, &reading);
}

/* The fixed header of a message; NULL if the message is too short or of a different type. */
static const void *header_of(const struct nlmsghdr *message, uint16_t new, uint16_t del, size_t size)
{
	if (message->nlmsg_type != new && message->nlmsg_type != del)
		return NULL;
	return mnl_nlmsg_get_payload_len(message) >= size ? mnl_nlmsg_get_payload(message) : NULL;
}

bool netlink_read_link(const struct nlmsghdr *message, struct netlink_link *out)
{
	const struct ifinfomsg *header = header_of(message, RTM_NEWLINK, RTM_DELLINK, sizeof(*header));

	/* A port that leaves its bridge shows as a deleted link of family AF_BRIDGE. */
	if (!header || header->ifi_family != AF_UNSPEC)
		return false;
	memset(out, 0, sizeof(*out)); /* compared as bytes */
	out->ifindex = header->ifi_index;
	out->up = header->ifi_flags & IFF_UP;
	out->running = header->ifi_flags & IFF_RUNNING;
	out->ethernet = header->ifi_type == ARPHRD_ETHER;
	read_attributes(message, sizeof(*header), LINK_ATTRIBUTES, COUNT(LINK_ATTRIBUTES), out);
	return true;
}

bool netlink_read_route(const struct nlmsghdr *message, struct netlink_route *out)
{
	const struct rtmsg *header = header_of(message, RTM_NEWROUTE, RTM_DELROUTE, sizeof(*header));

	if (!header || (header->rtm_family != AF_INET && header->rtm_family != AF_INET6))
		return false;
	*out = (struct netlink_route){.type = header->rtm_type, .length = header->rtm_dst_len};
	if (header->rtm_family == AF_INET) {
		out->prefix.word[2] = htonl(0xffff); /* a default route has no RTA_DST */
		out->length += 96;
	}
	read_attributes(message, sizeof(*header), ROUTE_ATTRIBUTES, COUNT(ROUTE_ATTRIBUTES), out);
	return true;
}

int netlink_read_lookup(int error, const struct nlmsghdr *message, struct netlink_route *out)
{
	*out = (struct netlink_route){};
	switch (-error) {
	case 0:
		return netlink_read_route(message, out) ? 0 : -EBADMSG;
	case ENETUNREACH:
		out->type = RTN_THROW;
		return 0;
	case EHOSTUNREACH:
		out->type = RTN_UNREACHABLE;
		return 0;
	case EACCES:
		out->type = RTN_PROHIBIT;
		return 0;
	case EINVAL:
		out->type = RTN_BLACKHOLE;
		return 0;
	default:
		return error;
	}
}

bool netlink_route_covers(const struct netlink_route *route, const struct address *address)
{
	const uint8_t *a = (const uint8_t *)address, *b = (const uint8_t *)&route->prefix;
	unsigned whole = route->length / 8, rest = route->length % 8;

	if (route->length > 128 || memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

bool netlink_read_neighbour(const struct nlmsghdr *message, struct netlink_neighbour *out)
{
	const struct ndmsg *header = header_of(message, RTM_NEWNEIGH, RTM_DELNEIGH, sizeof(*header));

	if (!header || (header->ndm_family != AF_INET && header->ndm_family != AF_INET6))
		return false;
	*out = (struct netlink_neighbour){.ifindex = header->ndm_ifindex, .state = header->ndm_state};
	read_attributes(message, sizeof(*header), NEIGHBOUR_ATTRIBUTES, COUNT(NEIGHBOUR_ATTRIBUTES), out);
	return true;
}

bool netlink_read_address(const struct nlmsghdr *message, struct netlink_address *out)
{
	const struct ifaddrmsg *header = header_of(message, RTM_NEWADDR, RTM_DELADDR, sizeof(*header));
	struct address_attributes found = {};
	uint8_t unusable = IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED;

	if (!header || (header->ifa_family != AF_INET && header->ifa_family != AF_INET6))
		return false;
	if (header->ifa_family == AF_INET6)
		unusable |= IFA_F_TEMPORARY;
	read_attributes(message, sizeof(*header), ADDRESS_ATTRIBUTES, COUNT(ADDRESS_ATTRIBUTES), &found);
	*out = (struct netlink_address){
		.ifindex = header->ifa_index,
		.length = header->ifa_prefixlen + (header->ifa_family == AF_INET ? PREFIX_MAPPED : 0),
		.usable = header->ifa_scope == RT_SCOPE_UNIVERSE && !(header->ifa_flags & unusable),
		.address = address_equal(&found.local, &(struct address){}) ? found.address : found.local,
	};
	return true;
}
