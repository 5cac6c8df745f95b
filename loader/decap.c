// SPDX-License-Identifier: GPL-2.0
/* See decap.h. */
#include <stdlib.h>
#include <unistd.h>
#include "decap.h"
#include "output.h"
#include "tunnel.h"

static int name_addresses(struct decap *decap, const struct options *options)
{
	bool is_new;
	size_t i;

	decap->named = calloc(options->address_count + 1, sizeof(*decap->named));
	if (!decap->named) {
		output_error("out of memory");
		return -1;
	}
	for (i = 0; i < options->address_count; i++) {
		if (tunnel_add_named(decap->addresses, &options->addresses[i], &is_new))
			return -1;
		if (is_new)
			decap->named[decap->named_count++] = options->addresses[i];
	}
	return 0;
}

int decap_begin(struct decap *decap, const struct pins *pins, const struct options *options)
{
	decap->addresses = pins_get(pins, PINS_TOP, "decap_addresses");
	if (decap->addresses < 0) {
		output_error("cannot open %s/decap_addresses: %s", pins->dir, output_errno(decap->addresses));
		return -1;
	}
	if (allowlists_open(&decap->lists, pins) || allowlists_choose(&decap->lists, options) ||
		allowlists_add(&decap->lists))
		return -1;
	return name_addresses(decap, options);
}

void decap_undo(const struct decap *decap)
{
	size_t i;

	if (decap->addresses < 0)
		return;
	for (i = 0; i < decap->named_count; i++)
		tunnel_remove_named(decap->addresses, &decap->named[i]);
	allowlists_undo(&decap->lists);
}

bool decap_finish(struct decap *decap)
{
	return decap->addresses >= 0 && (allowlists_finish(&decap->lists) || decap->named_count);
}

void decap_report(const struct decap *decap)
{
	if (decap->addresses < 0)
		return;
	if (decap->named_count)
		output_info(
			"%zu new tunnel endpoint%s (--address)", decap->named_count, decap->named_count > 1 ? "s" : "");
	allowlists_report(&decap->lists);
}

void decap_close(struct decap *decap)
{
	if (decap->addresses >= 0)
		close(decap->addresses);
	allowlists_close(&decap->lists);
	free(decap->named);
}
