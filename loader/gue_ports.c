// SPDX-License-Identifier: GPL-2.0
/* See gue_ports.h. No other file writes to this map. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "bpf/tunnel.h"
#include "gue_ports.h"
#include "output.h"

#define MAP "decap_ports"

static const uint32_t key;

int gue_ports_open(struct gue_ports *ports, const struct pins *pins)
{
	int err;

	ports->map = pins_get(pins, PINS_TOP, MAP);
	err = ports->map < 0 ? -ports->map : bpf_map_lookup_elem(ports->map, &key, &ports->current) ? errno : 0;
	if (!err)
		return 0;
	output_error("cannot read %s/" MAP ": %s%s", pins->dir, output_errno(err),
		err == ENOENT ? " ('sipxdp-loader upgrade --program decap' creates it)" : "");
	return -1;
}

void gue_ports_choose(struct gue_ports *ports, const struct options *options)
{
	size_t i, count = options->gue_port_count;

	ports->wanted = count ? options->gue_ports : ports->current;
	for (i = count; count && i < DECAP_GUE_PORTS; i++)
		ports->wanted.gue[i] = ports->wanted.gue[0];
}

static bool is_new(const struct gue_ports *ports)
{
	return memcmp(&ports->current, &ports->wanted, sizeof(ports->wanted)) != 0;
}

int gue_ports_put(const struct gue_ports *ports)
{
	if (!is_new(ports) || !bpf_map_update_elem(ports->map, &key, &ports->wanted, BPF_ANY))
		return 0;
	output_error("cannot write the map " MAP ": %s", output_errno(errno));
	return -1;
}

void gue_ports_undo(const struct gue_ports *ports)
{
	if (is_new(ports))
		bpf_map_update_elem(ports->map, &key, &ports->current, BPF_ANY);
}

bool gue_ports_finish(struct gue_ports *ports)
{
	bool changed = is_new(ports);

	ports->current = ports->wanted;
	return changed;
}

/* Returns the number of ports. */
static size_t list(const struct gue_ports *ports, uint16_t out[DECAP_GUE_PORTS])
{
	size_t count = 1;

	memcpy(out, ports->current.gue, sizeof(ports->current.gue));
	while (count < DECAP_GUE_PORTS && out[count] != out[0])
		count++;
	if (!out[0])
		out[0] = GUE_PORT;
	return count;
}

void gue_ports_report(const struct gue_ports *ports)
{
	uint16_t port[DECAP_GUE_PORTS];
	size_t i, length = 0, count = list(ports, port);
	char text[64] = "";

	for (i = 0; i < count; i++)
		length += snprintf(text + length, sizeof(text) - length, "%s%u", i ? ", " : "", port[i]);
	if (count > 1 || port[0] != GUE_PORT)
		output_info("GUE is accepted on UDP port %s", text);
}

json_t *gue_ports_describe(const struct gue_ports *ports)
{
	uint16_t port[DECAP_GUE_PORTS];
	size_t i, count = list(ports, port);
	json_t *array = json_array();

	for (i = 0; i < count; i++)
		json_array_append_new(array, json_integer(port[i]));
	return array;
}

void gue_ports_close(struct gue_ports *ports)
{
	if (ports->map > 0)
		close(ports->map);
	*ports = (struct gue_ports){.map = -1};
}
