// SPDX-License-Identifier: GPL-2.0
/* Every path that the listener of `metrics:` answers. */
#include <stdarg.h>
#include <stdio.h>
#include "observe_private.h"

const struct observe_path observe_paths[] = {
	{.path = "/", .render = observe_status_page},
	{.path = "/metrics", .render = observe_metrics},
	{.path = "/healthz", .render = observe_healthz, .at_once = true},
	{.path = "/readyz", .render = observe_readyz, .at_once = true},
	{.path = "/api/v1/status", .render = observe_api_status, .at_once = true},
	{.path = "/api/v1/services", .render = observe_api_services},
	{.path = "/api/v1/pools", .render = observe_api_pools},
	{.path = "/api/v1/backends", .render = observe_api_backends},
	{.path = "/api/v1/stats", .render = observe_api_stats},
	{.path = "/api/v1/history", .render = observe_api_history},
	{},
};

void observe_put_text(struct observe_page *page, unsigned int status, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&page->text, format, arguments);
	va_end(arguments);
	if (length < 0)
		page->text = NULL;
	page->length = page->text ? length : 0;
	page->status = status;
	page->type = "text/plain; charset=utf-8";
}
