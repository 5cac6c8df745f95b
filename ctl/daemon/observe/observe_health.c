// SPDX-License-Identifier: GPL-2.0
/* /healthz and /readyz, for programs that evaluate the status code. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "core/view/readiness.h"
#include "ctl/daemon/active_maps.h"
#include "observe_private.h"

void observe_healthz(struct daemon *daemon, enum observe_format format, struct observe_page *page)
{
	(void)daemon, (void)format;
	observe_put_text(page, 200, "ok\n");
}

static struct readiness_link link_of(const char *interface, void *data)
{
	const struct daemon *daemon = data;
	char name[INTERFACE_SIZE], path[ACTIVE_MAPS_PATH_SIZE];
	const char *pins = active_maps_directory(daemon, path);

	return (struct readiness_link){.is_attached = strcmp(maps_attach_mode(daemon->maps, pins, interface), "none"),
		.fault = maps_link_fault(maps_current_name(pins, interface, name))};
}

/* While sipxdp-loader switches to new maps, the daemon fills maps that are not in use yet. The previous maps are
 * still used for forwarding, so the balancer stays ready. If the loader was killed during the switch, failures of
 * backends are not detected until it continues. */
void observe_readyz(struct daemon *daemon, enum observe_format format, struct observe_page *page)
{
	FILE *out = open_memstream(&page->text, &page->length);
	struct messages reasons = {0};

	(void)format;
	if (daemon->using_next_maps && daemon->is_switch_interrupted) {
		messages_add(&reasons, READINESS_INTERRUPTED);
	} else if (daemon->using_next_maps) {
		readiness_check_away(daemon->farm->away_since, &reasons);
	} else {
		if (active_maps_are_cut_off(daemon))
			messages_add(&reasons, "the pins in %s are gone: forwarding ends when sipxdpd stops",
				daemon->pin_directory);
		else if (maps_are_pinned(daemon->maps, daemon->pin_directory) == 0)
			messages_add(&reasons, "the balancer is detached and forwards no packets");
		readiness_check_joining(daemon->running, time(NULL), &reasons);
		readiness_check(daemon->running, NULL, link_of, daemon, &reasons);
	}
	for (size_t i = 0; i < reasons.count; i++)
		fprintf(out, "%s\n", reasons.list[i]);
	messages_free(&reasons);
	fflush(out);
	page->type = "text/plain; charset=utf-8";
	page->status = page->length ? 503 : 200;
	if (!page->length)
		fputs("ready\n", out);
	fclose(out);
}
