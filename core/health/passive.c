// SPDX-License-Identifier: GPL-2.0
/* See passive.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "passive.h"

/* --- One backend */

static bool have_decreased(const struct passive_totals *before, const struct passive_totals *totals)
{
	for (int method = 0; method < PASSIVE_METHODS; method++)
		if (totals->state.of[method].finals < before->state.of[method].finals ||
			totals->state.of[method].failures < before->state.of[method].failures)
			return true;
	return totals->invites < before->invites || totals->responses < before->responses ||
	       totals->unanswered < before->unanswered;
}

static struct passive_mark mark_of(const struct passive_totals *totals, enum passive_method method, uint64_t now)
{
	return (struct passive_mark){
		.time = now,
		.finals = totals->state.of[method].finals,
		.failures = totals->state.of[method].failures,
		.unanswered = method == PASSIVE_INVITE ? totals->unanswered : 0,
	};
}

static void begin(struct passive_history *history, const struct passive_totals *totals, uint64_t now)
{
	*history = (struct passive_history){.totals = *totals, .begun = now};
	for (int method = 0; method < PASSIVE_METHODS; method++) {
		history->of[method].old_run = totals->state.of[method].run;
		for (size_t i = 0; i < PASSIVE_MARKS; i++)
			history->of[method].marks[i] = mark_of(totals, method, now);
	}
}

void passive_begin_anew(struct passive_history *history, uint64_t now)
{
	const struct passive_totals totals = history->totals;

	if (history->begun)
		begin(history, &totals, now);
}

/* Returns the last mark before the window, or the oldest one. */
static const struct passive_mark *window_start(const struct passive_series *series, uint64_t window, uint64_t now)
{
	const struct passive_mark *mark = &series->marks[series->newest];

	for (unsigned int i = 1; i < PASSIVE_MARKS && mark->time + window > now; i++)
		mark = &series->marks[(series->newest + PASSIVE_MARKS - i) % PASSIVE_MARKS];
	return mark;
}

/* Two standard deviations of a number of sampled requests, rounded up. The requests are independent (Poisson). */
static uint64_t deviation(uint64_t sampled)
{
	uint64_t root = 0;

	while (root * root < 4 * sampled)
		root++;
	return root;
}

/* Bounds of the number of requests, from the number of those in the sample. */
static uint64_t lower_bound(uint64_t sampled)
{
	return sampled > deviation(sampled) ? (sampled - deviation(sampled)) * CALL_SAMPLE : 0;
}

static uint64_t upper_bound(uint64_t sampled)
{
	return (sampled + deviation(sampled) + 2) * CALL_SAMPLE;
}

static void update_window(struct passive_series *series, const struct passive_mark *sample, uint64_t window)
{
	const struct passive_mark *start = window_start(series, window, sample->time);

	series->unanswered = sample->unanswered - start->unanswered;
	series->lost = lower_bound(series->unanswered);
	series->finals = sample->finals - start->finals + series->lost;
	series->failures = sample->failures - start->failures + series->lost;
	if (sample->time - series->marks[series->newest].time < window / (PASSIVE_MARKS - 1))
		return;
	series->newest = (series->newest + 1) % PASSIVE_MARKS;
	series->marks[series->newest] = *sample;
}

/* Is `part` at least `share` per cent of `whole`? */
static bool reaches(uint64_t part, uint64_t whole, unsigned int share)
{
	return part * 100 >= whole * share;
}

static void update_silence(struct passive_history *history, const struct passive_totals *totals, uint64_t now)
{
	uint64_t invites = totals->invites - history->totals.invites;

	if (totals->responses > history->totals.responses) {
		history->silent_from = 0;
		history->unanswered = 0;
	} else if (invites) {
		history->silent_from = history->silent_from ? history->silent_from : now;
		history->unanswered += invites;
	}
}

/* Ignores the INVITEs that the backend received before this history, for example before it went down. */
static void forget_unanswered(struct passive_series *series, uint64_t unanswered)
{
	for (size_t i = 0; i < PASSIVE_MARKS; i++)
		series->marks[i].unanswered = unanswered;
}

void passive_sample(struct passive_history *history, const struct passive_totals *totals,
	const struct config_passive *config, uint64_t now)
{
	if (!history->begun || have_decreased(&history->totals, totals)) {
		begin(history, totals, now);
		return;
	}
	if (now - history->begun < PASSIVE_TIMEOUT)
		forget_unanswered(&history->of[PASSIVE_INVITE], totals->unanswered);
	for (int method = 0; method < PASSIVE_METHODS; method++) {
		const struct passive_mark mark = mark_of(totals, method, now);

		if (mark.finals - mark.failures >
			history->totals.state.of[method].finals - history->totals.state.of[method].failures) {
			history->of[method].worked = now;
			history->of[method].old_run = 0;
		}
		update_window(&history->of[method], &mark, config->window);
	}
	update_silence(history, totals, now);
	history->totals = *totals;
}

/* The INVITEs of one call must not be enough: a client repeats an unanswered INVITE. */
static bool is_silent(const struct passive_history *history, const struct config_passive *config, uint64_t now)
{
	return history->silent_from && now - history->silent_from >= PASSIVE_TIMEOUT &&
	       history->unanswered >= PASSIVE_REPEATS * (uint64_t)config->fall;
}

static bool has_share(uint64_t failures, uint64_t finals, const struct config_passive *config)
{
	return finals >= PASSIVE_RESPONSES && reaches(failures, finals, config->share);
}

static enum passive_cause cause_of(const struct passive_history *history, enum passive_method method,
	const struct config_passive *config, uint64_t now)
{
	const struct passive_series *series = &history->of[method];
	uint32_t run = history->totals.state.of[method].run;

	if (run >= series->old_run + config->fall)
		return PASSIVE_RUN;
	if (has_share(series->failures, series->finals, config))
		return PASSIVE_SHARE;
	return method == PASSIVE_INVITE && is_silent(history, config, now) ? PASSIVE_UNANSWERED : PASSIVE_NONE;
}

/* --- The pool */

/* All backends of a pool that take new calls. */
struct pool_view {
	size_t serving, failing, standby, down;
	struct {
		uint64_t finals, failures, lost, unanswered; /* of all that serve, in the window */
		size_t working;
	} of[PASSIVE_METHODS];
	uint64_t failing_from; /* when the last of the failing ones began to fail */
};

static void judge(struct passive_member *member, const struct config_passive *config, uint64_t now)
{
	struct passive_history *history = member->history;

	member->fails_alone = false;
	member->cause = PASSIVE_NONE;
	if (!history)
		return;
	if (member->role != PASSIVE_SERVES)
		*history = (struct passive_history){0}; /* a backend that returns begins without a history */
	for (int method = 0; method < PASSIVE_METHODS && !member->cause; method++) {
		member->cause = cause_of(history, method, config, now);
		member->method = method;
	}
	if (!member->cause)
		history->failing_from = 0;
	else if (!history->failing_from)
		history->failing_from = now;
}

static void add_serving(struct pool_view *view, const struct passive_member *member)
{
	view->serving++;
	if (!member->history)
		return;
	for (int method = 0; method < PASSIVE_METHODS; method++) {
		const struct passive_series *series = &member->history->of[method];

		view->of[method].finals += series->finals;
		view->of[method].failures += series->failures;
		view->of[method].lost += series->lost;
		view->of[method].unanswered += series->unanswered;
	}
	if (!member->cause)
		return;
	view->failing++;
	if (member->history->failing_from > view->failing_from)
		view->failing_from = member->history->failing_from;
}

/* Adds a backend that has worked since the last of the failing ones began to fail. A standby counts too: it can take
 * the calls, and nothing speaks against it. */
static void add_working(struct pool_view *view, const struct passive_member *member)
{
	bool works = member->role == PASSIVE_SERVES && member->history && !member->cause;

	for (int method = 0; method < PASSIVE_METHODS; method++)
		view->of[method].working += member->role == PASSIVE_STANDBY ||
					    (works && member->history->of[method].worked > view->failing_from);
}

static struct pool_view view_of(const struct passive_member *members, size_t count)
{
	struct pool_view view = {0};

	for (size_t i = 0; i < count; i++) {
		if (members[i].role == PASSIVE_SERVES)
			add_serving(&view, &members[i]);
		view.standby += members[i].role == PASSIVE_STANDBY;
		view.down += members[i].role == PASSIVE_DOWN;
	}
	for (size_t i = 0; i < count; i++)
		add_working(&view, &members[i]);
	return view;
}

/* Does the backend fail only if requests without a response are included? */
static bool fails_by_sample(const struct passive_member *member, const struct config_passive *config)
{
	const struct passive_series *own = &member->history->of[member->method];

	return member->cause == PASSIVE_SHARE && !has_share(own->failures - own->lost, own->finals - own->lost, config);
}

/* Does the backend fail at least twice as often as the others together? If not, its failures are as frequent as theirs,
 * for example because all servers pass on the failures of a gateway. If the sample decides, the others count with the
 * upper bound, so that a difference by chance is not sufficient. */
static bool stands_out(
	const struct passive_member *member, const struct pool_view *view, const struct config_passive *config)
{
	const struct passive_series *own = &member->history->of[member->method];
	uint64_t finals = view->of[member->method].finals - own->finals;
	uint64_t failures = view->of[member->method].failures - own->failures;
	uint64_t uncertain = 0;

	if (fails_by_sample(member, config))
		uncertain = upper_bound(view->of[member->method].unanswered - own->unanswered) -
			    (view->of[member->method].lost - own->lost);
	finals += uncertain;
	failures += uncertain;
	return member->cause == PASSIVE_UNANSWERED || own->failures * finals >= 2 * failures * own->finals;
}

/* Can one more backend of a priority go down? `standby`: backends of later priorities that can take its calls. */
static bool has_spare(size_t serving, size_t down, size_t standby, unsigned int min_alive)
{
	if (serving == 1)
		return standby;
	return reaches(serving - 1, serving + down, min_alive);
}

void passive_decide(struct passive_member *members, size_t count, const struct config_passive *config,
	unsigned int min_alive, uint64_t now)
{
	struct pool_view view;

	for (size_t i = 0; i < count; i++)
		judge(&members[i], config, now);
	view = view_of(members, count);
	for (size_t i = 0; i < count; i++) {
		if (!members[i].cause || view.of[members[i].method].working < view.failing ||
			!stands_out(&members[i], &view, config) ||
			!has_spare(view.serving, view.down, view.standby, min_alive))
			continue;
		members[i].fails_alone = true;
		view.serving--;
		view.down++;
	}
}

bool passive_works(const struct passive_history *history, const struct config_passive *config, uint64_t now)
{
	bool any = false;

	for (int method = 0; method < PASSIVE_METHODS; method++) {
		const struct passive_series *series = &history->of[method];

		if (series->finals && reaches(series->failures, series->finals, config->share))
			return false;
		any |= series->finals;
	}
	return any && !(history->silent_from && now - history->silent_from >= config->window);
}

/* --- The pool, for a group of balancers */

static int compare_candidates(const void *a, const void *b)
{
	const struct passive_candidate *left = a, *right = b;

	if (left->priority != right->priority)
		return left->priority < right->priority ? -1 : 1;
	return (left->key > right->key) - (left->key < right->key);
}

/* The backends of one priority. Returns the number of those that work. */
static size_t agree_priority(struct passive_candidate *list, size_t count, size_t standby, unsigned int min_alive)
{
	size_t serving = 0, down, working = 0;

	for (size_t i = 0; i < count; i++) {
		serving += list[i].up;
		working += list[i].up && !list[i].fails;
	}
	down = count - serving;
	for (size_t i = 0; i < count; i++) {
		list[i].goes_down = list[i].up && list[i].fails && has_spare(serving, down, standby, min_alive);
		serving -= list[i].goes_down;
		down += list[i].goes_down;
	}
	return working;
}

/* From the last priority to the first, because a backend that fails is no standby for those before. */
void passive_agree(struct passive_candidate *list, size_t count, unsigned int min_alive)
{
	size_t end = count, standby = 0;

	if (count)
		qsort(list, count, sizeof(*list), compare_candidates);
	while (end) {
		size_t first = end - 1;

		while (first && list[first - 1].priority == list[end - 1].priority)
			first--;
		standby += agree_priority(&list[first], end - first, standby, min_alive);
		end = first;
	}
}

bool passive_is_tolerated(const struct passive_member *member, const struct config_passive *config, uint64_t now)
{
	return member->cause && !member->fails_alone && now - member->history->failing_from >= config->window;
}

uint32_t passive_hold(const struct config_passive *config, enum passive_cause cause, unsigned int count)
{
	uint64_t hold = config->window;

	/* A shorter time would not show whether the backend responds again. */
	if (cause == PASSIVE_UNANSWERED && hold < PASSIVE_TIMEOUT)
		hold = PASSIVE_TIMEOUT;
	for (; count > 1 && hold < PASSIVE_HOLD_MAX * 1000; count--)
		hold *= 2;
	hold = (hold + 999) / 1000;
	return hold < PASSIVE_HOLD_MAX ? hold : PASSIVE_HOLD_MAX;
}

/* --- Text */

const char *passive_text(
	const struct passive_member *member, const struct config_passive *config, char text[PASSIVE_TEXT_SIZE])
{
	const struct passive_series *series = &member->history->of[member->method];
	const char *method = member->method == PASSIVE_INVITE ? "INVITE" : "REGISTER";

	switch (member->cause) {
	case PASSIVE_RUN:
		snprintf(text, PASSIVE_TEXT_SIZE, "%u responses to %s in a row failed", config->fall, method);
		break;
	case PASSIVE_SHARE:
		snprintf(text, PASSIVE_TEXT_SIZE,
			series->lost ? "at least %" PRIu64 " of %" PRIu64
				       " %s requests failed or had no response within %u s"
				     : "%" PRIu64 " of %" PRIu64 " responses to %s failed within %u s",
			series->failures, series->finals, method, config->window / 1000);
		break;
	case PASSIVE_UNANSWERED:
		snprintf(text, PASSIVE_TEXT_SIZE, "no response to %" PRIu64 " INVITEs within %d s",
			member->history->unanswered, PASSIVE_TIMEOUT / 1000);
		break;
	default:
		snprintf(text, PASSIVE_TEXT_SIZE, "%s", passive_cause_text(member->cause));
	}
	return text;
}

const char *passive_cause_text(enum passive_cause cause)
{
	static const char *const texts[] = {
		[PASSIVE_NONE] = "",
		[PASSIVE_RUN] = "responses in a row failed",
		[PASSIVE_SHARE] = "too many responses failed",
		[PASSIVE_UNANSWERED] = "does not respond to INVITEs",
		[PASSIVE_GROUP] = "fails at other balancers of the group",
	};

	return texts[cause];
}

const char *passive_cause_name(enum passive_cause cause)
{
	static const char *const names[] = {
		[PASSIVE_NONE] = "",
		[PASSIVE_RUN] = "run",
		[PASSIVE_SHARE] = "share",
		[PASSIVE_UNANSWERED] = "unanswered",
		[PASSIVE_GROUP] = "group",
	};

	return names[cause];
}
