// SPDX-License-Identifier: GPL-2.0
/* See xdp_features.h. The headers of Linux 6.1 do not contain <linux/netdev.h>, so this file defines the numbers from
 * that header. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include "xdp_features.h"

enum {
	NETDEV_DEV_GET = 1, /* command */
	NETDEV_IFINDEX = 1, /* attributes */
	NETDEV_XDP_FEATURES = 3,
};

/* An attribute to read from the answer. */
struct wanted {
	uint16_t type;
	size_t size;
	void *value; /* set if the answer contains the attribute */
	bool found;
};

static int keep_attribute(const struct nlattr *attribute, void *data)
{
	struct wanted *wanted = data;

	if (mnl_attr_get_type(attribute) == wanted->type && mnl_attr_get_payload_len(attribute) >= wanted->size) {
		memcpy(wanted->value, mnl_attr_get_payload(attribute), wanted->size);
		wanted->found = true;
	}
	return MNL_CB_OK;
}

static int keep_answer(const struct nlmsghdr *answer, void *data)
{
	return mnl_attr_parse(answer, sizeof(struct genlmsghdr), keep_attribute, data);
}

static struct nlmsghdr *begin(char *buffer, uint16_t family, uint8_t command)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *generic;

	request->nlmsg_type = family;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	generic = mnl_nlmsg_put_extra_header(request, sizeof(*generic));
	generic->cmd = command;
	generic->version = 1;
	return request;
}

/* Sends the request and receives the answer and the acknowledgement. */
static int ask(struct mnl_socket *socket, struct nlmsghdr *request, struct wanted *wanted)
{
	char buffer[8192];
	int result = MNL_CB_OK;
	ssize_t length;

	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (result == MNL_CB_OK) {
		length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		if (length < 0)
			return -errno;
		result = mnl_cb_run(buffer, length, 0, mnl_socket_get_portid(socket), keep_answer, wanted);
	}
	if (result < 0)
		return -errno;
	return wanted->found ? 0 : -ENOENT;
}

static int read_features(struct mnl_socket *socket, int ifindex, uint64_t *out)
{
	char buffer[256] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *request = begin(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	struct wanted features = {NETDEV_XDP_FEATURES, sizeof(*out), out, false};
	uint16_t family;
	struct wanted id = {CTRL_ATTR_FAMILY_ID, sizeof(family), &family, false};
	int err;

	mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, "netdev");
	err = ask(socket, request, &id);
	if (err)
		return err;
	request = begin(buffer, family, NETDEV_DEV_GET);
	mnl_attr_put_u32(request, NETDEV_IFINDEX, ifindex);
	return ask(socket, request, &features);
}

int xdp_features_read(int ifindex, uint64_t *out)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	int err;

	if (!socket)
		return -errno;
	err = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) ? -errno : read_features(socket, ifindex, out);
	mnl_socket_close(socket);
	return err;
}
