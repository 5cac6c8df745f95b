// SPDX-License-Identifier: GPL-2.0
/* /api/v1/: the state of the balancer in JSON, byte for byte as `sipxdp-ctl --json` prints it. */
#include <string.h>
#include "ctl/daemon/control/report.h"
#include "observe_private.h"

/* Releases the lock of the worker while it writes the text: the reply belongs to this function alone. */
static void put_reply(struct daemon *daemon, json_t *reply, struct observe_page *page)
{
	const json_t *result = json_object_get(reply, "result");

	worker_unlock(daemon->worker);
	page->type = "application/json";
	page->status = result ? 200 : 500;
	page->text = reply ? protocol_print(result ? result : reply) : NULL;
	page->length = page->text ? strlen(page->text) : 0;
	json_decref(reply);
	worker_lock(daemon->worker);
}

#define API(name, report)                                                                                              \
	void name(struct daemon *daemon, enum observe_format format, struct observe_page *page)                        \
	{                                                                                                              \
		static const struct request request = {0};                                                             \
                                                                                                                       \
		(void)format;                                                                                          \
		put_reply(daemon, report(daemon, &request), page);                                                     \
	}

API(observe_api_status, report_status)
API(observe_api_services, report_service_list)
API(observe_api_pools, report_pool_list)
API(observe_api_backends, report_backend_list)
API(observe_api_stats, report_stats)
API(observe_api_history, observe_history_report)
