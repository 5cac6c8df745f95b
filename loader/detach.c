// SPDX-License-Identifier: GPL-2.0
/* The command `detach`. Detaches the program from the named interfaces, or from all. When no interface remains, removes
 * the pinned maps and the program. */
#include <unistd.h>
#include "attachment.h"
#include "options.h"
#include "output.h"
#include "tunnel.h"

static void forget_addresses(const struct pins *pins, uint32_t ifindex, const struct attachments *attached)
{
	int map = pins_get(pins, PINS_TOP, "decap_addresses");

	if (map < 0)
		return;
	tunnel_remove_interface(map, ifindex, attached);
	close(map);
}

static int detach_one(struct pins *pins, struct attachment *attachment, const struct attachments *attached)
{
	uint32_t ifindex = attachment->ifindex;

	if (attachment_remove(pins, attachment))
		return -1;
	if (attachment->state == ATTACHMENT_GONE)
		output_info("%s: was detached already (the interface was deleted, or a different tool detached the "
			    "program); "
			    "its pin is removed",
			attachment->name);
	else
		output_info("%s detached from %s", program_name(pins->kind), attachment->name);
	if (!ifindex) /* a removed link has no ifindex */
		ifindex = if_nametoindex(attachment->name);
	attachment->state = ATTACHMENT_GONE;
	attachment->ifindex = 0;
	if (pins->kind == PROGRAM_DECAP)
		forget_addresses(pins, ifindex, attached);
	return 0;
}

/* Checks that all named interfaces are attached, before the first interface is detached. */
static int check_names(const struct options *options, const struct attachments *attachments)
{
	int result = 0;
	size_t i;

	for (i = 0; i < options->interface_count; i++) {
		if (attachments_find(attachments, options->interfaces[i]))
			continue;
		output_error("%s is not attached to %s (see 'sipxdp-loader status')", program_name(options->program),
			options->interfaces[i]);
		result = -1;
	}
	return result;
}

static bool is_wanted(
	const struct options *options, const struct attachments *attachments, const struct attachment *attachment)
{
	size_t i;

	for (i = 0; i < options->interface_count; i++) {
		if (attachments_find(attachments, options->interfaces[i]) == attachment)
			return true;
	}
	return options->interface_count == 0;
}

static int detach(const struct options *options, struct pins *pins, struct attachments *attachments)
{
	size_t i, left = attachments->count;
	bool removed, next;
	int result = 0;

	for (i = 0; i < attachments->count; i++) {
		if (!is_wanted(options, attachments, &attachments->list[i]))
			continue;
		if (detach_one(pins, &attachments->list[i], attachments))
			result = -1;
		else
			left--;
	}
	if (left)
		return result;
	/* Maps without an attachment are left over from a killed loader. */
	if (pins_remove_shared(pins, PINS_TOP, &removed) || pins_remove_shared(pins, PINS_NEXT, &next))
		return -1;
	if (removed)
		output_info("the maps of %s are removed from %s", program_name(pins->kind), pins->dir);
	else if (!attachments->count)
		output_info("%s is not attached to anything", program_name(pins->kind));
	return result;
}

int detach_run(const struct options *options)
{
	struct attachments attachments = {0};
	int result = -1;
	struct pins pins;

	if (pins_open(&pins, options->pin_dir, options->program, PINS_CHANGE))
		return -1;
	if (attachments_read(&pins, &attachments) || check_names(options, &attachments))
		goto out;
	pins_begin(&pins);
	result = detach(options, &pins, &attachments);
	pins_end(&pins, false);
out:
	attachments_free(&attachments);
	pins_close(&pins);
	return result;
}
