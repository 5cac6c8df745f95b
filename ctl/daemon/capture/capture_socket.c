// SPDX-License-Identifier: GPL-2.0
/* See capture_socket.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "capture_socket.h"
#include "ctl/maps/clock.h"
#include "ctl/daemon/http/endpoint_socket.h"
#include "ctl/daemon/log.h"

#define FAULT_MSEC 10000 /* an error is reported for this time after the last failure */

void capture_socket_close(struct capture_socket *capture)
{
	if (capture->fd >= 0)
		close(capture->fd);
	capture->fd = -1;
}

static void fail(struct capture_socket *capture, int error)
{
	capture->error = error;
	capture->failed = clock_msec();
}

/* Connects the socket, because only a connected socket reports ICMP errors. */
static int open_socket(struct capture_socket *capture)
{
	union socket_name name;
	socklen_t size = endpoint_name(capture->to, &name);

	capture->fd = socket(name.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return capture->fd < 0 || connect(capture->fd, &name.any, size) ? -errno : 0;
}

static void begin(struct capture_socket *capture)
{
	char text[ENDPOINT_TEXT_SIZE];
	int before = capture->error, error = open_socket(capture);

	endpoint_format(&capture->to, text);
	if (!error) {
		log_info("capture: sending to udp:%s", text);
		return;
	}
	capture_socket_close(capture);
	fail(capture, error);
	if (error != before)
		log_error("capture: cannot send to udp:%s: %s; trying again every second", text, strerror(-error));
}

void capture_socket_update(struct capture_socket *capture, struct endpoint to)
{
	if (!endpoint_equal(&to, &capture->to)) {
		capture_socket_close(capture);
		if (!to.port)
			log_info("capture: disabled by the configuration");
		capture->to = to;
		capture->error = 0;
	}
	if (to.port && capture->fd < 0)
		begin(capture);
}

static int send_once(const struct capture_socket *capture, const void *packet, size_t length)
{
	return send(capture->fd, packet, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Returns true if this error of send() reports an ICMP error that an earlier packet has caused. */
static bool is_answer(int error)
{
	return error == -ECONNREFUSED || error == -EHOSTUNREACH;
}

/* If send() reports an ICMP error for an earlier packet, it does not send the new packet. The function then sends the
 * new packet again. */
void capture_socket_send(struct capture_socket *capture, const void *packet, size_t length)
{
	int error = capture->fd < 0 ? capture->error : send_once(capture, packet, length);

	if (is_answer(error) && capture->fd >= 0) {
		capture->refused++;
		fail(capture, error);
		error = send_once(capture, packet, length);
	}
	if (error) {
		capture->unsent++;
		fail(capture, error);
	} else {
		capture->sent++;
	}
}

const char *capture_socket_fault(const struct capture_socket *capture, char text[CAPTURE_FAULT_SIZE])
{
	char to[ENDPOINT_TEXT_SIZE];

	if (!capture->error || clock_msec() - capture->failed > FAULT_MSEC)
		return NULL;
	endpoint_format(&capture->to, to);
	if (capture->error == -ECONNREFUSED)
		snprintf(text, CAPTURE_FAULT_SIZE,
			"no program receives packets at udp:%s: is the capture server running?", to);
	else
		snprintf(text, CAPTURE_FAULT_SIZE, "cannot send to udp:%s: %s", to, strerror(-capture->error));
	return text;
}
