// SPDX-License-Identifier: GPL-2.0
/* See screen.h. ncurses sends only what has changed since the last refresh, because the terminal connection may be
 * slow. */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "core/view/top.h"
#include "screen.h"

#define REPLY_SECONDS 3 /* the screen does not react to keys while it waits for a reply */
#define ESCAPE_MS 50    /* maximum time between the bytes of an escape sequence */
#define INTERVAL 1.0    /* seconds */

enum color {
	COLOR_OF_ALERT = 1,
};

static volatile sig_atomic_t must_end;

static void end(int signal)
{
	(void)signal;
	must_end = 1;
}

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + now.tv_nsec / 1e9;
}

/* --- samples */

/* The result of a command; NULL with the reason in the message of the screen. */
static json_t *ask(struct top *top, struct client *client, enum command command)
{
	json_t *request = protocol_request(command, json_object()), *result = NULL;
	struct reply reply = {0};

	if (client_ask(client, request, &reply) < 0)
		snprintf(top->message, sizeof(top->message), "%s", client->error);
	else if (!reply.result)
		snprintf(top->message, sizeof(top->message), "%s", reply.error);
	else
		result = json_incref(reply.result);
	protocol_reply_free(&reply);
	json_decref(request);
	return result;
}

/* Takes a sample from the daemon or, if the daemon is not running, from the maps. If neither is available, returns
 * false, and the previous sample stays. */
static bool sample_farm(struct top *top, struct client *client)
{
	json_t *stats, *backends, *status;

	stats = ask(top, client, COMMAND_STATS);
	backends = stats ? ask(top, client, COMMAND_BACKEND_LIST) : NULL;
	status = backends ? ask(top, client, COMMAND_STATUS) : NULL;
	if (status) {
		top_sample(top, stats, backends, status, now_seconds());
		return true;
	}
	json_decref(stats);
	json_decref(backends);
	return false;
}

static bool sample_sources(struct top *top, struct client *client)
{
	json_t *sources = ask(top, client, COMMAND_TOP_SOURCES),
	       *status = sources ? ask(top, client, COMMAND_STATUS) : NULL;

	if (status) {
		top_sample_sources(top, sources, status, now_seconds());
		return true;
	}
	json_decref(sources);
	return false;
}

static bool sample(struct top *top, struct client *client)
{
	*top->message = '\0';
	return top->first_view == TOP_SOURCES ? sample_sources(top, client) : sample_farm(top, client);
}

/* --- drawing */

static int attributes(enum top_style style)
{
	switch (style) {
	case TOP_BOLD:
		return A_BOLD;
	case TOP_ALERT:
		return A_BOLD | (has_colors() && !getenv("NO_COLOR") ? COLOR_PAIR(COLOR_OF_ALERT) : 0);
	case TOP_KEYS:
		return A_REVERSE;
	default:
		return A_NORMAL;
	}
}

static void draw(struct top *top, bool utf8)
{
	struct top_line *lines = allocate((size_t)LINES, sizeof(*lines));

	top_layout(top, COLS, LINES, utf8, lines);
	erase();
	for (int i = 0; i < LINES; i++) {
		attrset(attributes(lines[i].style));
		mvaddstr(i, 0, lines[i].text);
		if (lines[i].mark_width && lines[i].mark < COLS)
			mvchgat(i, lines[i].mark, lines[i].mark_width, A_REVERSE, 0, NULL);
	}
	refresh();
	free(lines);
}

/* --- keys */

static int key_of(int key)
{
	static const struct {
		int from, to;
	} keys[] = {
		{KEY_UP, TOP_KEY_UP},
		{KEY_DOWN, TOP_KEY_DOWN},
		{KEY_LEFT, TOP_KEY_LEFT},
		{KEY_RIGHT, TOP_KEY_RIGHT},
		{KEY_PPAGE, TOP_KEY_PAGE_UP},
		{KEY_NPAGE, TOP_KEY_PAGE_DOWN},
		{KEY_HOME, TOP_KEY_HOME},
		{KEY_BACKSPACE, TOP_KEY_BACKSPACE},
		{KEY_BTAB, TOP_KEY_BACK_TAB},
		{KEY_ENTER, '\n'},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (key == keys[i].from)
			return keys[i].to;
	return key < 256 ? key : 0;
}

/* Handles all keys that have arrived. False: the user quits. */
static bool handle_keys(struct top *top)
{
	int key;

	while ((key = getch()) != ERR)
		if (!top_press(top, key_of(key)))
			return false;
	return true;
}

/* Waits for a key, a new size or the time of the next sample. False: the terminal was closed. */
static bool wait_for_input(double until)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	double left = until - now_seconds();

	if (left > 0)
		poll(&input, 1, (int)(left * 1000) + 1);
	return !(input.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static void show(struct top *top, struct client *client, bool utf8)
{
	double next = now_seconds() + INTERVAL;

	while (!must_end) {
		draw(top, utf8);
		if (!wait_for_input(next) || !handle_keys(top))
			break;
		if (now_seconds() >= next) {
			sample(top, client);
			next = now_seconds() + INTERVAL;
		}
	}
}

/* --- the terminal */

static void catch_signals(void)
{
	const struct sigaction action = {.sa_handler = end};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static SCREEN *open_screen(void)
{
	SCREEN *screen = newterm(NULL, stdout, stdin);
	const char *cursor;

	if (!screen)
		return NULL;
	cursor = tigetstr("cup"); /* NULL or -1: not available, for example on a "dumb" terminal */
	if (!cursor || cursor == (char *)-1) {
		endwin();
		delscreen(screen);
		return NULL;
	}
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	curs_set(0);
	if (has_colors()) {
		start_color();
		use_default_colors();
		init_pair(COLOR_OF_ALERT, COLOR_RED, -1);
	}
	return screen;
}

static bool show_on_terminal(struct output *output, struct top *top, struct client *client)
{
	const char *terminal = getenv("TERM");
	SCREEN *screen;

	setlocale(LC_CTYPE, ""); /* output must use the terminal's character set */
	catch_signals();
	screen = open_screen();
	if (!screen) {
		output_error(output, "cannot use the terminal '%s' (see the variable TERM)", terminal ? terminal : "");
		return false;
	}
	show(top, client, !strcmp(nl_langinfo(CODESET), "UTF-8"));
	erase(); /* a terminal without an alternate screen would keep the last picture */
	refresh();
	endwin();
	delscreen(screen);
	return true;
}

bool screen_run(struct output *output, struct client *client, bool sources)
{
	bool shown = false;
	struct top top;

	client->timeout = REPLY_SECONDS;
	client->silent = true;
	if (sources)
		top_open(&top, TOP_SOURCES, TOP_CALL_IDS);
	else
		top_open(&top, TOP_BACKENDS, TOP_VERDICTS);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		output_error(output, "top needs a terminal (see 'sipxdp-ctl stats --rate --watch')");
	else if (!sample(&top, client))
		output_error(output, "%s", top.message);
	else
		shown = show_on_terminal(output, &top, client);
	top_close(&top);
	return shown;
}
