// SPDX-License-Identifier: GPL-2.0
/* See facts.h. Uses ethtool ioctls, netlink and /sys. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/ethtool.h>
#include <net/if.h>
#include <sys/utsname.h>
#include "dispatcher.h"
#include "facts.h"
#include "interface.h"
#include "xdp_features.h"

/* --- the kernel */

static uint32_t kernel_version(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (!uname(&name))
		sscanf(name.release, "%u.%u", &major, &minor);
	return LINUX(major, minor);
}

/* --- ethtool */

static void read_driver(struct xdp_facts *facts)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

	if (!interface_ethtool(facts->name, &info))
		snprintf(facts->driver, sizeof(facts->driver), "%.*s", (int)sizeof(facts->driver) - 1, info.driver);
}

static void read_queues(struct xdp_facts *facts)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};

	if (interface_ethtool(facts->name, &channels))
		return;
	facts->queues = (struct xdp_queue_counts){
		.rx = channels.rx_count + channels.combined_count,
		.tx = channels.tx_count + channels.combined_count,
		.max_rx = channels.max_rx + channels.max_combined,
		.max_tx = channels.max_tx + channels.max_combined,
		.combined = channels.combined_count,
	};
}

/* Returns the index of the offload with this name; -1 if the kernel does not have this offload. */
static int find_offload(const struct ethtool_gstrings *names, const char *name)
{
	for (uint32_t i = 0; i < names->len; i++) {
		if (!strncmp((const char *)names->data + i * ETH_GSTRING_LEN, name, ETH_GSTRING_LEN))
			return i;
	}
	return -1;
}

#define MOST_OFFLOADS 256

static bool is_on(const struct ethtool_gfeatures *offloads, int index)
{
	return index >= 0 && (uint32_t)index < offloads->size * 32 &&
	       offloads->features[index / 32].active & 1u << index % 32;
}

static void read_offloads(struct xdp_facts *facts)
{
	struct {
		struct ethtool_gstrings head;
		uint8_t text[MOST_OFFLOADS * ETH_GSTRING_LEN];
	} names = {.head = {.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES}};
	struct {
		struct ethtool_gfeatures head;
		struct ethtool_get_features_block blocks[MOST_OFFLOADS / 32];
	} offloads = {.head = {.cmd = ETHTOOL_GFEATURES, .size = MOST_OFFLOADS / 32}};
	struct {
		struct ethtool_sset_info head;
		uint32_t count;
	} sizes = {.head = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES}};

	if (interface_ethtool(facts->name, &sizes) || sizes.count > MOST_OFFLOADS)
		return;
	names.head.len = sizes.count;
	if (interface_ethtool(facts->name, &names) || interface_ethtool(facts->name, &offloads))
		return;
	facts->lro = is_on(&offloads.head, find_offload(&names.head, "rx-lro"));
	facts->gro_hw = is_on(&offloads.head, find_offload(&names.head, "rx-gro-hw"));
}

static void read_hash(struct xdp_facts *facts)
{
	const uint64_t ports = RXH_L4_B_0_1 | RXH_L4_B_2_3;
	struct ethtool_rxnfc flow = {.cmd = ETHTOOL_GRXFH, .flow_type = UDP_V4_FLOW};

	if (!interface_ethtool(facts->name, &flow) && flow.data)
		facts->hash = (flow.data & ports) == ports ? XDP_HASH_PORTS : XDP_HASH_ADDRESSES;
}

/* --- /sys */

/* The first interface below a VLAN, macvlan, bond or bridge. */
static void read_lower(struct xdp_facts *facts)
{
	const char prefix[] = "lower_";
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "/sys/class/net/%s", facts->name);
	directory = opendir(path);
	while (directory && (entry = readdir(directory)) && !facts->lower[0]) {
		if (!strncmp(entry->d_name, prefix, strlen(prefix)))
			snprintf(facts->lower, sizeof(facts->lower), "%.*s", (int)sizeof(facts->lower) - 1,
				entry->d_name + strlen(prefix));
	}
	if (directory)
		closedir(directory);
}

/* The file has one character for each feature bit: '1' if the device and the driver use the feature. */
static void read_virtio(struct xdp_facts *facts)
{
	char path[PATH_MAX], bits[64] = "";
	size_t i, count;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/net/%s/device/features", facts->name);
	file = strcmp(facts->driver, "virtio_net") ? NULL : fopen(path, "re");
	if (!file)
		return;
	count = fread(bits, 1, sizeof(bits), file);
	fclose(file);
	for (i = 0; i < count; i++)
		facts->virtio |= (uint64_t)(bits[i] == '1') << i;
}

/* --- the attached program */

static bool is_link_of(uint32_t id, int ifindex, uint32_t program)
{
	int fd = bpf_link_get_fd_by_id(id);
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);
	int err = fd < 0 ? -1 : bpf_obj_get_info_by_fd(fd, &info, &size);

	if (fd >= 0)
		close(fd);
	return !err && info.type == BPF_LINK_TYPE_XDP && info.prog_id == program &&
	       info.xdp.ifindex == (uint32_t)ifindex;
}

/* Returns the id of the bpf_link that attaches the program to the interface. 0: there is no such link, the user is not
 * root, or several links match: interfaces in different network namespaces can have the same index. */
static uint32_t find_link(int ifindex, uint32_t program)
{
	uint32_t id = 0, found = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		if (!is_link_of(id, ifindex, program))
			continue;
		if (found)
			return 0;
		found = id;
	}
	return found;
}

static void read_program(struct xdp_facts *facts, int ifindex)
{
	char text[PROGRAM_TEXT_SIZE];
	struct xdp_state xdp;

	if (interface_query(ifindex, &xdp) || !xdp.program_id)
		return;
	snprintf(facts->program, sizeof(facts->program), "%s, %s", interface_program_text(xdp.program_id, text),
		mode_name(xdp.mode));
	facts->program_is_generic = xdp.mode == MODE_GENERIC;
	facts->program_is_dispatcher = dispatcher_is_on(ifindex);
	facts->program_link = find_link(ifindex, xdp.program_id);
}

int facts_read(const char *name, struct xdp_facts *out)
{
	int ifindex = if_nametoindex(name), cpus = libbpf_num_possible_cpus();

	if (!ifindex)
		return -1;
	*out = (struct xdp_facts){
		.kernel = kernel_version(),
		.btf = !access("/sys/kernel/btf/vmlinux", F_OK),
		.cpus = cpus > 0 ? cpus : 1,
		.ethernet = interface_has_ethernet(name),
	};
	snprintf(out->name, sizeof(out->name), "%s", name);
	interface_flags(name, &out->up, &out->loopback);
	interface_mtu(name, &out->mtu);
	read_driver(out);
	read_queues(out);
	read_offloads(out);
	read_hash(out);
	read_lower(out);
	read_virtio(out);
	read_program(out, ifindex);
	out->has_features = !xdp_features_read(ifindex, &out->features);
	return 0;
}
