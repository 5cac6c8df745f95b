// SPDX-License-Identifier: GPL-2.0
/* The screen of `sipxdp-ctl top`: rows, order, filter, keys and layout. */
#include <criterion/criterion.h>
#include <string.h>
#include "core/view/top_private.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define LINES_MAX 64

static struct top_line lines[LINES_MAX];

static json_t *backend(const char *pool, const char *name, const char *state, int slots)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:f, s:i, s:i, s:i, s:i}", "pool", pool, "name", name, "state",
		state, "forward", !strcmp(pool, "edge") ? "nat" : "dsr", "admin",
		!strcmp(name, "px3") ? "drain" : "ready", "share", slots / 10.0, "slots", slots, "latency_mean", 1500,
		"calls", slots / 100, "calls_error", !strcmp(pool, "edge"));
}

static json_t *backends(void)
{
	return json_pack("[o, o, o, o]", backend("proxies", "px1", "up", 600), backend("proxies", "px2", "down", 0),
		backend("proxies", "px3", "up", 400), backend("edge", "sbc1", "up", 1000));
}

static json_t *traffic(const char *pool, const char *name, int packets)
{
	json_t *object = json_pack("{s:s, s:i, s:i, s:i, s:i}", "name", name, "packets", packets, "bytes",
		500 * packets, "initial_invite", packets / 100, "initial_register", packets / 10);

	if (pool)
		json_object_set_new(object, "pool", json_string(pool));
	return object;
}

static json_t *verdict(const char *name, const char *action, int packets, bool normal)
{
	return json_pack("{s:s, s:s, s:i, s:b, s:s}", "name", name, "action", action, "packets", packets, "normal",
		normal, "text", "what it means");
}

static json_t *request(const char *service, const char *method, const char *dialog, int messages)
{
	return json_pack(
		"{s:s, s:s, s:s, s:i}", "service", service, "method", method, "dialog", dialog, "messages", messages);
}

static json_t *response(const char *service, const char *code, const char *class, int messages)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i}", "service", service, "cseq", "INVITE", "code", code, "class",
		class, "messages", messages);
}

static json_t *status(void)
{
	return json_pack("{s:[s]}", "warnings", "px2 is down");
}

static json_t *returned(const char *pool, const char *name, int n)
{
	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i}", "pool", pool, "name", name, "invite_2xx", 100 * n,
		"invite_4xx", 3 * n, "other_4xx", 40 * n, "invite_5xx", n, "other_5xx", 7 * n);
}

/* Counters after `n` seconds. */
static json_t *stats(int n)
{
	return json_pack("{s:[o, o, o], s:[o, o], s:[o, o, o, o], s:[o, o, o], s:[o, o, o], s:{s:[o]}}", "verdicts",
		verdict("call_id", "forwarded", 3000 * n, true), verdict("no_backend", "passed", 2 * n, false),
		verdict("malformed", "passed", 0, false), "services", traffic(NULL, "sip", 2000 * n),
		traffic(NULL, "sips", 1000 * n), "backends", traffic("proxies", "px1", 100 * n),
		traffic("proxies", "px2", 0), traffic("proxies", "px3", 900 * n), traffic("edge", "sbc1", 2000 * n),
		"requests", request("sip", "INVITE", "initial", 30 * n), request("sip", "INVITE", "in_dialog", 5 * n),
		request("sips", "REGISTER", "initial", 7 * n), "responses", response("sip", "404", "4xx", 3 * n),
		response("sip", "486", "4xx", n), response("sips", "503", "5xx", 2 * n), "returned", "backends",
		returned("edge", "sbc1", n));
}

static struct top two_samples(void)
{
	struct top top;

	top_open(&top, TOP_BACKENDS, TOP_VERDICTS);
	top_sample(&top, stats(1), backends(), status(), 10);
	top_sample(&top, stats(3), backends(), status(), 12);
	return top;
}

static void press(struct top *top, const char *keys)
{
	for (; *keys; keys++)
		cr_assert(top_press(top, *keys));
}

/* The line that contains `text`; -1 if none does. */
static int line_with(const char *text, int height)
{
	for (int i = 0; i < height; i++)
		if (strstr(lines[i].text, text))
			return i;
	return -1;
}

static void expect_order(struct top *top, const char *names)
{
	char got[256] = "";
	size_t count;
	const json_t **rows = top_select(top, &count);

	for (size_t i = 0; i < count; i++) {
		strcat(got, i ? " " : "");
		strcat(got, json_string_value(json_object_get(rows[i], "name")));
	}
	free(rows);
	cr_expect_str_eq(got, names);
}

Test(top, numbers_are_short)
{
	static const struct {
		double number;
		const char *text;
	} rows[] = {
		{0, "0"},
		{0.04, "0.0"},
		{4, "4"},
		{4.25, "4.2"},
		{9.97, "10"},
		{999.4, "999"},
		{999.6, "1.0k"},
		{12345, "12.3k"},
		{123456, "123k"},
		{999600, "1.0M"},
		{2.5e9, "2.5G"},
		{1e30, "1000000000000E"},
	};
	char out[TOP_CELL_SIZE];

	for (size_t i = 0; i < COUNT(rows); i++)
		cr_expect_str_eq(top_number_text(rows[i].number, out), rows[i].text);
}

Test(top, rates_are_unknown_before_the_second_sample)
{
	struct top top;

	top_open(&top, TOP_BACKENDS, TOP_VERDICTS);
	top_sample(&top, stats(1), backends(), status(), 10);
	top_layout(&top, 80, 24, false, lines);
	cr_expect_str_eq(lines[0].text, "packets -/s  calls -/s  services 2  pools 2  backends 4, 3 in the table");
	cr_expect(strstr(lines[line_with("px1", 24)].text, " - "));
	top_sample(&top, stats(2), backends(), status(), 11);
	top_layout(&top, 80, 24, false, lines);
	cr_expect_str_eq(lines[0].text, "packets 3.0k/s  calls 30/s  services 2  pools 2  backends 4, 3 in the table");
	top_close(&top);
}

Test(top, the_busiest_rows_are_first_and_any_column_can_sort)
{
	struct top top = two_samples();

	expect_order(&top, "sbc1 px3 px1 px2");
	press(&top, "r");
	expect_order(&top, "px2 px1 px3 sbc1");
	press(&top, "<<<<<");
	expect_order(&top, "sbc1 px1 px3 px2"); /* share */
	press(&top, "<");
	expect_order(&top, "px2 px1 sbc1 px3"); /* state: down, up, up,drain */
	press(&top, "<<");
	expect_order(&top, "sbc1 px1 px2 px3"); /* pool */
	press(&top, "<");
	expect_order(&top, "sbc1 px1 px3 px2"); /* calls */
	press(&top, ">>");
	expect_order(&top, "px1 px2 px3 sbc1"); /* name */
	press(&top, "\t");
	expect_order(&top, "edge proxies");
	press(&top, "\t");
	expect_order(&top, "sip sips");
	press(&top, "\t");
	expect_order(&top, "call_id no_backend malformed");
	press(&top, "\t");
	expect_order(&top, "px1 px2 px3 sbc1");
	cr_expect(top_press(&top, TOP_KEY_BACK_TAB));
	cr_expect_eq(top.view, TOP_VERDICTS);
	top_close(&top);
}

Test(top, a_pool_is_the_sum_of_its_backends)
{
	struct top top = two_samples();
	const json_t *pool = json_array_get(top.rows[TOP_POOLS], 0);

	cr_expect_str_eq(json_string_value(json_object_get(pool, "name")), "proxies");
	cr_expect_eq(json_number_value(json_object_get(pool, "backends")), 3);
	cr_expect_eq(json_number_value(json_object_get(pool, "in_table")), 2);
	cr_expect_eq(json_number_value(json_object_get(pool, "packets")), 1000);
	cr_expect_eq(json_number_value(json_object_get(pool, "bits")), 4000000);
	cr_expect_eq(json_number_value(json_object_get(pool, "calls")), 10);
	top_close(&top);
}

Test(top, only_a_backend_with_nat_has_rates_of_failures)
{
	struct top top = two_samples();

	top_layout(&top, 140, 24, false, lines);
	cr_expect_str_eq(lines[5].text,
		"POOL     BACKEND  STATE      SHARE  CALLS/S   REG/S   4XX/S   5XX/S   PKT/S   BIT/S     RTT   CALLS");
	cr_expect_str_eq(lines[6].text,
		"edge     sbc1     up        100.0%       20     200      43       8    2.0k    8.0M   1.5ms     ~10");
	cr_expect_str_eq(lines[7].text,
		"proxies  px3      up,drain   40.0%        9      90       -       -     900    3.6M   1.5ms       4");
	top_close(&top);
}

Test(top, a_service_has_rates_of_requests_and_responses)
{
	struct top top = two_samples();

	top.view = TOP_SERVICES;
	top_layout(&top, 80, 24, false, lines);
	cr_expect_str_eq(lines[5].text, "SERVICE  CALLS/S   REG/S   REQ/S  RESP/S   4XX/S   5XX/S   PKT/S   BIT/S");
	cr_expect_str_eq(lines[6].text, "sip           30       0      35       4       4       0    2.0k    8.0M");
	cr_expect_str_eq(lines[7].text, "sips           0       7       7       2       0       2    1.0k    4.0M");
	top_close(&top);
}

Test(top, a_typed_filter_selects_rows)
{
	struct top top = two_samples();

	press(&top, "/PX");
	expect_order(&top, "px3 px1 px2");
	press(&top, "q");
	expect_order(&top, "");
	top_layout(&top, 80, 24, false, lines);
	cr_expect_str_eq(lines[23].text, "filter: PXq_   Enter keep   Esc clear");
	cr_assert(top_press(&top, TOP_KEY_BACKSPACE));
	press(&top, "\b\b");
	expect_order(&top, "sbc1 px3 px1 px2");
	press(&top, "drain\r");
	expect_order(&top, "px3");
	cr_expect_not(top.typing);
	press(&top, "\033");
	expect_order(&top, "sbc1 px3 px1 px2");
	press(&top, "/");
	for (int i = 0; i < 2 * TOP_FILTER_SIZE; i++)
		press(&top, "x");
	cr_expect_eq(strlen(top.filter), TOP_FILTER_SIZE - 1);
	press(&top, "\033");
	cr_expect_str_eq(top.filter, "");
	cr_expect_not(top_press(&top, 'q'));
	top_close(&top);
}

Test(top, the_page_shows_all_parts)
{
	struct top top = two_samples();

	top_layout(&top, 80, 24, false, lines);
	cr_expect_str_eq(lines[1].text, "## max 3.0k/s");
	cr_expect_str_eq(lines[2].text, "warning: px2 is down");
	cr_expect_eq(lines[2].style, TOP_ALERT);
	cr_expect_str_eq(lines[3].text, "anomaly: no_backend 2/s, 6 in total: what it means");
	cr_expect_eq(lines[3].style, TOP_ALERT);
	cr_expect_str_eq(lines[4].text, "[Backends]  Pools   Services   Verdicts   4 of 4");
	cr_expect_str_eq(lines[5].text, "POOL     BACKEND  STATE      SHARE  CALLS/S   PKT/S   BIT/S     RTT   CALLS");
	cr_expect_str_eq(lines[6].text, "edge     sbc1     up        100.0%       20    2.0k    8.0M   1.5ms     ~10");
	cr_expect_str_eq(lines[9].text, "proxies  px2      down        0.0%        0       0       0   1.5ms       0");
	cr_expect_eq(lines[9].style, TOP_ALERT);
	cr_expect_eq(lines[5].mark, 45);
	cr_expect_eq(lines[5].mark_width, 6);
	cr_expect_str_eq(lines[10].text, "");
	cr_expect_eq(lines[23].style, TOP_KEYS);
	strcpy(top.message, "no answer");
	top_layout(&top, 80, 24, false, lines);
	cr_expect_str_eq(lines[2].text, "no answer");
	top_close(&top);
}

/* For every size and every view: no line is wider than the screen, and the last line lists the keys. */
Test(top, the_page_fits_every_screen)
{
	struct top top = two_samples();

	for (int height = 1; height <= LINES_MAX; height++)
		for (int width = 1; width <= 140; width++) {
			top_layout(&top, width, height, false, lines);
			for (int i = 0; i < height; i++)
				cr_assert_leq(
					strlen(lines[i].text), width, "%d x %d: %s", width, height, lines[i].text);
			cr_assert_eq(lines[height - 1].style, TOP_KEYS);
			press(&top, "\t");
		}
	top_layout(&top, 1000, LINES_MAX, true, lines);
	top_close(&top);
}

Test(top, warnings_leave_room_for_rows)
{
	struct top top = two_samples();
	json_t *many = json_pack("{s:[s, s, s, s, s]}", "warnings", "a", "b", "c", "d", "e");

	top_sample(&top, stats(4), backends(), many, 13);
	top_layout(&top, 80, 24, false, lines);
	cr_expect_str_eq(lines[4].text, "warning: c");
	cr_expect_str_eq(lines[5].text, "anomaly: no_backend 2/s, 8 in total: what it means");
	top_layout(&top, 80, 8, false, lines);
	cr_expect_str_eq(lines[2].text, "warning: a");
	cr_expect_str_eq(lines[3].text, "anomaly: no_backend 2/s, 8 in total: what it means");
	cr_expect_eq(top.visible, 1);
	top_close(&top);
}

Test(top, a_narrow_screen_omits_columns)
{
	struct top top = two_samples();

	top_layout(&top, 40, 24, false, lines);
	cr_expect_str_eq(lines[5].text, "BACKEND  STATE     CALLS/S   PKT/S");
	top_close(&top);
}

Test(top, a_long_name_is_cut_with_a_mark_if_the_screen_is_narrow)
{
	struct top top = two_samples();
	json_t *long_name = json_pack("[o]", backend("proxies", "proxy-of-the-first-site-0001", "up", 1));

	top_sample(&top, stats(4), long_name, status(), 13);
	top_layout(&top, 80, 24, false, lines);
	cr_expect_geq(line_with("proxy-of-the-first-site~  up", 24), 0);
	top_layout(&top, 120, 24, false, lines);
	cr_expect_geq(line_with("proxy-of-the-first-site-0001  up", 24), 0);
	top_close(&top);
}

Test(top, the_history_is_one_minute)
{
	struct top top = two_samples();

	cr_expect_eq(top.history_count, 2, "one value for each second");
	for (int i = 4; i < 100; i++)
		top_sample(&top, stats(i), backends(), status(), 9 + i);
	cr_expect_eq(top.history_count, TOP_HISTORY);
	cr_expect_eq(top.history[TOP_HISTORY - 1], 3002);
	top_sample(&top, stats(500), backends(), status(), 100000);
	cr_expect_eq(top.history_count, TOP_HISTORY);
	top_close(&top);
}

Test(top, a_long_list_scrolls)
{
	struct top top = two_samples();

	top_layout(&top, 80, 8, false, lines);
	cr_expect_eq(top.visible, 1);
	cr_expect(strstr(lines[6].text, "sbc1"));
	for (int i = 0; i < 10; i++) {
		cr_assert(top_press(&top, TOP_KEY_DOWN));
		top_layout(&top, 80, 8, false, lines);
	}
	cr_expect(strstr(lines[6].text, "px2"), "%s", lines[6].text);
	cr_assert(top_press(&top, TOP_KEY_UP));
	cr_assert(top_press(&top, TOP_KEY_PAGE_UP));
	top_layout(&top, 80, 8, false, lines);
	cr_expect(strstr(lines[6].text, "px3"));
	cr_assert(top_press(&top, TOP_KEY_PAGE_DOWN));
	cr_assert(top_press(&top, TOP_KEY_HOME));
	top_layout(&top, 80, 8, false, lines);
	cr_expect(strstr(lines[6].text, "sbc1"));
	top_close(&top);
}

Test(top, control_characters_never_reach_the_terminal)
{
	struct top top = two_samples();

	top_sample(&top, stats(4), json_pack("[o]", backend("p\033[2J", "\xc3\xa9", "up", 1)),
		json_pack("{s:[s]}", "warnings", "a\nb\033[2J"), 13);

	top_layout(&top, 80, 24, false, lines);
	cr_expect_geq(line_with("p?[2J", 24), 0);
	cr_expect_geq(line_with("??", 24), 0);
	cr_expect_geq(line_with("warning: a?b?[2J", 24), 0);
	top_close(&top);
}

/* --- top sources */

static json_t *source_row(const char *key, const char *name, int packets, int initial, int failed)
{
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i}", key, name, "packets", packets, "bytes", 100 * packets,
		"initial", initial, "failed", failed, "not_sip", packets / 10);
}

/* The packets of interval `n`, which lasted two seconds. */
static json_t *sources(int n)
{
	return json_pack("{s:i, s:f, s:i, s:i, s:[o, o], s:[o]}", "interval", n, "seconds", 2.0, "packets", 1000,
		"error", 4, "sources", source_row("source", "10.0.0.1", 100 * n, 10, 25),
		source_row("source", "2001:db8::/64", 300, 30, 0), "call_ids", source_row("call_id", "a1", 50, 0, 0));
}

Test(top, sources_have_rates_and_shares)
{
	struct top top;

	top_open(&top, TOP_SOURCES, TOP_CALL_IDS);
	top_layout(&top, 80, 24, false, lines);
	cr_expect_str_eq(lines[0].text, "packets -/s  sources shown 0  Call-IDs shown 0");
	top_sample_sources(&top, json_pack("{s:i}", "interval", 0), status(), 9);
	cr_expect_eq(top.history_count, 0, "no interval has ended yet");
	top_sample_sources(&top, sources(1), status(), 10);
	top_layout(&top, 80, 24, false, lines);
	cr_expect_str_eq(lines[0].text, "packets 500/s  sources shown 2  Call-IDs shown 1");
	cr_expect_str_eq(lines[1].text, "# max 500/s");
	cr_expect_str_eq(lines[2].text, "warning: px2 is down");
	cr_expect_str_eq(lines[3].text, "[Sources]  Call-IDs   2 of 2");
	cr_expect_str_eq(lines[4].text, "SOURCE          PKT/S   SHARE  INITIAL/S  FAILED  NOT SIP   BIT/S");
	cr_expect_str_eq(lines[5].text, "2001:db8::/64     150   30.0%         15    0.0%    10.0%    120k");
	cr_expect_str_eq(lines[6].text, "10.0.0.1           50   10.0%          5   25.0%    10.0%   40.0k");
	top_sample_sources(&top, sources(1), status(), 10.5);
	cr_expect_eq(top.history_count, 1, "the same interval");
	top_sample_sources(&top, sources(4), status(), 13);
	cr_expect_eq(top.history_count, 4);
	top_layout(&top, 80, 24, false, lines);
	cr_expect(strstr(lines[5].text, "10.0.0.1 "), "%s", lines[5].text);
	press(&top, "\t");
	cr_expect_eq(top.view, TOP_CALL_IDS);
	top_layout(&top, 80, 24, false, lines);
	cr_expect_str_eq(lines[4].text, "CALL-ID   PKT/S   SHARE  INITIAL/S  FAILED   BIT/S");
	press(&top, "\t");
	cr_expect_eq(top.view, TOP_SOURCES);
	top_layout(&top, 40, 24, false, lines);
	cr_expect_str_eq(lines[4].text, "SOURCE          PKT/S   SHARE  INITIAL/S");
	top_close(&top);
}
