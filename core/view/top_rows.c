// SPDX-License-Identifier: GPL-2.0
/* The rows of `sipxdp-ctl top`: built from two replies, formatted, filtered and sorted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/base/memory.h"
#include "rates.h"
#include "top_private.h"

const struct top_column top_columns[TOP_VIEWS][TOP_COLUMNS] =
	{
		[TOP_BACKENDS] =
			{
				{"POOL", "pool", TOP_TEXT, 3},
				{"BACKEND", "name", TOP_TEXT, 0},
				{"STATE", "state", TOP_TEXT, 0},
				{"SHARE", "share", TOP_PERCENT, 1},
				{"CALLS/S", "invites", TOP_NUMBER, 0},
				{"REG/S", "registers", TOP_NUMBER, 6},
				{"4XX/S", "4xx", TOP_NUMBER, 7},
				{"5XX/S", "5xx", TOP_NUMBER, 7},
				{"PKT/S", "packets", TOP_NUMBER, 0},
				{"BIT/S", "bits", TOP_NUMBER, 2},
				{"RTT", "latency", TOP_MILLISECONDS, 4},
				{"CALLS", "calls", TOP_ESTIMATE, 5},
				{0},
			},
		[TOP_POOLS] =
			{
				{"POOL", "name", TOP_TEXT, 0},
				{"BACKENDS", "backends", TOP_NUMBER, 2},
				{"IN TABLE", "in_table", TOP_NUMBER, 1},
				{"CALLS/S", "invites", TOP_NUMBER, 0},
				{"REG/S", "registers", TOP_NUMBER, 5},
				{"PKT/S", "packets", TOP_NUMBER, 0},
				{"BIT/S", "bits", TOP_NUMBER, 3},
				{"CALLS", "calls", TOP_ESTIMATE, 4},
				{0},
			},
		[TOP_SERVICES] =
			{
				{"SERVICE", "name", TOP_TEXT, 0},
				{"CALLS/S", "invites", TOP_NUMBER, 0},
				{"REG/S", "registers", TOP_NUMBER, 4},
				{"REQ/S", "requests", TOP_NUMBER, 3},
				{"RESP/S", "responses", TOP_NUMBER, 5},
				{"4XX/S", "4xx", TOP_NUMBER, 1},
				{"5XX/S", "5xx", TOP_NUMBER, 1},
				{"PKT/S", "packets", TOP_NUMBER, 0},
				{"BIT/S", "bits", TOP_NUMBER, 2},
				{0},
			},
		[TOP_VERDICTS] =
			{
				{"VERDICT", "name", TOP_TEXT, 0},
				{"ACTION", "action", TOP_TEXT, 2},
				{"PKT/S", "packets", TOP_NUMBER, 0},
				{"TOTAL", "total", TOP_NUMBER, 1},
				{"MEANING", "text", TOP_TEXT, 0},
				{0},
			},
		[TOP_SOURCES] =
			{
				{"SOURCE", "source", TOP_TEXT, 0},
				{"PKT/S", "packets", TOP_NUMBER, 0},
				{"SHARE", "share", TOP_PERCENT, 1},
				{"INITIAL/S", "initial", TOP_NUMBER, 0},
				{"FAILED", "failed_share", TOP_PERCENT, 2},
				{"NOT SIP", "not_sip_share", TOP_PERCENT, 3},
				{"BIT/S", "bits", TOP_NUMBER, 4},
				{0},
			},
		[TOP_CALL_IDS] =
			{
				{"CALL-ID", "call_id", TOP_TEXT, 0},
				{"PKT/S", "packets", TOP_NUMBER, 0},
				{"SHARE", "share", TOP_PERCENT, 1},
				{"INITIAL/S", "initial", TOP_NUMBER, 0},
				{"FAILED", "failed_share", TOP_PERCENT, 2},
				{"BIT/S", "bits", TOP_NUMBER, 3},
				{0},
			},
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* --- building */

static void add_number(json_t *row, const char *key, double number)
{
	json_object_set_new(row, key, json_real(json_number_value(json_object_get(row, key)) + number));
}

/* Adds packets and bits per second to a row. */
static void add_traffic(json_t *row, const json_t *rate)
{
	if (!rate)
		return;
	json_object_set(row, "packets", json_object_get(rate, "packets"));
	json_object_set_new(row, "bits", json_real(8 * json_number_value(json_object_get(rate, "bytes"))));
}

/* "up", "down", "up,drain" */
static json_t *state_text(const json_t *backend)
{
	const char *state = text_of(backend, "state"), *admin = text_of(backend, "admin");
	bool is_plain = !*admin || !strcmp(admin, "ready") || !strcmp(admin, state);

	return json_sprintf("%s%s%s", state, is_plain ? "" : ",", is_plain ? "" : admin);
}

/* The failures per second that a server with `forward: nat` sends. They are unknown with other methods. */
static void add_failures(json_t *row, const json_t *rate)
{
	if (!rate)
		return;
	add_number(row, "4xx", json_number_value(json_object_get(rate, "invite_4xx")));
	add_number(row, "4xx", json_number_value(json_object_get(rate, "other_4xx")));
	add_number(row, "5xx", json_number_value(json_object_get(rate, "invite_5xx")));
	add_number(row, "5xx", json_number_value(json_object_get(rate, "other_5xx")));
}

json_t *top_backend_rows(const json_t *rates, const json_t *backends)
{
	const json_t *traffic = json_object_get(rates, "backends"), *backend;
	const json_t *returned = json_object_get(json_object_get(rates, "returned"), "backends");
	json_t *rows = json_array();
	size_t i;

	json_array_foreach(backends, i, backend)
	{
		const json_t *rate = rates_find(traffic, text_of(backend, "pool"), text_of(backend, "name"), i);
		const char *state = text_of(backend, "state");
		json_t *row = json_pack("{s:O?, s:O?, s:o, s:O?, s:O?, s:O?, s:O?, s:O?, s:b}", "pool",
			json_object_get(backend, "pool"), "name", json_object_get(backend, "name"), "state",
			state_text(backend), "share", json_object_get(backend, "share"), "slots",
			json_object_get(backend, "slots"), "latency", json_object_get(backend, "latency_mean"), "calls",
			json_object_get(backend, "calls"), "calls_error", json_object_get(backend, "calls_error"),
			"alert", !strcmp(state, "down") || !strcmp(state, "unreachable"));

		add_traffic(row, rate);
		if (!strcmp(text_of(backend, "forward"), "nat"))
			add_failures(row, rates_find(returned, text_of(backend, "pool"), text_of(backend, "name"), i));
		json_object_set(row, "invites", json_object_get(rate, "initial_invite"));
		json_object_set(row, "registers", json_object_get(rate, "initial_register"));
		json_array_append_new(rows, row);
	}
	return rows;
}

/* Adds a number of a backend to the sum of its pool. If no number is known, the sum is unknown. */
static void add_member(json_t *row, const char *key, const json_t *backend)
{
	const json_t *number = json_object_get(backend, key);

	if (json_is_number(number))
		add_number(row, key, json_number_value(number));
}

json_t *top_pool_rows(const json_t *backend_rows)
{
	json_t *rows = json_array(), *row;
	const json_t *backend;
	size_t i;

	json_array_foreach(backend_rows, i, backend)
	{
		const char *pool = text_of(backend, "pool");

		row = rates_find(rows, NULL, pool, json_array_size(rows) - 1);
		if (!row) {
			row = json_pack("{s:s}", "name", pool);
			json_array_append_new(rows, row);
		}
		add_number(row, "backends", 1);
		add_number(row, "in_table", json_integer_value(json_object_get(backend, "slots")) > 0);
		add_member(row, "invites", backend);
		add_member(row, "registers", backend);
		add_member(row, "packets", backend);
		add_member(row, "bits", backend);
		add_member(row, "calls", backend);
		add_member(row, "calls_error", backend);
	}
	json_array_foreach(rows, i, row)
	{
		json_object_set_new(row, "alert", json_boolean(!json_number_value(json_object_get(row, "in_table"))));
	}
	return rows;
}

static bool is_initial(const json_t *request, const char *method)
{
	return !strcmp(text_of(request, "dialog"), "initial") && !strcmp(text_of(request, "method"), method);
}

/* Adds the messages per second of one kind of request or response to the row of its service. */
static void add_messages(json_t *rows, const json_t *rate, const char *sum)
{
	json_t *row = rates_find(rows, NULL, text_of(rate, "service"), 0);
	double messages = json_number_value(json_object_get(rate, "messages"));
	const char *class = text_of(rate, "class");

	if (!row)
		return;
	add_number(row, sum, messages);
	if (is_initial(rate, "INVITE"))
		add_number(row, "invites", messages);
	if (is_initial(rate, "REGISTER"))
		add_number(row, "registers", messages);
	if (!strcmp(class, "4xx") || !strcmp(class, "5xx"))
		add_number(row, class, messages);
}

/* `stats` omits requests and responses that it has not counted: their rates are 0. */
json_t *top_service_rows(const json_t *stats, const json_t *rates)
{
	static const char *const sums[] = {"invites", "registers", "requests", "responses", "4xx", "5xx"};
	json_t *rows = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(stats, "services"), i, item)
	{
		json_t *row = json_pack("{s:O?}", "name", json_object_get(item, "name"));

		add_traffic(row, json_array_get(json_object_get(rates, "services"), i));
		for (size_t sum = 0; rates && sum < sizeof(sums) / sizeof(*sums); sum++)
			add_number(row, sums[sum], 0);
		json_array_append_new(rows, row);
	}
	json_array_foreach(json_object_get(rates, "requests"), i, item) add_messages(rows, item, "requests");
	json_array_foreach(json_object_get(rates, "responses"), i, item) add_messages(rows, item, "responses");
	json_array_foreach(json_object_get(json_object_get(rates, "returned"), "responses"), i, item)
		add_messages(rows, item, "responses");
	return rows;
}

json_t *top_verdict_rows(const json_t *stats, const json_t *rates)
{
	const json_t *verdicts = json_object_get(stats, "verdicts"), *verdict;
	json_t *rows = json_array();
	size_t i;

	json_array_foreach(verdicts, i, verdict)
	{
		json_t *rate = json_array_get(json_object_get(rates, "verdicts"), i);
		json_int_t total = json_integer_value(json_object_get(verdict, "packets"));

		json_array_append_new(rows,
			json_pack("{s:O?, s:O?, s:O?, s:O?, s:I, s:b}", "name", json_object_get(verdict, "name"),
				"action", json_object_get(verdict, "action"), "text", json_object_get(verdict, "text"),
				"packets", json_object_get(rate, "packets"), "total", total, "alert",
				total && !json_is_true(json_object_get(verdict, "normal"))));
	}
	return rows;
}

/* --- formatting */

char *top_number_text(double number, char out[TOP_CELL_SIZE])
{
	const char *unit = "kMGTPE";

	if (number < 9.95)
		snprintf(out, TOP_CELL_SIZE, number && number != (int)number ? "%.1f" : "%.0f", number);
	else if (number < 999.5)
		snprintf(out, TOP_CELL_SIZE, "%.0f", number);
	if (number < 999.5)
		return out;
	for (number /= 1000; number >= 999.5 && unit[1]; unit++)
		number /= 1000;
	snprintf(out, TOP_CELL_SIZE, "%.*f%c", number < 99.95, number, *unit);
	return out;
}

char *top_ascii(const char *text, char out[TOP_CELL_SIZE])
{
	snprintf(out, TOP_CELL_SIZE, "%s", text);
	for (char *c = out; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return out;
}

/* "~820" for an estimate, "820" for an exact number. */
static void estimate_text(double number, bool is_estimate, char out[TOP_CELL_SIZE])
{
	char text[TOP_CELL_SIZE];

	snprintf(out, TOP_CELL_SIZE, "%s%.32s", is_estimate ? "~" : "", top_number_text(number, text));
}

char *top_cell_text(const struct top_column *column, const json_t *row, char out[TOP_CELL_SIZE])
{
	const json_t *value = json_object_get(row, column->key);
	double number = json_number_value(value);

	*out = '\0';
	if (column->cell == TOP_TEXT)
		top_ascii(json_is_string(value) ? json_string_value(value) : "", out);
	else if (column->cell == TOP_PERCENT && json_is_number(value))
		snprintf(out, TOP_CELL_SIZE, "%.1f%%", number);
	else if (column->cell == TOP_MILLISECONDS && number > 0)
		snprintf(out, TOP_CELL_SIZE, "%.1fms", number / 1000);
	else if (column->cell == TOP_NUMBER && json_is_number(value))
		top_number_text(number, out);
	else if (column->cell == TOP_ESTIMATE && json_is_number(value))
		estimate_text(number, json_number_value(json_object_get(row, "calls_error")) > 0, out);
	return *out ? out : strcpy(out, "-");
}

/* --- filter and order */

static bool matches(const struct top *top, const json_t *row)
{
	const struct top_column *column = top_columns[top->view];

	for (; column->title; column++)
		if (column->cell == TOP_TEXT && strcasestr(text_of(row, column->key), top->filter))
			return true;
	return false;
}

struct order {
	const json_t *row;
	size_t place; /* position in the reply; keeps the order of equal rows */
	const struct top_column *column;
	bool reversed;
};

/* Sorts text in ascending order, numbers in descending order, and unknown numbers last. */
static int compare(const void *left, const void *right)
{
	const struct order *a = left, *b = right;
	const json_t *one = json_object_get(a->row, a->column->key), *other = json_object_get(b->row, a->column->key);
	double first = json_is_number(one) ? json_number_value(one) : -1,
	       second = json_is_number(other) ? json_number_value(other) : -1;
	int result;

	if (a->column->cell == TOP_TEXT)
		result = strcmp(text_of(a->row, a->column->key), text_of(b->row, a->column->key));
	else
		result = (first < second) - (first > second);
	if (a->reversed)
		result = -result;
	return result ? result : (a->place > b->place) - (a->place < b->place);
}

const json_t **top_select(const struct top *top, size_t *count)
{
	const json_t *rows = top->rows[top->view], *row;
	struct order *order = allocate(json_array_size(rows), sizeof(*order));
	const json_t **selected;
	size_t i;

	*count = 0;
	json_array_foreach(rows, i, row)
	{
		if (matches(top, row))
			order[(*count)++] = (struct order){
				row, i, &top_columns[top->view][top->sorted[top->view]], top->reversed[top->view]};
	}
	qsort(order, *count, sizeof(*order), compare);
	selected = allocate(*count, sizeof(const json_t *));
	for (i = 0; i < *count; i++)
		selected[i] = order[i].row;
	free(order);
	return selected;
}
