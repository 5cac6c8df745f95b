// SPDX-License-Identifier: GPL-2.0
/* See health.h. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <time.h>
#include <unistd.h>
#include "core/view/readiness.h"
#include "ctl/maps/maps.h"
#include "health.h"

#define SWITCH_POLLS 50 /* with pauses of 20 ms: the time that the loader needs to activate new maps */
#define SWITCH_PAUSE_NSEC 20000000

struct health_check {
	const char *pin_directory;
	struct maps *maps;
	char error[MAPS_ERROR_SIZE];
};

static struct readiness_link link_of(const char *interface, void *data)
{
	const struct health_check *health = data;

	return (struct readiness_link){
		.is_attached = strcmp(maps_attach_mode(health->maps, health->pin_directory, interface), "none"),
		.fault = maps_link_fault(interface)};
}

/* While the loader replaces the maps, the pin of the contract is missing for a few ms, and the kernel forwards. */
static bool is_switching(const struct health_check *health)
{
	int program = maps_open_pin(health->pin_directory, PIN_PROGRAM);

	if (program >= 0)
		close(program);
	return program >= 0;
}

/* 0 or -errno with the reason in health->error. */
static int check_maps(struct health_check *health, const char *service, struct messages *reasons)
{
	struct image *image;
	int error;

	if (!maps_are_filled(health->maps)) {
		messages_add(reasons, "sipxdpd has not filled the maps yet: wait if it is running, otherwise start it");
		return 0;
	}
	error = maps_read_readiness(health->maps, &image);
	if (error) {
		snprintf(health->error, sizeof(health->error), "cannot read the maps in %s: %s", health->pin_directory,
			strerror(-error));
		return error;
	}
	readiness_check_joining(image, time(NULL), reasons);
	error = readiness_check(image, service, link_of, health, reasons);
	if (error)
		snprintf(health->error, sizeof(health->error),
			"no service '%s' in the maps (see 'sipxdp-ctl service list')", service);
	image_free(image);
	return error;
}

/* As check_maps(). -EAGAIN: the loader replaced the maps at the same time. */
static int check_once(struct health_check *health, const char *service, struct messages *reasons)
{
	int error = maps_open(&health->maps, health->pin_directory, health->error);

	if (error == -ENOENT) {
		if (is_switching(health))
			return -EAGAIN;
		messages_add(reasons,
			"the balancer is detached and forwards no packets ('sipxdp-loader attach' attaches it)");
		return 0;
	}
	if (!error)
		error = check_maps(health, service, reasons);
	if (health->maps && maps_are_pinned(health->maps, health->pin_directory) == 0)
		error = -EAGAIN;
	maps_close(health->maps);
	return error;
}

/* 0 or -errno with the reason in health->error. */
static int check(struct health_check *health, const char *service, struct messages *reasons)
{
	const struct timespec pause = {.tv_nsec = SWITCH_PAUSE_NSEC};
	int error = check_once(health, service, reasons);

	for (int i = 0; i < SWITCH_POLLS && error == -EAGAIN; i++) {
		nanosleep(&pause, NULL);
		messages_free(reasons);
		error = check_once(health, service, reasons);
	}
	if (error != -EAGAIN)
		return error;
	messages_add(reasons, READINESS_INTERRUPTED);
	return 0;
}

static void print(struct output *output, const struct messages *reasons)
{
	json_t *list = json_array();

	for (size_t i = 0; i < reasons->count; i++)
		json_array_append_new(list, protocol_text(reasons->list[i]));
	list = json_pack("{s:b, s:o}", "healthy", reasons->count == 0, "reasons", list);
	output_result(output, COMMAND_HEALTH, list);
	json_decref(list);
}

enum health_result health_run(struct output *output, const char *pin_directory, const json_t *arguments)
{
	const char *service = json_string_value(json_object_get(arguments, "service"));
	struct health_check health = {.pin_directory = pin_directory};
	enum health_result result = HEALTH_UNDETERMINED;
	struct messages reasons = {0};

	if (check(&health, service, &reasons)) {
		output_error(output, "%s", health.error);
	} else {
		messages_cut(&reasons, MESSAGES_SHOWN);
		print(output, &reasons);
		result = reasons.count ? HEALTH_NOT_READY : HEALTH_READY;
	}
	messages_free(&reasons);
	return result;
}
