// SPDX-License-Identifier: GPL-2.0
/* See floods.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bpf/abi_observe.h"
#include "ctl/maps/clock.h"
#include "core/base/memory.h"
#include "core/health/usual_rate.h"
#include "core/table/slots.h"
#include "ctl/maps/maps_report.h"
#include "log.h"
#include "sources.h"
#include "floods.h"

/* Each watched service or pool costs one system call per second. Services and pools beyond these numbers are not
 * watched; their packets count in the rates of the whole balancer. */
#define SERVICES_WATCHED 256
#define POOLS_WATCHED 256
#define BACKENDS_WATCHED 1024

#define TEXT_SIZE 256
#define ENDED_SIZE 48
#define NAMING_SECONDS 3 /* limit of a search, from the second after its start */

/* The maximum packets per second of all interfaces at which the daemon searches for the source of a flood. While the
 * kernel counts packets by source, each packet takes about 1 us instead of 0.12 us, and a single core may receive all
 * packets. */
#define NAMING_PACKETS 400000

#define SECOND 1000  /* ms */
#define SHORTEST 900 /* minimum ms between two samples: the tick of the daemon may be early */

#define VERDICT_BIT(name) (UINT64_C(1) << VERDICT_##name)
_Static_assert(VERDICT_COUNT <= 64, "a set of verdicts is one word");

/* Rates of the whole balancer: the sums of verdicts. */
static const struct {
	const char *kind; /* in the log */
	const char *what;
	uint64_t verdicts;
} sums[] = {
	{"not_sip", "packets that are not SIP", VERDICT_BIT(not_sip)},
	{"no_key", "SIP messages without a readable key",
		VERDICT_BIT(no_call_id) | VERDICT_BIT(call_id_too_far) | VERDICT_BIT(no_user) |
			VERDICT_BIT(headers_too_far)},
	{"messages", "SIP messages and connections",
		VERDICT_BIT(call_id) | VERDICT_BIT(user) | VERDICT_BIT(hint) | VERDICT_BIT(source) | VERDICT_BIT(flow) |
			VERDICT_BIT(port_range)},
	{"fragments", "fragments", VERDICT_BIT(fragment) | VERDICT_BIT(held_fragment) | VERDICT_BIT(orphan_fragment)},
	{"malformed", "packets with a malformed header", VERDICT_BIT(malformed)},
	{"icmp_error", "ICMP errors", VERDICT_BIT(icmp_error)},
	{"echo", "echo requests to VIPs", VERDICT_BIT(echo_reply)},
};
#define SUMS (sizeof(sums) / sizeof(sums[0]))

/* One rate, and the counter at the last sample. */
struct series {
	uint32_t id; /* of the service or pool */
	uint64_t counter;
	struct usual_rate rate;
	char text[TEXT_SIZE];            /* describes the last second */
	const char *kind;                /* in the log */
	bool unnamed;                    /* the search for the source of the flood has not begun */
	struct observer filter;          /* selects the packets of this flood */
	char source[HEAVIEST_TEXT_SIZE]; /* the senders of these packets; "" if unknown */
};

struct floods {
	uint32_t maps;   /* id of the maps that were sampled last; 0: none */
	uint64_t before; /* ms: time of the last sample */
	uint64_t elapsed;
	struct series sums[SUMS];
	struct series services[SERVICES_WATCHED]; /* initial requests */
	struct series pools[POOLS_WATCHED];       /* excess of the busiest backend over all others */
	uint64_t backends[1 << 16];               /* counters by id, at the last sample */
	uint64_t packets;                         /* counter of all packets, at the last sample */
	double packet_rate;                       /* rate of all packets, per second */
	struct series *naming;                    /* the series whose source is searched now; NULL: none */
	int naming_seconds;
};

struct floods *floods_new(void)
{
	return allocate(1, sizeof(struct floods));
}

void floods_free(struct floods *floods)
{
	free(floods);
}

/* Updates a counter. Returns the increase per second; 0 if the counter now belongs to a new owner. */
static double increase(const struct floods *floods, uint64_t *counter, uint64_t value)
{
	double packets = value >= *counter ? value - *counter : 0;

	*counter = value;
	return packets * SECOND / floods->elapsed;
}

/* Resets a series if its position in the list now belongs to a different service or pool. */
static bool is_new(struct series *series, uint32_t id, uint64_t counter)
{
	if (series->id == id && series->rate.seconds)
		return false;
	*series = (struct series){.id = id, .counter = counter, .rate.seconds = 1};
	return true;
}

/* `filter` selects the packets that the series counts. */
static void update_series(
	struct series *series, double per_second, const struct observer *filter, const struct log_field fields[])
{
	switch (usual_rate_update(&series->rate, per_second)) {
	case USUAL_RATE_REPORT:
		log_event(LOG_WARNING, fields, "%s", series->text);
		series->unnamed = true;
		series->filter = *filter;
		break;
	case USUAL_RATE_USUAL:
		log_event(LOG_INFO, fields, "end of the flood: %s", series->text);
		break;
	case USUAL_RATE_NOTHING:
		break;
	}
	if (series->rate.unusual)
		return;
	series->unnamed = false;
	*series->source = '\0';
}

/* --- the balancer */

static void sample_sums(struct floods *floods, const struct verdict_counters *counters)
{
	const uint64_t *verdicts = (const uint64_t *)counters;
	uint64_t packets = 0;

	for (int verdict = 0; verdict < VERDICT_COUNT; verdict++)
		packets += verdicts[verdict];
	floods->packet_rate = increase(floods, &floods->packets, packets);
	for (size_t i = 0; i < SUMS; i++) {
		struct series *series = &floods->sums[i];
		uint64_t sum = 0;
		double now;

		for (int verdict = 0; verdict < VERDICT_COUNT; verdict++)
			sum += sums[i].verdicts >> verdict & 1 ? verdicts[verdict] : 0;
		if (is_new(series, 0, sum))
			continue;
		now = increase(floods, &series->counter, sum);
		snprintf(series->text, TEXT_SIZE, "%.0f %s per second, usually at most %.0f", now, sums[i].what,
			usual_rate_limit(&series->rate));
		series->kind = sums[i].kind;
		update_series(series, now, &(struct observer){.verdicts = sums[i].verdicts},
			LOG_FIELDS({"event", "flood"}, {"kind", sums[i].kind}));
	}
}

/* --- services */

static uint64_t initial_requests(const struct service_traffic *traffic)
{
	const uint64_t *counters = (const uint64_t *)traffic;
	uint64_t sum = 0;

	for (int i = 0; i < SERVICE_COUNTER_COUNT; i++)
		if (!strcmp(maps_report_service_counters[i].detail, "initial"))
			sum += counters[i];
	return sum;
}

static void sample_service(struct floods *floods, struct daemon *daemon, size_t place)
{
	const char *name = daemon->farm->config->services[place].name;
	uint32_t id = daemon->farm->service_ids[place];
	struct series *series = &floods->services[place];
	struct service_traffic traffic;
	uint64_t count;
	double now;

	if (maps_service_traffic(daemon->maps, id, &traffic))
		return;
	count = initial_requests(&traffic);
	if (is_new(series, id, count))
		return;
	now = increase(floods, &series->counter, count);
	snprintf(series->text, TEXT_SIZE, "service %s: %.0f initial requests per second, usually at most %.0f", name,
		now, usual_rate_limit(&series->rate));
	series->kind = "initial";
	update_series(series, now, &(struct observer){.values[OBSERVER_SERVICE] = {id + 1}},
		LOG_FIELDS({"event", "flood"}, {"kind", "initial"}, {"service", name}));
}

/* --- pools */

/* The busiest backend of a pool. */
struct busiest {
	const char *name;
	uint32_t id;
	double rate;
	double others; /* rate of all other backends together */
};

static struct busiest find_busiest(struct floods *floods, struct daemon *daemon, const struct farm_pool *pool)
{
	struct busiest busiest = {.name = ""};
	struct backend_traffic traffic;

	for (size_t i = 0; i < pool->count; i++) {
		const struct backend_record *record = &pool->backends[i].record;
		uint32_t id = pool->backends[i].id;
		double now;

		if (!farm_backend_exists(&pool->backends[i]) || maps_backend_traffic(daemon->maps, id, &traffic))
			continue;
		now = increase(floods, &floods->backends[id & 0xffff], traffic.packets);
		busiest.others += now < busiest.rate ? now : busiest.rate;
		if (now > busiest.rate) {
			busiest.rate = now;
			busiest.name = record->name;
			busiest.id = id;
		}
	}
	return busiest;
}

/* All packets with one Call-ID reach one backend. If the affinity is the source, all packets from one source also reach
 * one backend. Such packets therefore appear as an excess of the busiest backend over all others. The excess has no
 * meaning in a pool in which one backend owns all slots. */
static void sample_pool(struct floods *floods, struct daemon *daemon, size_t place)
{
	const struct farm_pool *pool = &daemon->farm->pools[place];
	struct busiest busiest = find_busiest(floods, daemon, pool);
	struct series *series = &floods->pools[place];
	double excess = busiest.rate - busiest.others;
	size_t owners;

	slots_owners(image_owners(daemon->running, pool->id), &owners);
	if (is_new(series, pool->id, 0))
		return;
	if (owners < 2 || excess < 0)
		excess = 0;
	snprintf(series->text, TEXT_SIZE,
		"pool %s: backend %s receives %.0f of %.0f packets per second: many have the same Call-ID, user or "
		"source",
		pool->config->name, busiest.name, busiest.rate, busiest.rate + busiest.others);
	series->kind = "one_key";
	update_series(series, excess, &(struct observer){.values[OBSERVER_BACKEND] = {busiest.id}},
		LOG_FIELDS({"event", "flood"}, {"kind", "one_key"}, {"pool", pool->config->name},
			{"backend", busiest.name}));
}

/* --- sources */

static struct series *find_unnamed(struct series list[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].unnamed)
			return &list[i];
	return NULL;
}

static struct series *next_unnamed(struct floods *floods)
{
	struct series *series = find_unnamed(floods->sums, SUMS);

	if (!series)
		series = find_unnamed(floods->services, SERVICES_WATCHED);
	return series ? series : find_unnamed(floods->pools, POOLS_WATCHED);
}

static void begin_naming(struct floods *floods, struct daemon *daemon)
{
	struct series *series = next_unnamed(floods);

	if (series && floods->packet_rate > NAMING_PACKETS) {
		snprintf(series->source, sizeof(series->source),
			"at more than %d packets per second sipxdpd does not look for the source (see 'sipxdp-ctl top "
			"sources')",
			NAMING_PACKETS);
		series->unnamed = false;
	} else if (series) {
		sources_begin_suspects(daemon->sources, &series->filter);
		floods->naming = series;
		floods->naming_seconds = NAMING_SECONDS;
	}
}

static void end_naming(struct floods *floods, struct daemon *daemon)
{
	floods->naming->unnamed = false;
	floods->naming = NULL;
	sources_end_suspects(daemon->sources);
}

/* Finds the sources of the floods one after another. Uses the result only if the flood has not ended: the rate of the
 * suspects must also be above the usual range of the series. */
static void name_sources(struct floods *floods, struct daemon *daemon)
{
	struct series *series = floods->naming;
	struct sources_suspects found;

	if (!series) {
		begin_naming(floods, daemon);
	} else if (!series->unnamed) { /* the flood has ended */
		end_naming(floods, daemon);
	} else if (sources_suspects(daemon->sources, &found) &&
		   found.sources->suspects > usual_rate_limit(&series->rate) * found.seconds) {
		heaviest_suspects_text(found.sources, found.call_ids, series->source);
		log_event(LOG_WARNING, LOG_FIELDS({"event", "flood_source"}, {"kind", series->kind}), "%s; %s",
			series->text, series->source);
		end_naming(floods, daemon);
	} else if (!floods->naming_seconds--) {
		*series->source = '\0';
		end_naming(floods, daemon);
	}
}

/* --- all */

/* Restarts the sampling if the maps have been replaced. Returns false if there are no earlier samples to compare with.
 */
static bool advance(struct floods *floods, struct daemon *daemon)
{
	uint64_t now = clock_msec();

	if (floods->maps != maps_id(daemon->maps)) {
		sources_end_suspects(daemon->sources);
		memset(floods, 0, sizeof(*floods));
		floods->maps = maps_id(daemon->maps);
	}
	if (now - floods->before < SHORTEST)
		return false;
	floods->elapsed = now - floods->before;
	floods->before = now;
	return true;
}

/* Deletes the series and warnings of services and pools that a reload has removed. */
static void forget_removed(struct series list[], size_t size, size_t count)
{
	if (count < size)
		memset(list + count, 0, (size - count) * sizeof(*list));
}

void floods_sample(struct floods *floods, struct daemon *daemon)
{
	const struct farm *farm = daemon->farm;
	struct verdict_counters counters;
	size_t backends = 0;

	if (daemon->using_next_maps || !advance(floods, daemon))
		return;
	forget_removed(floods->services, SERVICES_WATCHED, farm->config->service_count);
	forget_removed(floods->pools, POOLS_WATCHED, farm->config->pool_count);
	if (!maps_verdicts(daemon->maps, &counters))
		sample_sums(floods, &counters);
	for (size_t i = 0; i < farm->config->service_count && i < SERVICES_WATCHED; i++) {
		sample_service(floods, daemon, i);
		worker_yield(daemon->worker);
	}
	for (size_t i = 0; i < farm->config->pool_count && i < POOLS_WATCHED; i++) {
		backends += farm->pools[i].count;
		if (backends <= BACKENDS_WATCHED)
			sample_pool(floods, daemon, i);
		worker_yield(daemon->worker);
	}
	name_sources(floods, daemon);
}

/* The warning stays for USUAL_RATE_END seconds after the flood. */
static const char *ended_text(const struct usual_rate *rate, char text[ENDED_SIZE])
{
	unsigned int quiet = usual_rate_quiet(rate);

	*text = '\0';
	if (quiet)
		snprintf(text, ENDED_SIZE, " (the flood ended %u s ago)", quiet);
	return text;
}

static void warn_of(const struct series *list, size_t count, floods_warn *warn, void *data)
{
	char text[TEXT_SIZE + ENDED_SIZE + HEAVIEST_TEXT_SIZE], ended[ENDED_SIZE];

	for (size_t i = 0; i < count; i++) {
		if (!list[i].rate.unusual)
			continue;
		snprintf(text, sizeof(text), "%s%s%s%s", list[i].text, ended_text(&list[i].rate, ended),
			*list[i].source ? "; " : "", list[i].source);
		warn(data, text);
	}
}

void floods_warnings(const struct floods *floods, floods_warn *warn, void *data)
{
	warn_of(floods->sums, SUMS, warn, data);
	warn_of(floods->services, SERVICES_WATCHED, warn, data);
	warn_of(floods->pools, POOLS_WATCHED, warn, data);
}
