/* SPDX-License-Identifier: GPL-2.0 */
/* The table of paths. Shared by observe.c and the files that render pages. */
#pragma once

#include "observe.h"

/* A rendered page. */
struct observe_page {
	unsigned int status; /* HTTP status; 200 unless the function sets it */
	const char *type;    /* Content-Type */
	const char *policy;  /* Content-Security-Policy; NULL: nothing may be loaded */
	char *text;          /* to be freed */
	size_t length;
};

/* Renders a page. Requests within OBSERVE_FRESH ms share one page. `format` is the format that the client's Accept
 * header requests. */
enum observe_format {
	OBSERVE_USUAL,
	OBSERVE_OPENMETRICS,
	OBSERVE_FORMATS,
};

typedef void observe_render(struct daemon *daemon, enum observe_format format, struct observe_page *page);

struct observe_path {
	const char *path;
	observe_render *render;
	bool at_once; /* true: the event loop renders the page, which must not take long; false: the worker renders it
		       */
};

/* NULL ends the table. */
extern const struct observe_path observe_paths[];

#define OBSERVE_FRESH 250 /* ms */

/* Sets the page to text/plain. */
void observe_put_text(struct observe_page *page, unsigned int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* observe_metrics.c: Prometheus or OpenMetrics */
observe_render observe_metrics;

/* observe_health.c */
observe_render observe_healthz, observe_readyz;

/* observe_api.c: the same JSON as `sipxdp-ctl --json` */
observe_render observe_api_status, observe_api_services, observe_api_pools, observe_api_backends, observe_api_stats;

/* /api/v1/history, for the status page only; sipxdp-ctl has no command for it. */
observe_render observe_api_history;

/* observe_page.c: the status page */
observe_render observe_status_page;

/* observe_history.c. The worker calls the update every second. */
struct observe_history;

struct observe_history *observe_history_new(void);
void observe_history_free(struct observe_history *history);
void observe_history_update(struct observe_history *history, struct daemon *daemon);
json_t *observe_history_report(struct daemon *daemon, const struct request *request);

/* The latest rates of a service, per second. False if they are not known. */
bool observe_history_latest(
	const struct observe_history *history, const char *service, double *calls, double *failures);

/* observe.c */
struct observe_history *observe_history_of(const struct observe *observe);
