// SPDX-License-Identifier: GPL-2.0
/* See own_macs.h. */
#include <unistd.h>
#include <bpf/bpf.h>
#include "interface.h"
#include "output.h"
#include "own_macs.h"

static int open_map(const struct pins *pins, enum pins_place place, const char *name)
{
	int map = pins_get(pins, place, name);

	if (map < 0)
		output_error("cannot open %s/%s: %s", pins->dir, name, output_errno(map));
	return map;
}

int own_macs_open(struct own_macs *maps, const struct pins *pins, enum pins_place place)
{
	maps->own_macs = open_map(pins, place, "own_macs");
	maps->interface_macs = open_map(pins, place, "interface_macs");
	return maps->own_macs < 0 || maps->interface_macs < 0 ? -1 : 0;
}

int own_macs_add(const struct own_macs *maps, const char *interface, int ifindex)
{
	struct interface_mac mac = {.own.ifindex = ifindex};
	uint32_t at = INTERFACE_MAC_INDEX(ifindex);
	int err = interface_mac(interface, &mac.own.mac);

	if (!err)
		err = interface_mtu(interface, &mac.mtu);
	if (!err)
		err = bpf_map_update_elem(maps->own_macs, &mac.own, &mac.mtu, BPF_ANY);
	if (!err)
		err = bpf_map_update_elem(maps->interface_macs, &at, &mac, BPF_ANY);
	if (err)
		output_error("cannot add the MAC address of %s to the maps own_macs and interface_macs: %s", interface,
			output_errno(err));
	return err ? -1 : 0;
}

void own_macs_close(const struct own_macs *maps)
{
	if (maps->own_macs >= 0)
		close(maps->own_macs);
	if (maps->interface_macs >= 0)
		close(maps->interface_macs);
}
