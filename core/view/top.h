/* SPDX-License-Identifier: GPL-2.0 */
/* The screens of `sipxdp-ctl top` and `sipxdp-ctl top sources`: the user's choices, the last samples, and the resulting
 * lines of text. No I/O: ctl/cli/screen.c reads the samples and draws the lines. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

#define TOP_HISTORY 60 /* seconds */
#define TOP_LINE_SIZE 1024
#define TOP_FILTER_SIZE 64

enum top_view {
	TOP_BACKENDS,
	TOP_POOLS,
	TOP_SERVICES,
	TOP_VERDICTS,
	TOP_SOURCES, /* this and the next one: `top sources` */
	TOP_CALL_IDS,
	TOP_VIEWS,
};

/* Keys other than ASCII characters. */
enum top_key {
	TOP_KEY_UP = 256,
	TOP_KEY_DOWN,
	TOP_KEY_LEFT,
	TOP_KEY_RIGHT,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_BACKSPACE,
	TOP_KEY_BACK_TAB,
};

enum top_style {
	TOP_PLAIN,
	TOP_BOLD,
	TOP_ALERT, /* marks a counter that should be 0 but is not, a server that is down, or a failure */
	TOP_KEYS,
};

struct top_line {
	char text[TOP_LINE_SIZE]; /* not wider than the screen */
	enum top_style style;
	int mark; /* the first column to highlight */
	int mark_width;
};

struct top {
	enum top_view view, first_view, last_view;
	size_t sorted[TOP_VIEWS]; /* the column */
	bool reversed[TOP_VIEWS];
	size_t scroll;  /* rows above the first visible one */
	size_t visible; /* number of rows that fit into the last layout */
	char filter[TOP_FILTER_SIZE];
	bool typing; /* the user is typing a filter */

	json_t *rows[TOP_VIEWS]; /* lists of objects with the values of the columns */
	json_t *stats;           /* the last reply of `stats` */
	json_t *status;          /* the last reply of `status` */
	double time;             /* of the last sample, in seconds */
	json_int_t interval;     /* number of the last interval of `top sources` */
	double packets;          /* per second; negative: unknown */
	double history[TOP_HISTORY];
	size_t history_count;
	char message[512]; /* why the last sample is missing; "" if it is not missing */
};

void top_open(struct top *top, enum top_view first, enum top_view last);
void top_close(struct top *top);

/* Stores a sample: the results of `stats`, `backend list` and `status`, and the time in seconds of any monotonic
 * clock. Takes the references. */
void top_sample(struct top *top, json_t *stats, json_t *backends, json_t *status, double now);

/* The same for `top sources`: the results of `top sources` and of `status`. */
void top_sample_sources(struct top *top, json_t *sources, json_t *status, double now);

/* Handles a key: a character or a value of enum top_key. Returns false if the user quits. */
bool top_press(struct top *top, int key);

/* Fills `lines`, one for each line of a screen of this size. Text is ASCII, except the plot if `utf8` is set. */
void top_layout(struct top *top, int width, int height, bool utf8, struct top_line *lines);
