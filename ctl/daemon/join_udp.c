// SPDX-License-Identifier: GPL-2.0
/* The UDP socket of `join:`: SIP OPTIONS with a heartbeat. One datagram a turn of the
 * loop, so that a flood of them holds nothing else up. */
#include <errno.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../core/memory.h"
#include "join_private.h"

struct join_udp {
	int fd;
	sd_event_source *io;
	struct joining *joining;
};

static struct join_answer take(struct join_udp *udp, const struct join_request *request, unsigned int status,
	const char *text, struct join_peer peer)
{
	struct join_answer answer = {.status = status};

	if (status == 200)
		return joining_take(udp->joining, request, peer);
	snprintf(answer.text, sizeof(answer.text), "%s", text);
	joining_refused(udp->joining, &answer, peer);
	return answer;
}

static int on_datagram(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct join_udp *udp = data;
	char buffer[JOIN_REQUEST_MAX], out[JOIN_SIP_ANSWER_SIZE];
	union join_name name;
	socklen_t size = sizeof(name);
	ssize_t length = recvfrom(fd, buffer, sizeof(buffer), MSG_TRUNC, &name.any, &size);
	struct span message = {buffer, buffer + length};
	struct join_request request;
	struct join_answer answer;
	struct join_peer peer;
	const char *text = "";
	unsigned int status;
	uint64_t tag = 0;

	(void)source, (void)events;
	if (length <= 0 || length > (ssize_t)sizeof(buffer))
		return 0;
	status = join_sip_read(message, &request, &text);
	if (!status)
		return 0;
	peer = join_peer_of(&name.any);
	answer = take(udp, &request, status, text, peer);
	if (getrandom(&tag, sizeof(tag), GRND_NONBLOCK) < 0)
		return 0;
	length = join_sip_answer(message, &answer, tag, &peer, out);
	size = join_name_of(peer, &name);
	/* What is lost on the way is for the server to say again. */
	(void)!sendto(fd, out, length, 0, &name.any, size);
	return 0;
}

int join_udp_new(struct join_udp **out, sd_event *event, struct join_peer where, struct joining *joining)
{
	int fd = join_socket(where, SOCK_DGRAM), error;
	struct join_udp *udp;

	if (fd < 0)
		return fd;
	udp = allocate(1, sizeof(*udp));
	*udp = (struct join_udp){.fd = fd, .joining = joining};
	error = sd_event_add_io(event, &udp->io, fd, EPOLLIN, on_datagram, udp);
	if (error < 0) {
		join_udp_free(udp);
		return error;
	}
	*out = udp;
	return 0;
}

void join_udp_free(struct join_udp *udp)
{
	if (!udp)
		return;
	sd_event_source_disable_unref(udp->io);
	close(udp->fd);
	free(udp);
}
