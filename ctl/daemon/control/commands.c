// SPDX-License-Identifier: GPL-2.0
/* See commands.h: the table of all commands, and the commands that change something. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "core/base/memory.h"
#include "ctl/daemon/active_maps.h"
#include "audit.h"
#include "ctl/daemon/trace/trace.h"
#include "commands.h"
#include "core/control/command_line.h"
#include "ctl/daemon/daemon.h"
#include "ctl/daemon/group/group_changes.h"
#include "ctl/daemon/group/group_report.h"
#include "ctl/daemon/guard/guard_commands.h"
#include "ctl/daemon/guard/guard_report.h"
#include "ctl/daemon/log.h"
#include "ctl/daemon/sources.h"
#include "report.h"

typedef json_t *command_function(struct daemon *daemon, const struct request *request);

static void append_lines(json_t *array, const char *start, const struct messages *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		json_array_append_new(array, json_sprintf("%s%s", start, lines->list[i]));
}

static json_t *effects_json(const struct effects *effects)
{
	json_t *steps = json_array(), *pools = json_array(), *warnings = json_array();
	uint64_t moved = 0, slots = 0;

	append_lines(steps, "", &effects->steps);
	append_lines(warnings, "", &effects->warnings);
	for (size_t i = 0; i < effects->move_count; i++) {
		const struct plan_moves *moves = &effects->moves[i];

		json_array_append_new(
			pools, json_pack("{s:s, s:i, s:i, s:i, s:f}", "name", moves->name, "slots", moves->slots,
				       "moved", moves->moved, "waiting", moves->waiting, "percent",
				       100.0 * (moves->moved + moves->waiting) / moves->slots));
		moved += moves->moved + moves->waiting;
		slots += moves->slots;
	}
	return json_pack("{s:o, s:o, s:f, s:o}", "steps", steps, "pools", pools, "moved_percent",
		slots ? 100.0 * moved / slots : 0.0, "warnings", warnings);
}

/* Reconciles after a change to the farm, and returns the reply with the effects. `pool` is the pool in which a
 * backend has lost capacity, or NULL if there is none. */
static json_t *reconcile(struct daemon *daemon, const char *pool)
{
	struct effects effects = {0};
	int error;
	json_t *reply, *result;

	error = daemon_change(daemon, &effects);
	if (error) {
		reply = protocol_error(NULL, "cannot change the maps: %s (see the daemon's log)", strerror(-error));
	} else {
		if (pool)
			preview_warn(farm_find_pool(daemon->farm, pool), &effects.warnings);
		result = effects_json(&effects);
		reply = protocol_ok(result);
	}
	effects_free(&effects);
	return reply;
}

/* --- changes */

/* Has `backend add` options besides --weight? */
static bool has_details(const struct request *request)
{
	return request->hints || request->ports || request->mac || request->group || request->forward ||
	       request->priority != PROTOCOL_NOT_GIVEN || request->port != PROTOCOL_NOT_GIVEN ||
	       request->max_calls != PROTOCOL_NOT_GIVEN || request->max_rate != PROTOCOL_NOT_GIVEN;
}

static int try_add(struct daemon *daemon, const char *pool, struct added_config *added, char error[FARM_ERROR_SIZE])
{
	struct farm *trial = farm_trial_copy(daemon->farm);
	int result;

	worker_unlock(daemon->worker);
	result = farm_try_described(trial, daemon->running, pool, added, error);
	farm_trial_free(trial);
	worker_lock(daemon->worker);
	return result;
}

static int add_with_details(
	struct daemon *daemon, const struct request *request, uint16_t weight, char error[FARM_ERROR_SIZE])
{
	const struct added_options words = {.hints = request->hints,
		.ports = request->ports,
		.mac = request->mac,
		.group = request->group,
		.forward = request->forward,
		.priority = request->priority,
		.port = request->port,
		.max_calls = request->max_calls,
		.max_rate = request->max_rate};
	const struct farm_pool *pool = farm_find_pool(daemon->farm, request->pool);
	struct faults faults = {0};
	struct added_config *added;
	int result = -EINVAL;

	if (!pool) /* farm_add_backend() writes the message */
		return farm_add_backend(daemon->farm, daemon->running, request->pool, request->backend,
			&request->address, weight, error);
	added = added_new(pool->config, request->backend, &request->address, weight, &words, &faults);
	if (added)
		result = try_add(daemon, request->pool, added, error);
	else
		snprintf(error, FARM_ERROR_SIZE, "%s", faults.list[0].message);
	faults_free(&faults);
	if (!result)
		return farm_add_described(daemon->farm, daemon->running, request->pool, added, error);
	added_free(added);
	return result;
}

static json_t *run_backend_add(struct daemon *daemon, const struct request *request)
{
	bool has_weight = request->weight != PROTOCOL_NOT_GIVEN;
	char error[FARM_ERROR_SIZE];
	int result;

	if (has_details(request))
		result = add_with_details(daemon, request, has_weight ? request->weight : 1, error);
	else
		result = farm_add_backend(daemon->farm, daemon->running, request->pool, request->backend,
			&request->address, has_weight ? request->weight : FARM_USUAL_WEIGHT, error);
	return result ? protocol_error(NULL, "%s", error) : reconcile(daemon, NULL);
}

static json_t *run_backend_remove(struct daemon *daemon, const struct request *request)
{
	char error[FARM_ERROR_SIZE];

	if (request->wait != PROTOCOL_NOT_GIVEN && !request->drain)
		return protocol_error(NULL, "--wait needs --drain: without --drain the backend is removed at once");
	if ((request->drain ? farm_remove_when_drained : farm_remove_backend)(
		    daemon->farm, request->pool, request->backend, error))
		return protocol_error(NULL, "%s", error);
	return reconcile(daemon, request->pool);
}

static json_t *run_backend_admin(struct daemon *daemon, const struct request *request)
{
	enum admin_state admin = request->command == COMMAND_BACKEND_MAINT   ? ADMIN_MAINT
				 : request->command == COMMAND_BACKEND_DRAIN ? ADMIN_DRAIN
									     : ADMIN_READY;
	char error[FARM_ERROR_SIZE];

	if (farm_set_admin(daemon->farm, request->pool, request->backend, admin, error))
		return protocol_error(NULL, "%s", error);
	return reconcile(daemon, admin == ADMIN_READY ? NULL : request->pool);
}

static json_t *run_backend_weight(struct daemon *daemon, const struct request *request)
{
	char error[FARM_ERROR_SIZE];

	if (farm_set_weight(daemon->farm, request->pool, request->backend, request->weight, error))
		return protocol_error(NULL, "%s", error);
	return reconcile(daemon, request->pool);
}

static json_t *run_pool_finish(struct daemon *daemon, const struct request *request)
{
	const struct farm_pool *pool = farm_find_pool(daemon->farm, request->pool);

	if (!pool)
		return protocol_error(NULL, "no pool '%s' (see 'sipxdp-ctl pool list')", request->pool);
	desired_finish_pool(daemon->desired, pool->id);
	return reconcile(daemon, NULL);
}

static json_t *run_away(struct daemon *daemon, const struct request *request)
{
	farm_set_away(daemon->farm, request->command == COMMAND_AWAY ? (uint32_t)time(NULL) : 0);
	return reconcile(daemon, NULL);
}

static json_t *run_plan(struct daemon *daemon, const struct request *request)
{
	struct effects effects = {0};
	struct faults faults = {0};
	json_t *reply, *result;

	if (daemon_plan(daemon, request->text, strlen(request->text), &faults, &effects)) {
		reply = protocol_error(&faults, "%s has faults", request->path ? request->path : "the file");
	} else {
		result = effects_json(&effects);
		append_lines(json_object_get(result, "warnings"), "a reload will refuse this: ", &effects.disruptions);
		reply = protocol_ok(result);
	}
	effects_free(&effects);
	faults_free(&faults);
	return reply;
}

#define ALTERNATIVES                                                                                                   \
	"for a setting of a service, instead add a new service on a different VIP or port and move the clients "       \
	"there; "                                                                                                      \
	"'sipxdp-ctl reload --move-calls' reloads anyway"

static json_t *refusal(const struct effects *effects)
{
	const size_t count = effects->disruptions.count, shown = count < FAULTS_MAX - 2 ? count : FAULTS_MAX - 2;
	struct faults disruptions = {0};
	json_t *reply;

	for (size_t i = 0; i < shown; i++)
		faults_add(&disruptions, (struct position){0}, "%s", effects->disruptions.list[i]);
	if (shown < count)
		faults_add(&disruptions, (struct position){0}, "and %zu more", count - shown);
	faults_add(&disruptions, (struct position){0}, "%s", ALTERNATIVES);
	reply = protocol_error(&disruptions,
		"not reloaded: established calls would move or end; the running configuration stays in use");
	faults_free(&disruptions);
	return reply;
}

static json_t *run_reload(struct daemon *daemon, const struct request *request)
{
	struct effects effects = {0};
	struct faults faults = {0};
	json_t *reply;
	int error;

	error = daemon_reload(daemon, request->move_calls, &faults, &effects);
	if (faults.count) {
		reply = protocol_error(&faults, "not reloaded: %s has faults; the running configuration stays in use",
			daemon->config_path);
		json_object_set_new(reply, "path", protocol_text(daemon->config_path));
	} else if (effects.disruptions.count && !request->move_calls) {
		reply = refusal(&effects);
	} else if (error) {
		reply = protocol_error(NULL, "cannot change the maps: %s (see the daemon's log)", strerror(-error));
	} else {
		reply = protocol_ok(effects_json(&effects));
	}
	effects_free(&effects);
	faults_free(&faults);
	return reply;
}

static json_t *run_save(struct daemon *daemon, const struct request *request)
{
	struct config *config = farm_config(daemon->farm);
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	json_t *reply;

	if (!request->is_root)
		config_hide_secrets(config);
	worker_unlock(daemon->worker); /* `config` is a copy */
	config_write(config, out);
	fclose(out);
	config_free(config);
	worker_lock(daemon->worker);
	reply = protocol_ok(json_pack("{s:s#}", "yaml", text, (int)length));
	free(text);
	return reply;
}

static json_t *run_log_level(struct daemon *daemon, const struct request *request)
{
	(void)daemon;
	if (log_set_level(request->level))
		return protocol_error(NULL, "no log level '%.80s' (use debug, info or warning)", request->level);
	return protocol_ok(json_pack("{s:s}", "log_level", log_level()));
}

static json_t *run_top_sources(struct daemon *daemon, const struct request *request)
{
	(void)request;
	return sources_answer(daemon->sources, daemon);
}

static bool is_change(enum command command)
{
	switch (command) {
	case COMMAND_AWAY:
	case COMMAND_BACK:
	case COMMAND_POOL_FINISH:
	case COMMAND_BACKEND_ADD:
	case COMMAND_BACKEND_REMOVE:
	case COMMAND_BACKEND_DRAIN:
	case COMMAND_BACKEND_READY:
	case COMMAND_BACKEND_MAINT:
	case COMMAND_BACKEND_WEIGHT:
	case COMMAND_RELOAD:
	case COMMAND_LOG_LEVEL:
	case COMMAND_GUARD_RELOAD:
	case COMMAND_GUARD_BLOCK:
	case COMMAND_GUARD_TRUST:
	case COMMAND_GUARD_UNBLOCK:
		return true;
	default:
		return false;
	}
}

bool commands_is_shared(const struct request *request)
{
	return is_change(request->command) && request->command != COMMAND_AWAY && request->command != COMMAND_BACK &&
	       (request->command != COMMAND_RELOAD || request->all) && request->command != COMMAND_LOG_LEVEL &&
	       request->command != COMMAND_GUARD_RELOAD;
}

/* Does the command take little time, so that it must not wait for a reload? */
static bool is_urgent(enum command command)
{
	return command == COMMAND_GUARD_BLOCK || command == COMMAND_GUARD_TRUST || command == COMMAND_GUARD_UNBLOCK;
}

/* All commands. */
static command_function *const functions[COMMAND_COUNT] = {
	[COMMAND_STATUS] = report_status,
	[COMMAND_AWAY] = run_away,
	[COMMAND_BACK] = run_away,
	[COMMAND_SERVICE_LIST] = report_service_list,
	[COMMAND_POOL_LIST] = report_pool_list,
	[COMMAND_POOL_FINISH] = run_pool_finish,
	[COMMAND_BACKEND_LIST] = report_backend_list,
	[COMMAND_BACKEND_CALLS] = report_backend_calls,
	[COMMAND_BACKEND_ADD] = run_backend_add,
	[COMMAND_BACKEND_REMOVE] = run_backend_remove,
	[COMMAND_BACKEND_DRAIN] = run_backend_admin,
	[COMMAND_BACKEND_READY] = run_backend_admin,
	[COMMAND_BACKEND_MAINT] = run_backend_admin,
	[COMMAND_BACKEND_WEIGHT] = run_backend_weight,
	[COMMAND_GROUP] = group_report,
	[COMMAND_LOOKUP] = report_lookup,
	[COMMAND_PLAN] = run_plan,
	[COMMAND_RELOAD] = run_reload,
	[COMMAND_SAVE] = run_save,
	[COMMAND_STATS] = report_stats,
	[COMMAND_TRACE] = trace_start,
	[COMMAND_TOP_SOURCES] = run_top_sources,
	[COMMAND_LOG_LEVEL] = run_log_level,
	[COMMAND_GUARD_LIST] = guard_command_list,
	[COMMAND_GUARD_RELOAD] = guard_command_reload,
	[COMMAND_GUARD_BLOCK] = guard_command_put,
	[COMMAND_GUARD_TRUST] = guard_command_put,
	[COMMAND_GUARD_UNBLOCK] = guard_command_unblock,
	[COMMAND_GUARD_STATS] = guard_report_stats,
	[COMMAND_GUARD_TOP] = guard_report_top,
	[COMMAND_GUARD_WHY] = guard_report_why,
};

/* A request that the worker answers, because it changes something, or takes long with a large configuration. */
struct job {
	struct daemon *daemon;
	const struct request *request;
	struct client *client;
	char *line; /* the reply */
	size_t length;
};

/* Changes must wait while the loader switches to new maps. The loader may just have finished the switch, so this
 * function checks first. */
static bool must_refuse(struct daemon *daemon, const struct request *request)
{
	if (daemon->using_next_maps)
		active_maps_update(daemon);
	return daemon->using_next_maps && is_change(request->command);
}

json_t *commands_apply(struct daemon *daemon, const struct request *request)
{
	json_t *reply = must_refuse(daemon, request)
				? protocol_error(NULL, "sipxdp-loader is switching to new maps: try again in a second")
				: functions[request->command](daemon, request);

	worker_unlock(daemon->worker);
	if (is_change(request->command))
		audit_log(request, reply);
	worker_lock(daemon->worker);
	return reply;
}

static void run_job(void *data)
{
	struct job *job = data;
	json_t *reply = commands_apply(job->daemon, job->request);

	worker_unlock(job->daemon->worker);
	job->line = reply ? protocol_encode(reply, &job->length) : NULL;
	json_decref(reply);
	worker_lock(job->daemon->worker);
}

static void end_job(void *data)
{
	struct job *job = data;

	control_reply(job->client, job->line, job->length);
	free(job);
}

json_t *commands_run(const struct request *request, void *data)
{
	struct daemon *daemon = data;
	char line[COMMAND_LINE_SIZE];
	struct job *job;
	json_t *reply;

	if (!is_change(request->command))
		log_debug("request '%s' from uid %u, pid %d", command_line(request, line), request->uid, request->pid);
	/* `status` must work while the worker is busy. `trace` takes ownership of the connection. */
	if (request->command == COMMAND_STATUS || request->command == COMMAND_TRACE)
		return functions[request->command](daemon, request);
	if (commands_is_shared(request) && group_changes_request(daemon->group_changes, request, &reply))
		return reply;
	job = allocate(1, sizeof(*job));
	*job = (struct job){.daemon = daemon, .request = request, .client = control_defer(daemon->control)};
	(is_urgent(request->command) ? worker_add_urgent : worker_add)(daemon->worker, run_job, end_job, job);
	return NULL;
}
