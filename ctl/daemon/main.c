// SPDX-License-Identifier: GPL-2.0
/* sipxdpd: command line and signals. */

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/libbpf.h>
#include "ctl/daemon/probe/certificates.h"
#include "ctl/daemon/guard/guard_files.h"
#include "active_maps.h"
#include "daemon.h"
#include "descriptors.h"
#include "log.h"
#include "usage.h"

/* Checks the file and prints every error. */
static int check(const char *path)
{
	struct faults faults = {0};
	struct config *config =
		guard_files_check(certificates_check(daemon_read_config(path, FILE_ANY, &faults), &faults), &faults);
	int result = config ? EXIT_SUCCESS : EXIT_FAILURE;
	char text[FAULT_TEXT_SIZE];

	for (size_t i = 0; i < faults.listed; i++)
		fprintf(stderr, "%s\n", fault_format(&faults.list[i], path, text));
	faults_free(&faults);
	config_free(config);
	return result;
}

static void reload_job(void *data)
{
	struct daemon *daemon = data;
	struct effects effects = {0};
	struct faults faults = {0};

	if (daemon->using_next_maps)
		log_error("not reloaded: the daemon is waiting for new maps");
	else
		daemon_reload(daemon, false, &faults, &effects);
	effects_free(&effects);
	faults_free(&faults);
}

static void end_reload(void *data)
{
	(void)data;
	sd_notify(0, "READY=1");
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct daemon *daemon = data;

	(void)source;
	(void)info;
	if (!daemon->worker) {
		log_error("not reloaded: the daemon is waiting for new maps or a different FILE, which it reads by "
			  "itself");
		return 0;
	}
	sd_notify(0, "RELOADING=1");
	worker_add(daemon->worker, reload_job, end_reload, daemon);
	return 0;
}

static int watch_signals(struct daemon *daemon)
{
	sigset_t signals;
	int error;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	error = sd_event_add_signal(daemon->event, NULL, SIGHUP, on_hangup, daemon);
	if (error >= 0)
		error = sd_event_add_signal(daemon->event, NULL, SIGTERM, NULL, NULL); /* ends the loop */
	if (error >= 0)
		error = sd_event_add_signal(daemon->event, NULL, SIGINT, NULL, NULL);
	return error < 0 ? error : 0;
}

static int on_libbpf(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char text[LOG_LINE_SIZE];

	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	log_event(level == LIBBPF_WARN ? LOG_WARNING : LOG_DEBUG, NULL, "libbpf: %s", text);
	return 0;
}

static int run(struct daemon *daemon)
{
	int error = sd_event_default(&daemon->event);

	libbpf_set_print(on_libbpf);
	if (error >= 0)
		error = watch_signals(daemon);
	if (error < 0) {
		log_error("cannot create an event loop: %s", strerror(-error));
		return EXIT_FAILURE;
	}
	error = daemon_start(daemon);
	if (!error) {
		sd_event_set_watchdog(daemon->event, true);
		sd_notify(0, "READY=1\nSTATUS=");
		log_info("running with %s", daemon->config_path);
		error = worker_run_loop(daemon->worker);
		sd_notify(0, "STOPPING=1");
		if (active_maps_are_cut_off(daemon))
			log_warning("exiting; the pins in %s are gone, so forwarding ends", daemon->pin_directory);
		else
			log_info("exiting; forwarding continues");
	}
	daemon_stop(daemon);
	sd_event_unref(daemon->event);
	return error && error != -ECANCELED ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct daemon daemon = {.lock = -1, .pin_directory = PIN_DIR, .socket_path = PROTOCOL_SOCKET};
	bool only_check = false;
	struct option longs[DAEMON_OPTIONS + 1];
	char shorts[2 * DAEMON_OPTIONS + 1];
	int option;

	descriptors_open_standard();
	usage_getopt(daemon_usage.options, longs, shorts);
	mallopt(M_ARENA_MAX, 1); /* each thread can reuse memory that the other has freed */
	mallopt(M_MXFAST, 0); /* with the default, free() and malloc() sometimes take milliseconds, because they merge
				 free blocks */
	while ((option = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		switch (option) {
		case OPTION_CONFIG:
			daemon.config_path = optarg;
			break;
		case OPTION_CHECK:
			only_check = true;
			break;
		case OPTION_PIN_DIR:
			daemon.pin_directory = optarg;
			break;
		case OPTION_SOCKET:
			daemon.socket_path = optarg;
			break;
		case OPTION_HELP:
			usage_print(&daemon_usage, stdout);
			return EXIT_SUCCESS;
		case OPTION_VERSION:
			puts("sipxdpd " SIPXDP_VERSION);
			return EXIT_SUCCESS;
		default:
			usage_print(&daemon_usage, stderr);
			return 2;
		}
	}
	if (!daemon.config_path || optind != argc) {
		usage_print(&daemon_usage, stderr);
		return 2;
	}
	return only_check ? check(daemon.config_path) : run(&daemon);
}
