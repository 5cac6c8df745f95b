// SPDX-License-Identifier: GPL-2.0
/* See lists.h. The only file that writes into these maps. */
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lists.h"
#include "say.h"

/* The value of an entry: by what it came into the list. */
enum origin {
	ORIGIN_NAMED = 1,
	ORIGIN_CHOSEN,
};

static const struct prefix_key any;

static const char *map_name(const struct list *list)
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
		say_error("out of memory");
		return -1;
	}
	prefixes->list = list;
	list[prefixes->count++] = *prefix;
	return 0;
}

/* --- what there is */

static int compare(const void *a, const void *b)
{
	return memcmp(&((const struct prefix_key *)a)->address, &((const struct prefix_key *)b)->address,
		sizeof(struct address));
}

static int read_list(struct list *list)
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

int lists_open(struct lists *lists, const struct pins *pins)
{
	size_t i;

	*lists = (struct lists){.list = {{.map = -1}, {.map = -1, .is_vips = true}}};
	for (i = 0; i < 2; i++) {
		struct list *list = &lists->list[i];

		list->map = pins_get(pins, PINS_TOP, map_name(list));
		if (list->map < 0) {
			say_error("cannot open %s/%s: %s%s", pins->dir, map_name(list), say_why(list->map),
				list->map == -ENOENT ? " ('sipxdp-loader upgrade --program decap' makes it)" : "");
			return -1;
		}
		if (read_list(list))
			return -1;
	}
	return 0;
}

/* --- what is wanted */

static int add_addresses_of_lo(struct prefixes *out)
{
	struct prefix_key key = {.bits = 128};
	struct ifaddrs *all, *entry;
	int result = 0;

	if (getifaddrs(&all)) {
		say_error("cannot read the addresses of lo: %s", say_why(errno));
		return -1;
	}
	for (entry = all; !result && entry; entry = entry->ifa_next) {
		if (interface_address(entry, "lo", &key.address) && !holds(out, &key))
			result = append(out, &key);
	}
	freeifaddrs(all);
	return result;
}

static int want_given(struct list *list, const struct prefixes *given)
{
	size_t i;

	list->named = true;
	for (i = 0; i < given->count; i++) {
		if (!holds(&list->wanted, &given->list[i]) && append(&list->wanted, &given->list[i]))
			return -1;
	}
	return 0;
}

static int choose(struct list *list, const struct prefixes *given)
{
	if (given->count)
		return want_given(list, given);
	if (list->named)
		return 0;
	if (list->is_vips && add_addresses_of_lo(&list->wanted))
		return -1;
	return list->wanted.count ? 0 : append(&list->wanted, &any);
}

int lists_choose(struct lists *lists, const struct options *options)
{
	return choose(&lists->list[0], &options->from) || choose(&lists->list[1], &options->vips) ? -1 : 0;
}

/* Named, so that an attach without options does not close them. */
static int keep(struct list *list, const struct prefixes *given)
{
	const struct prefixes everything = {.list = (struct prefix_key *)&any, .count = 1};

	if (given->count)
		return want_given(list, given);
	return list->current.count ? 0 : want_given(list, &everything);
}

int lists_keep(struct lists *lists, const struct options *options)
{
	return keep(&lists->list[0], &options->from) || keep(&lists->list[1], &options->vips) ? -1 : 0;
}

/* --- the change */

static int put(const struct list *list, const struct prefix_key *prefix)
{
	const uint32_t origin = list->named ? ORIGIN_NAMED : ORIGIN_CHOSEN;

	return bpf_map_update_elem(list->map, prefix, &origin, BPF_ANY);
}

static int add(struct list *list)
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
		say_error("cannot put %s into the map %s: %s", prefix_format(prefix, text), map_name(list),
			errno == ENOSPC ? "it is full" : say_why(errno));
		return -1;
	}
	return 0;
}

int lists_add(struct lists *lists)
{
	return add(&lists->list[0]) || add(&lists->list[1]) ? -1 : 0;
}

void lists_undo(const struct lists *lists)
{
	size_t i, j;

	for (i = 0; i < 2; i++) {
		for (j = 0; j < lists->list[i].added.count; j++)
			bpf_map_delete_elem(lists->list[i].map, &lists->list[i].added.list[j]);
	}
}

static bool finish(struct list *list)
{
	struct prefixes before = list->current;
	bool changed = list->added.count > 0;
	size_t i;

	if (!list->wanted.count)
		return false;
	for (i = 0; i < before.count; i++) {
		if (holds(&list->wanted, &before.list[i])) {
			put(list, &before.list[i]); /* it may be named now, and was chosen */
			continue;
		}
		bpf_map_delete_elem(list->map, &before.list[i]);
		changed = true;
	}
	list->current = list->wanted;
	list->wanted = before;
	return changed;
}

bool lists_finish(struct lists *lists)
{
	bool sources = finish(&lists->list[0]), vips = finish(&lists->list[1]);

	return sources || vips;
}

/* --- what is said of it */

static void say_list(const struct list *list)
{
	char text[1024] = "", one[PREFIX_TEXT_SIZE];
	size_t i, length = 0;

	for (i = 0; i < list->current.count && length < sizeof(text); i++)
		length += snprintf(text + length, sizeof(text) - length, "%s%s", i ? ", " : "",
			prefix_format(&list->current.list[i], one));
	if (list->is_vips)
		say_done("packets in tunnels are accepted for %s%s", text,
			list->named ? "" : " (as lo has it now; 'attach' again after a change)");
	else
		say_done("tunnels are accepted from %s", text);
}

#define WARNING_SOURCES                                                                                                \
	"tunnels are accepted from any source: any host that can send IP protocol 4 or 41 to this one can bring in "   \
	"packets with a forged source (name the balancers: 'attach --from PREFIX')"
#define WARNING_VIPS                                                                                                   \
	"packets in tunnels are accepted for any destination (put the VIPs on lo, or name them: 'attach --vip "        \
	"ADDRESS')"

void lists_report(const struct lists *lists)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		const struct list *list = &lists->list[i];

		if (is_any(&list->current))
			say_warning("%s", list->is_vips ? WARNING_VIPS : WARNING_SOURCES);
		else
			say_list(list);
	}
}

/* Addresses that lo has got since the list was made would be refused. */
static void warn_of_lo(const struct list *list, json_t *warnings)
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
					     "accepted ('sipxdp-loader attach --program decap IFACE' again)",
					prefix_format(&now.list[i], text)));
	}
	free(now.list);
}

static json_t *describe(const struct list *list, json_t *warnings)
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

json_t *lists_describe(const struct lists *lists, json_t *warnings)
{
	return json_pack(
		"{s:o, s:o}", "from", describe(&lists->list[0], warnings), "vips", describe(&lists->list[1], warnings));
}

void lists_close(struct lists *lists)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		struct list *list = &lists->list[i];

		if (list->map > 0)
			close(list->map);
		free(list->current.list);
		free(list->wanted.list);
		free(list->added.list);
		*list = (struct list){.map = -1};
	}
}
