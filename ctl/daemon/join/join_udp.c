// SPDX-License-Identifier: GPL-2.0
/* The UDP socket of `join:`: SIP OPTIONS with a heartbeat. A turn of the loop handles a limited number
 * of datagrams, so that a flood does not block the daemon. Datagrams that the kernel dropped meanwhile are counted. */
#include <errno.h>
#include <linux/sock_diag.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include "core/base/memory.h"
#include "join_private.h"

#define DATAGRAMS_AT_ONCE 64 /* after these, the loop handles its other events */
#define RECEIVE_BUFFER (4 << 20)

struct join_udp {
	int fd;
	sd_event_source *io;
	struct join_listener *listener;
	uint32_t drops; /* of the socket, when they were last read */
};

static struct join_answer take(struct join_udp *udp, const struct join_request *request, unsigned int status,
	const char *text, struct endpoint peer)
{
	struct join_answer answer = {.status = status};

	if (status == 200)
		return join_listener_handle(udp->listener, request, peer);
	snprintf(answer.text, sizeof(answer.text), "%s", text);
	join_listener_log_refusal(udp->listener, &answer, peer);
	return answer;
}

static void answer_to(struct join_udp *udp, struct span message, struct endpoint peer)
{
	char out[JOIN_SIP_ANSWER_SIZE];
	struct join_request request;
	struct join_answer answer;
	union socket_name name;
	const char *text = "";
	unsigned int status = join_sip_read(message, &request, &text);
	uint64_t tag = 0;
	socklen_t size;
	size_t length;

	if (!status)
		return;
	answer = take(udp, &request, status, text, peer);
	if (getrandom(&tag, sizeof(tag), GRND_NONBLOCK) < 0)
		return;
	length = join_sip_answer(message, &answer, tag, &peer, out);
	size = endpoint_name(peer, &name);
	/* Errors are ignored, because a server repeats its request if the response is lost. */
	(void)!sendto(udp->fd, out, length, 0, &name.any, size);
}

/* The response would need the complete message. */
static void refuse_long(struct join_udp *udp, struct endpoint peer)
{
	static const struct join_answer answer = {.status = 413, .text = "a datagram may have at most 4096 bytes"};

	join_listener_log_refusal(udp->listener, &answer, peer);
}

/* The kernel also counts datagrams with a wrong checksum as drops. Only if the buffer is (nearly) full, the drops may
 * have been heartbeats. */
static void count_drops(struct join_udp *udp)
{
	uint32_t memory[SK_MEMINFO_VARS] = {0}, drops;
	socklen_t size = sizeof(memory);

	if (getsockopt(udp->fd, SOL_SOCKET, SO_MEMINFO, memory, &size) < 0)
		return;
	drops = memory[SK_MEMINFO_DROPS] - udp->drops;
	udp->drops = memory[SK_MEMINFO_DROPS];
	if (drops && memory[SK_MEMINFO_RMEM_ALLOC] >= memory[SK_MEMINFO_RCVBUF] / 2)
		join_listener_count_lost(udp->listener, JOIN_LOST_DATAGRAMS, drops);
}

static int on_datagram(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct join_udp *udp = data;
	char buffer[JOIN_REQUEST_MAX];
	union socket_name name;

	(void)source, (void)events;
	count_drops(udp);
	for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
		socklen_t size = sizeof(name);
		ssize_t length = recvfrom(fd, buffer, sizeof(buffer), MSG_TRUNC, &name.any, &size);
		struct endpoint peer;

		if (length < 0)
			break;
		peer = endpoint_of(&name.any);
		if (!length || join_listener_classify(udp->listener, peer) == JOIN_OUTSIDER)
			continue;
		if (length <= (ssize_t)sizeof(buffer))
			answer_to(udp, (struct span){buffer, buffer + length}, peer);
		else
			refuse_long(udp, peer);
	}
	return 0;
}

/* Makes room for datagrams that arrive while the daemon is busy. */
static void enlarge(int fd)
{
	int size = RECEIVE_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

int join_udp_new(struct join_udp **out, sd_event *event, struct endpoint where, struct join_listener *listener)
{
	int fd = endpoint_socket(where, SOCK_DGRAM), error;
	struct join_udp *udp;

	if (fd < 0)
		return fd;
	enlarge(fd);
	udp = allocate(1, sizeof(*udp));
	*udp = (struct join_udp){.fd = fd, .listener = listener};
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
