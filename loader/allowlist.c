// SPDX-License-Identifier: GPL-2.0
/* See allowlist.h. No other file writes to these maps. */
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "allowlist.h"
#include "output.h"

/* The value of an entry: whether an option or the loader added it. */
enum origin {
	ORIGIN_NAMED = 1,
	ORIGIN_CHOSEN,
};

static const struct prefix_key any;

static const char *map_name(const struct allowlist *list)
{
	return list->is_vips ? "decap_vips" : "decap_sources";
}

static bool is_any(const struct prefixes *prefixes)
{
	size_t i;

	for (i = 0; i < prefixes->count; i++) {
		if (!prefixes->list[i].bits)
			return true;
	}
	return false;
}

static bool holds(const struct prefixes *prefixes, const struct prefix_key *prefix)
{
	size_t i;

	for (i = 0; i < prefixes->count; i++) {
		if (prefix_equal(&prefixes->list[i], prefix))
			return true;
	}
	return false;
}

static int append(struct prefixes *prefixes, const struct prefix_key *prefix)
{
	struct prefix_key *list = reallocarray(prefixes->list, prefixes->count + 1, sizeof(*list));

	if (!list) {
		output_error("out of memory");
		return -1;
	}
	prefixes->list = list;
	list[prefixes->count++] = *prefix;
	return 0;
}

/* --- current contents */

static int compare(const void *a, const void *b)
{
	return memcmp(&((const struct prefix_key *)a)->address, &((const struct prefix_key *)b)->address,
		sizeof(struct address));
}

static int read_list(struct allowlist *list)
{
	const struct prefix_key *before = NULL;
	struct prefix_key key;
	uint32_t origin;

	while (!bpf_map_get_next_key(list->map, before, &key)) {
		if (append(&list->current, &key))
			return -1;
		if (!bpf_map_lookup_elem(list->map, &key, &origin))
			list->named = origin == ORIGIN_NAMED;
		before = &list->current.list[list->current.count - 1];
	}
	qsort(list->current.list, list->current.count, sizeof(key), compare);
	return 0;
}

int allowlists_open(struct allowlists *lists, const struct pins *pins)
{
	size_t i;

	*lists = (struct allowlists){.list = {{.map = -1}, {.map = -1, .is_vips = true}}, .ports.map = -1};
	for (i = 0; i < 2; i++) {
		struct allowlist *list = &lists->list[i];

		list->map = pins_get(pins, PINS_TOP, map_name(list));
		if (list->map < 0) {
			output_error("cannot open %s/%s: %s%s", pins->dir, map_name(list), output_errno(list->map),
				list->map == -ENOENT ? " ('sipxdp-loader upgrade --program decap' creates it)" : "");
			return -1;
		}
		if (read_list(list))
			return -1;
	}
	return gue_ports_open(&lists->ports, pins);
}

/* --- new contents */

static int add_addresses_of_lo(struct prefixes *out)
{
	struct prefix_key key = {.bits = 128};
	struct ifaddrs *all, *entry;
	int result = 0;

	if (getifaddrs(&all)) {
		output_error("cannot read the addresses of lo: %s", output_errno(errno));
		return -1;
	}
	for (entry = all; !result && entry; entry = entry->ifa_next) {
		if (interface_address(entry, "lo", &key.address) && !holds(out, &key))
			result = append(out, &key);
	}
	freeifaddrs(all);
	return result;
}

static int want_given(struct allowlist *list, const struct prefixes *given)
{
	size_t i;

	list->named = true;
	for (i = 0; i < given->count; i++) {
		if (!holds(&list->wanted, &given->list[i]) && append(&list->wanted, &given->list[i]))
			return -1;
	}
	return 0;
}

static int choose(struct allowlist *list, const struct prefixes *given)
{
	if (given->count)
		return want_given(list, given);
	if (list->named)
		return 0;
	if (list->is_vips && add_addresses_of_lo(&list->wanted))
		return -1;
	return list->wanted.count ? 0 : append(&list->wanted, &any);
}

int allowlists_choose(struct allowlists *lists, const struct options *options)
{
	gue_ports_choose(&lists->ports, options);
	return choose(&lists->list[0], &options->from) || choose(&lists->list[1], &options->vips) ? -1 : 0;
}

/* The entries are stored as if an option had set them, so that an attach without options does not replace them. */
static int keep(struct allowlist *list, const struct prefixes *given)
{
	const struct prefixes everything = {.list = (struct prefix_key *)&any, .count = 1};

	if (given->count)
		return want_given(list, given);
	return list->current.count ? 0 : want_given(list, &everything);
}

int allowlists_keep(struct allowlists *lists, const struct options *options)
{
	gue_ports_choose(&lists->ports, options);
	return keep(&lists->list[0], &options->from) || keep(&lists->list[1], &options->vips) ? -1 : 0;
}

/* --- the change */

static int put(const struct allowlist *list, const struct prefix_key *prefix)
{
	const uint32_t origin = list->named ? ORIGIN_NAMED : ORIGIN_CHOSEN;

	return bpf_map_update_elem(list->map, prefix, &origin, BPF_ANY);
}

static int add(struct allowlist *list)
{
	char text[PREFIX_TEXT_SIZE];
	size_t i;

	for (i = 0; i < list->wanted.count; i++) {
		const struct prefix_key *prefix = &list->wanted.list[i];

		if (holds(&list->current, prefix))
			continue;
		if (append(&list->added, prefix))
			return -1;
		if (!put(list, prefix))
			continue;
		output_error("cannot add %s to the map %s: %s", prefix_format(prefix, text), map_name(list),
			errno == ENOSPC ? "it is full" : output_errno(errno));
		return -1;
	}
	return 0;
}

int allowlists_add(struct allowlists *lists)
{
	return add(&lists->list[0]) || add(&lists->list[1]) || gue_ports_put(&lists->ports) ? -1 : 0;
}

void allowlists_undo(const struct allowlists *lists)
{
	size_t i, j;

	for (i = 0; i < 2; i++) {
		for (j = 0; j < lists->list[i].added.count; j++)
			bpf_map_delete_elem(lists->list[i].map, &lists->list[i].added.list[j]);
	}
	gue_ports_undo(&lists->ports);
}

static bool finish(struct allowlist *list)
{
	struct prefixes before = list->current;
	bool changed = list->added.count > 0;
	size_t i;

	if (!list->wanted.count)
		return false;
	for (i = 0; i < before.count; i++) {
		if (holds(&list->wanted, &before.list[i])) {
			put(list, &before.list[i]); /* an option may now set a former default */
			continue;
		}
		bpf_map_delete_elem(list->map, &before.list[i]);
		changed = true;
	}
	list->current = list->wanted;
	list->wanted = before;
	return changed;
}

bool allowlists_finish(struct allowlists *lists)
{
	bool sources = finish(&lists->list[0]), vips = finish(&lists->list[1]);
	bool ports = gue_ports_finish(&lists->ports);

	return sources || vips || ports;
}

/* --- report */

static void say_list(const struct allowlist *list)
{
	char text[1024] = "", one[PREFIX_TEXT_SIZE];
	size_t i, length = 0;

	for (i = 0; i < list->current.count && length < sizeof(text); i++)
		length += snprintf(text + length, sizeof(text) - length, "%s%s", i ? ", " : "",
			prefix_format(&list->current.list[i], one));
	if (list->is_vips)
		output_info("packets in tunnels are accepted for %s%s", text,
			list->named ? "" : " (the addresses of lo; run 'attach' again after a change of them)");
	else
		output_info("tunnels are accepted from %s", text);
}

#define WARNING_SOURCES                                                                                                \
	"tunnels are accepted from any source: any host that can send tunnel packets to this one can inject "          \
	"packets with a forged source (to prevent this, name the balancers: 'attach --from PREFIX')"
#define WARNING_VIPS                                                                                                   \
	"packets in tunnels are accepted for any destination (put the VIPs on lo, or name them: 'attach --vip "        \
	"ADDRESS')"

void allowlists_report(const struct allowlists *lists)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		const struct allowlist *list = &lists->list[i];

		if (is_any(&list->current))
			output_warning("%s", list->is_vips ? WARNING_VIPS : WARNING_SOURCES);
		else
			say_list(list);
	}
	gue_ports_report(&lists->ports);
}

/* Warns about addresses that were added to lo after the list was created: decap refuses packets for them. */
static void warn_of_lo(const struct allowlist *list, json_t *warnings)
{
	struct prefixes now = {0};
	char text[PREFIX_TEXT_SIZE];
	size_t i;

	if (list->named || is_any(&list->current) || add_addresses_of_lo(&now))
		return;
	for (i = 0; i < now.count; i++) {
		if (!holds(&list->current, &now.list[i]))
			json_array_append_new(warnings,
				json_sprintf("decap: lo has the address %s, and tunnelled packets for it are not "
					     "accepted (run 'sipxdp-loader attach --program decap IFACE' again)",
					prefix_format(&now.list[i], text)));
	}
	free(now.list);
}

static json_t *describe(const struct allowlist *list, json_t *warnings)
{
	json_t *array = json_array();
	char text[PREFIX_TEXT_SIZE];
	size_t i;

	for (i = 0; i < list->current.count; i++)
		json_array_append_new(array, json_string(prefix_format(&list->current.list[i], text)));
	if (is_any(&list->current))
		json_array_append_new(
			warnings, json_sprintf("decap: %s", list->is_vips ? WARNING_VIPS : WARNING_SOURCES));
	if (list->is_vips)
		warn_of_lo(list, warnings);
	return array;
}

json_t *allowlists_describe(const struct allowlists *lists, json_t *warnings)
{
	return json_pack("{s:o, s:o, s:o}", "from", describe(&lists->list[0], warnings), "vips",
		describe(&lists->list[1], warnings), "gue_ports", gue_ports_describe(&lists->ports));
}

void allowlists_close(struct allowlists *lists)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		struct allowlist *list = &lists->list[i];

		if (list->map > 0)
			close(list->map);
		free(list->current.list);
		free(list->wanted.list);
		free(list->added.list);
		*list = (struct allowlist){.map = -1};
	}
	gue_ports_close(&lists->ports);
}
