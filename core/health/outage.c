// SPDX-License-Identifier: GPL-2.0
/* See outage.h. */
#include "outage.h"

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Returns the start of the earliest failure that `enough` needs: this failure and the later ones are enough without
 * the failures before them. */
static uint64_t enough_from(const struct evidence *evidence)
{
	return evidence->failed > evidence->again ? evidence->failed - evidence->again : 0;
}

/* Did the backend answer a later request of the other kind (for example, a probe after a neighbour request)? The
 * failure then does not count. */
static bool is_refuted(const struct evidence *failing, const struct evidence *other)
{
	return failing->failing && !other->failing && other->answered >= failing->began && other->answered;
}

void evidence_add(struct evidence *evidence, const struct evidence *other)
{
	struct evidence a = *evidence, b = *other;

	if (!b.known || is_refuted(&b, &a))
		return;
	if (!a.known || is_refuted(&a, &b)) {
		*evidence = b;
		return;
	}
	*evidence = a.failing >= b.failing ? a : b;
	if (a.failing && b.failing && b.began < a.began)
		evidence->began = b.began;
	evidence->enough = a.enough || b.enough;
	evidence->recovered = a.recovered && b.recovered;
	evidence->unsteady = a.unsteady || b.unsteady;
	evidence->answered = later(a.answered, b.answered);
	evidence->failed = later(enough_from(&a), enough_from(&b)) + evidence->again;
}

/* --- One member */

/* Is there evidence about a member that is not dead yet? */
static bool takes_part(const struct outage_member *member)
{
	return member->evidence.known && !member->down && !member->excluded;
}

/* Did the member answer a request that began after the suspect's first failure? */
static bool has_answered_since(const struct outage_member *member, const struct outage_member *suspect)
{
	return !member->evidence.failing && member->evidence.answered >= suspect->evidence.began;
}

/* Has this member responded since the suspect's first failure, and while the suspect collected enough failures? If this
 * member has failed too, failures of the suspect from before this member's return do not count. */
static bool responded_throughout(const struct outage_member *member, const struct outage_member *suspect)
{
	const struct evidence *evidence = &suspect->evidence;

	return has_answered_since(member, suspect) &&
	       (member->returned <= evidence->began || member->returned <= enough_from(evidence));
}

/* Updates a member with the evidence that is new since the last decision. */
static void update(struct outage_member *member, uint64_t now)
{
	const struct evidence *evidence = &member->evidence;

	member->wanted = false;
	if (!evidence->known)
		return;
	if (member->failed && !evidence->failing)
		member->returned = now;
	member->failed = evidence->failing;
	if (member->down && !evidence->enough && evidence->recovered)
		member->down = false;
	if (member->excluded && evidence->enough)
		member->down = true;
	member->held = evidence->enough && !member->down;
}

static void declare_dead(struct outage_member *member)
{
	member->down = true;
	member->held = false;
}

/* --- The pool */

static void count_silent(struct outage *outage, const struct outage_member *members, size_t count)
{
	uint64_t first = UINT64_MAX, last = 0;

	outage->members = 0;
	outage->silent = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t began = members[i].evidence.began;

		if (!takes_part(&members[i]))
			continue;
		outage->members++;
		if (!members[i].evidence.failing)
			continue;
		outage->silent++;
		first = began < first ? began : first;
		last = later(last, began);
	}
	outage->spread = last > first ? last - first : 0;
}

/* Rule 1: a member that fails alone, while all others respond, is dead. */
static void decide_single(const struct outage *outage, struct outage_member *members, size_t count)
{
	struct outage_member *suspect = NULL;
	bool alone = true;

	if (outage->silent != 1 || outage->members == 1)
		return;
	for (size_t i = 0; i < count; i++)
		if (takes_part(&members[i]) && members[i].evidence.failing)
			suspect = &members[i];
	if (!suspect->held)
		return;
	for (size_t i = 0; i < count; i++) {
		struct outage_member *member = &members[i];

		if (!takes_part(member) || member == suspect || responded_throughout(member, suspect))
			continue;
		member->wanted = !has_answered_since(member, suspect);
		alone = false;
	}
	if (alone)
		declare_dead(suspect);
}

/* The start of the member's silence. Time in which the daemon could not receive (before rules->listening) does not
 * count. Unless all members may be dead, time in which no member responded (until outage->blind) does not count,
 * either. */
static uint64_t silent_since(
	const struct outage *outage, const struct outage_member *member, const struct outage_rules *rules)
{
	const struct evidence *evidence = &member->evidence;
	uint64_t pause = evidence->detection - evidence->again; /* from a response to the first failure */
	uint64_t since = later(evidence->answered, evidence->began > pause ? evidence->began - pause : 0);

	since = later(since, rules->listening);
	return rules->may_all_be_dead ? since : later(since, outage->blind);
}

/* The held member whose decision is due first; NULL: no member is held. */
static const struct outage_member *first_due(const struct outage *outage, const struct outage_member *members,
	size_t count, const struct outage_rules *rules, uint64_t *due)
{
	const struct outage_member *first = NULL;

	for (size_t i = 0; i < count; i++) {
		uint64_t time = silent_since(outage, &members[i], rules) + 2 * members[i].evidence.detection;

		if (!members[i].held || !takes_part(&members[i]) || (first && *due <= time))
			continue;
		first = &members[i];
		*due = time;
	}
	return first;
}

/* How the other members have responded when a decision is due. */
struct others {
	size_t count;     /* members that are not held */
	size_t answering; /* members among them that have answered since the suspect's first failure */
	size_t steady;    /* answering members that answer every request */
};

static struct others count_others(
	const struct outage_member *members, size_t count, const struct outage_member *suspect)
{
	struct others others = {0};

	for (size_t i = 0; i < count; i++) {
		bool answering = has_answered_since(&members[i], suspect);

		if (!takes_part(&members[i]) || members[i].held)
			continue;
		others.count++;
		others.answering += answering;
		others.steady += answering && !members[i].evidence.unsteady;
	}
	return others;
}

/* Rule 2: all held members are declared dead at the same time, so that no slot gets several new owners one after the
 * other. If most members that are not held also leave requests unanswered, silence is weaker evidence, and the decision
 * is due after twice the time. */
static void decide_held(struct outage *outage, struct outage_member *members, size_t count,
	const struct outage_rules *rules, uint64_t now)
{
	const struct outage_member *suspect = first_due(outage, members, count, rules, &outage->decision);
	struct others others;

	if (!suspect || now < outage->decision)
		return;
	others = count_others(members, count, suspect);
	if (!others.answering && !rules->may_all_be_dead) {
		outage->blind = now;
		outage->decision = now + 2 * suspect->evidence.detection;
		return;
	}
	if (2 * others.steady < others.count && now < outage->decision + 2 * suspect->evidence.detection) {
		outage->decision += 2 * suspect->evidence.detection;
		return;
	}
	for (size_t i = 0; i < count; i++)
		if (members[i].held && takes_part(&members[i]))
			declare_dead(&members[i]);
}

static bool is_any_held(const struct outage_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (members[i].held && takes_part(&members[i]))
			return true;
	return false;
}

uint64_t outage_decide(struct outage *outage, struct outage_member *members, size_t count,
	const struct outage_rules *rules, uint64_t now)
{
	bool blind;

	for (size_t i = 0; i < count; i++)
		update(&members[i], now);
	count_silent(outage, members, count);
	blind = outage->silent && outage->silent == outage->members;
	if (blind || outage->view == OUTAGE_BLIND)
		outage->blind = now;
	decide_single(outage, members, count);
	outage->decision = OUTAGE_NEVER;
	decide_held(outage, members, count, rules, now);
	outage->view = !is_any_held(members, count) ? OUTAGE_NONE : blind ? OUTAGE_BLIND : OUTAGE_PARTIAL;
	if (outage->view == OUTAGE_NONE || (blind && !rules->may_all_be_dead))
		outage->decision = OUTAGE_NEVER;
	return outage->decision;
}
