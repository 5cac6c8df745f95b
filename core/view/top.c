// SPDX-License-Identifier: GPL-2.0
/* See top.h: samples and keys. */
#include <string.h>
#include "rates.h"
#include "sources.h"
#include "top_private.h"

/* At first, the rows with the highest rates are at the top: the busiest backend, pool and service, and the most
 * frequent verdict. */
static size_t packets_column(enum top_view view)
{
	size_t column = 0;

	while (strcmp(top_columns[view][column].key, "packets"))
		column++;
	return column;
}

void top_open(struct top *top, enum top_view first, enum top_view last)
{
	*top = (struct top){.view = first, .first_view = first, .last_view = last, .packets = -1};
	for (enum top_view view = 0; view < TOP_VIEWS; view++)
		top->sorted[view] = packets_column(view);
}

static void free_rows(struct top *top)
{
	for (enum top_view view = 0; view < TOP_VIEWS; view++) {
		json_decref(top->rows[view]);
		top->rows[view] = NULL;
	}
}

void top_close(struct top *top)
{
	free_rows(top);
	json_decref(top->stats);
	json_decref(top->status);
	*top = (struct top){0};
}

/* --- samples */

/* Adds one value for each second since the last sample. */
static void add_history(struct top *top, double seconds)
{
	int count = (int)(seconds + 0.5);

	if (count < 1)
		count = 1;
	for (; count > 0; count--) {
		if (top->history_count == TOP_HISTORY)
			memmove(top->history, top->history + 1, (TOP_HISTORY - 1) * sizeof(*top->history));
		else
			top->history_count++;
		top->history[top->history_count - 1] = top->packets;
	}
}

static double sum_packets(const json_t *rates)
{
	const json_t *verdict;
	double sum = 0;
	size_t i;

	json_array_foreach(json_object_get(rates, "verdicts"), i, verdict)
	{
		sum += json_number_value(json_object_get(verdict, "packets"));
	}
	return sum;
}

void top_sample(struct top *top, json_t *stats, json_t *backends, json_t *status, double now)
{
	json_t *rates = top->stats && now > top->time ? rates_between(top->stats, stats, now - top->time) : NULL;

	if (rates) {
		top->packets = sum_packets(rates);
		add_history(top, now - top->time);
	}
	free_rows(top);
	top->rows[TOP_BACKENDS] = top_backend_rows(rates, backends);
	top->rows[TOP_POOLS] = top_pool_rows(top->rows[TOP_BACKENDS]);
	top->rows[TOP_SERVICES] = top_service_rows(stats, rates);
	top->rows[TOP_VERDICTS] = top_verdict_rows(stats, rates);
	json_decref(top->stats);
	json_decref(top->status);
	json_decref(backends);
	json_decref(rates);
	top->stats = stats;
	top->status = status;
	top->time = now;
}

/* Until an interval has ended, replies repeat the previous interval. */
void top_sample_sources(struct top *top, json_t *sources, json_t *status, double now)
{
	json_int_t interval = json_integer_value(json_object_get(sources, "interval"));
	json_t *rates;

	json_decref(top->status);
	top->status = status;
	if (interval && interval != top->interval) {
		rates = sources_rates(sources);
		top->packets = json_number_value(json_object_get(rates, "packets"));
		add_history(top, top->interval ? now - top->time : 1);
		free_rows(top);
		top->rows[TOP_SOURCES] = json_incref(json_object_get(rates, "sources"));
		top->rows[TOP_CALL_IDS] = json_incref(json_object_get(rates, "call_ids"));
		top->interval = interval;
		top->time = now;
		json_decref(rates);
	}
	json_decref(sources);
}

/* --- keys */

/* Handles a key while the user types a filter. */
static void press_filter(struct top *top, int key)
{
	size_t length = strlen(top->filter);

	top->scroll = 0;
	if (key == '\r' || key == '\n' || key == TOP_KEY_UP || key == TOP_KEY_DOWN) {
		top->typing = false;
	} else if (key == '\033') {
		top->typing = false;
		*top->filter = '\0';
	} else if (key == TOP_KEY_BACKSPACE || key == '\b' || key == 127) {
		if (length)
			top->filter[length - 1] = '\0';
	} else if (key >= ' ' && key <= '~' && length < TOP_FILTER_SIZE - 1) {
		top->filter[length] = (char)key;
		top->filter[length + 1] = '\0';
	}
}

static void sort_by(struct top *top, bool next)
{
	size_t count = 0, *sorted = &top->sorted[top->view];

	while (top_columns[top->view][count].title)
		count++;
	*sorted = (*sorted + (next ? 1 : count - 1)) % count;
	top->reversed[top->view] = false;
}

/* top_layout() limits the scrolling to the number of rows. */
static void scroll_back(struct top *top, size_t rows)
{
	top->scroll -= rows < top->scroll ? rows : top->scroll;
}

static void change_view(struct top *top, int step)
{
	int count = (int)(top->last_view - top->first_view) + 1;

	top->view = top->first_view + ((int)(top->view - top->first_view) + count + step) % count;
	top->scroll = 0;
}

static void press_command(struct top *top, int key)
{
	switch (key) {
	case '\t':
		change_view(top, 1);
		break;
	case TOP_KEY_BACK_TAB:
		change_view(top, -1);
		break;
	case TOP_KEY_LEFT:
	case '<':
	case TOP_KEY_RIGHT:
	case '>':
		sort_by(top, key == '>' || key == TOP_KEY_RIGHT);
		break;
	case 'r':
		top->reversed[top->view] = !top->reversed[top->view];
		break;
	case '/':
		top->typing = true;
		break;
	case '\033':
		*top->filter = '\0';
		break;
	case TOP_KEY_UP:
		scroll_back(top, 1);
		break;
	case TOP_KEY_DOWN:
		top->scroll++;
		break;
	case TOP_KEY_PAGE_UP:
		scroll_back(top, top->visible);
		break;
	case TOP_KEY_PAGE_DOWN:
		top->scroll += top->visible;
		break;
	case TOP_KEY_HOME:
		top->scroll = 0;
		break;
	}
}

bool top_press(struct top *top, int key)
{
	if (!top->typing && key == 'q')
		return false;
	if (top->typing)
		press_filter(top, key);
	else
		press_command(top, key);
	return true;
}
