// SPDX-License-Identifier: GPL-2.0
/* The status page: page.html, with tables for browsers without scripts. Each text from the balancer is escaped. */
#include <stdio.h>
#include <string.h>
#include <openssl/evp.h>
#include "ctl/daemon/control/report.h"
#include "observe_private.h"

#define TABLES "<!-- tables -->\n" /* the tables replace this line */
#define HASH_SIZE 48               /* a SHA-256 in base64 */

/* The file, terminated by NUL. */
extern const char page_html[];
__asm__(".pushsection .rodata\n"
	"page_html: .incbin \"ctl/daemon/observe/page.html\"\n"
	".byte 0\n"
	".popsection\n");

/* --- Content-Security-Policy: the page runs its own script, applies its own style, and connects only to its own
 * balancer */

/* The hash of the text between two tags, as required by CSP level 2, section 4.2.5. */
static void hash_between(const char *begin, const char *end, char hash[HASH_SIZE])
{
	const char *text = strstr(page_html, begin) + strlen(begin);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length;

	EVP_Digest(text, strstr(text, end) - text, digest, &length, EVP_sha256(), NULL);
	EVP_EncodeBlock((unsigned char *)hash, digest, length);
}

static const char *make_policy(void)
{
	static char policy[320];
	char script[HASH_SIZE], style[HASH_SIZE];

	hash_between("<script>", "</script>", script);
	hash_between("<style>", "</style>", style);
	snprintf(policy, sizeof(policy),
		"default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; connect-src 'self'; img-src data:; "
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		script, style);
	return policy;
}

/* --- HTML */

static void put_text(FILE *out, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			putc(*text, out);
		}
}

static void put_value(FILE *out, const json_t *value)
{
	const json_t *item;
	size_t i;

	if (json_is_string(value))
		put_text(out, json_string_value(value));
	else if (json_is_integer(value))
		fprintf(out, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		fprintf(out, "%.1f", json_real_value(value));
	json_array_foreach(value, i, item)
	{
		fputs(i ? ", " : "", out);
		put_value(out, item);
	}
}

struct column {
	const char *title;
	const char *key; /* of the JSON that sipxdp-ctl prints */
};

/* NULL ends each table. */
static const struct column service_columns[] = {{"Service", "name"}, {"Calls/s", "calls_rate"},
	{"Failures/s", "failures_rate"}, {"Packets", "packets"}, {"VIP", "vips"}, {"Port", "ports"},
	{"Protocol", "protocol"}, {"Pool", "pool"}, {}};
static const struct column pool_columns[] = {{"Pool", "name"}, {"Backends", "backends"}, {"In table", "in_table"},
	{"Forward", "forward"}, {"Probe", "probe"}, {"Services", "services"}, {}};
static const struct column backend_columns[] = {{"Backend", "name"}, {"State", "state"}, {"Admin", "admin"},
	{"Share %", "share"}, {"Pool", "pool"}, {"Reason", "reason"}, {"Address", "address"}, {"Packets", "packets"},
	{}};

static void put_table(FILE *out, const struct column *columns, const json_t *rows)
{
	const json_t *row;
	size_t i;

	fputs("<div class=\"table\"><table><thead><tr>", out);
	for (const struct column *column = columns; column->title; column++)
		fprintf(out, "<th>%s</th>", column->title);
	fputs("</tr></thead><tbody>\n", out);
	json_array_foreach(rows, i, row)
	{
		fputs("<tr>", out);
		for (const struct column *column = columns; column->title; column++) {
			fputs("<td>", out);
			put_value(out, json_object_get(row, column->key));
			fputs("</td>", out);
		}
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

static void put_status(FILE *out, const json_t *status)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(status, "warnings"), i, item)
	{
		fputs("<p class=\"note\"><b>warning:</b> ", out);
		put_value(out, item);
		fputs("</p>\n", out);
	}
	json_array_foreach(json_object_get(status, "anomalies"), i, item)
	{
		fputs("<p class=\"note anomaly\"><b>anomaly:</b> ", out);
		put_value(out, json_object_get(item, "packets"));
		putc(' ', out);
		put_value(out, json_object_get(item, "verdict"));
		fputs(": ", out);
		put_value(out, json_object_get(item, "text"));
		fputs("</p>\n", out);
	}
}

/* --- the page */

static json_t *result_of(json_t *reply)
{
	json_t *result = json_incref(json_object_get(reply, "result"));

	json_decref(reply);
	return result;
}

static void add_rates(const struct observe_history *history, json_t *services)
{
	double calls, failures;
	json_t *service;
	size_t i;

	json_array_foreach(services, i, service)
	{
		const char *name = json_string_value(json_object_get(service, "name"));

		if (!json_is_true(json_object_get(service, "message_counters")) ||
			!observe_history_latest(history, name, &calls, &failures))
			continue;
		json_object_set_new(service, "calls_rate", json_real(calls));
		json_object_set_new(service, "failures_rate", json_real(failures));
	}
}

/* Releases the lock of the worker while it writes the text, as observe_api.c does. */
void observe_status_page(struct daemon *daemon, enum observe_format format, struct observe_page *page)
{
	static const struct request request = {0};
	const char *tables = strstr(page_html, TABLES);
	json_t *status = result_of(report_status(daemon, &request)),
	       *services = result_of(report_service_list(daemon, &request)),
	       *pools = result_of(report_pool_list(daemon, &request)),
	       *backends = result_of(report_backend_list(daemon, &request));
	FILE *out = open_memstream(&page->text, &page->length);

	(void)format;
	add_rates(observe_history_of(daemon->observe), services);
	worker_unlock(daemon->worker);
	fwrite(page_html, 1, tables - page_html, out);
	put_status(out, status);
	put_table(out, service_columns, services);
	put_table(out, pool_columns, pools);
	put_table(out, backend_columns, backends);
	fputs(tables + strlen(TABLES), out);
	fclose(out);
	json_decref(status);
	json_decref(services);
	json_decref(pools);
	json_decref(backends);
	page->type = "text/html; charset=utf-8";
	page->policy = make_policy();
	worker_lock(daemon->worker);
}
