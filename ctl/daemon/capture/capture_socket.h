/* SPDX-License-Identifier: GPL-2.0 */
/* The UDP socket to the capture server. It never blocks: a packet that cannot be sent immediately is lost and counted.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "core/net/endpoint.h"

#define CAPTURE_FAULT_SIZE 160

struct capture_socket {
	int fd;             /* -1: none */
	struct endpoint to; /* port 0: none */
	int error;          /* -errno of the last failed attempt to open the socket or to send; 0: none */
	uint64_t failed;    /* time of this failure, ms of CLOCK_MONOTONIC */
	uint64_t sent;
	uint64_t refused; /* packets that caused an ICMP error: no program receives them */
	uint64_t unsent;
};

/* Connects to `to`; port 0 closes the socket. Call it every second and after a change of the configuration. */
void capture_socket_update(struct capture_socket *socket, struct endpoint to);

void capture_socket_close(struct capture_socket *socket);

void capture_socket_send(struct capture_socket *socket, const void *packet, size_t length);

/* Writes the reason why packets are lost now. Returns `text`, or NULL if all packets of the last seconds were sent. */
const char *capture_socket_fault(const struct capture_socket *socket, char text[CAPTURE_FAULT_SIZE]);
