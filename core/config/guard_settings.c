// SPDX-License-Identifier: GPL-2.0
/* What the guard of a service consists of, after all defaults and inherited values. See config_guard.h. */
#include "config.h"

/* A phone sends few requests, an office behind one address many: 500 phones that register again after a power cut stay
 * below these limits. A list with `action: trust` is the right place for carriers. */
static const struct config_limit_set default_limits = {
	.name = "default",
	.rates =
		{
			[GUARD_BUCKET_PACKETS] = {.rate = 2000, .burst = 4000},
			[GUARD_BUCKET_DIALOG] = {.rate = 10000, .burst = 20000},
			[GUARD_BUCKET_EMERGENCY] = {.rate = 20, .burst = 200},
			[GUARD_BUCKET_INITIAL] = {.rate = 100, .burst = 1000},
			[GUARD_BUCKET_INVITE] = {.rate = 10, .burst = 100},
			[GUARD_BUCKET_REGISTER] = {.rate = 50, .burst = 1000},
			[GUARD_BUCKET_NOT_SIP] = {.rate = 10, .burst = 50},
		},
};

const struct config_limit_set *config_limit_set(const struct config *config, size_t index)
{
	return index == CONFIG_DEFAULT_LIMITS ? &default_limits : &config->guard.limit_sets[index];
}

struct config_guard_settings config_guard_settings(const struct config *config, const struct config_service *service)
{
	const struct config_guard_settings *outer = &config->guard.settings, *own;

	if (!service || service->guard.kind != GUARD_OWN)
		return *outer;
	own = &service->guard.settings;
	return (struct config_guard_settings){
		.mode = own->mode ? own->mode : outer->mode,
		.limits = own->limits == CONFIG_INHERIT_LIMITS ? outer->limits : own->limits,
		.scanners = own->scanners.state ? own->scanners : outer->scanners,
		.broken = own->broken.state ? own->broken : outer->broken,
		.retry_after = own->retry_after ? own->retry_after : outer->retry_after,
	};
}

bool config_service_is_guarded(const struct config *config, const struct config_service *service)
{
	return config->guard.is_set && service->guard.kind != GUARD_OFF;
}

bool config_service_has_own_guard(const struct config *config, const struct config_service *service)
{
	return config_service_is_guarded(config, service) && service->guard.kind == GUARD_OWN;
}

bool config_service_uses_list(const struct config_service *service, size_t list)
{
	size_t i = 0;

	if (!service || service->guard.kind != GUARD_OWN || !service->guard.names_lists)
		return true;
	while (i < service->guard.list_count && service->guard.lists[i] != list)
		i++;
	return i < service->guard.list_count;
}

const char *config_guard_name(const struct config *config, const struct config_service *service)
{
	return service && config_service_has_own_guard(config, service) ? service->name : GUARD_SHARED_NAME;
}

const char *config_guard_action_name(enum guard_action action)
{
	return action == GUARD_TRUST ? "trust" : action == GUARD_DENY ? "deny" : "limit";
}
