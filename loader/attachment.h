/* SPDX-License-Identifier: GPL-2.0 */
/* The list of attachments (program and interface), read from the pins. */
#pragma once

#include "interface.h"
#include "pins.h"

enum attachment_state {
	ATTACHMENT_LIVE,
	ATTACHMENT_GONE,      /* the interface no longer exists, or another process has detached the program */
	ATTACHMENT_ELSEWHERE, /* on an interface in a different network namespace */
};

struct attachment {
	char pin[IFNAMSIZ];  /* the name of the interface when it was attached */
	char name[IFNAMSIZ]; /* its current name, if it is live */
	enum attachment_state state;
	bool dispatched;     /* libxdp's dispatcher calls the program: `fd` is the program, not the link */
	int fd;              /* link, or program if dispatched */
	int ifindex;         /* 0 when gone */
	uint32_t program_id; /* our program on the interface */
	uint32_t link_id;    /* 0 when dispatched */
	enum mode mode;      /* only if live */
};

struct attachments {
	struct attachment *list;
	size_t count;
};

int attachments_read(const struct pins *pins, struct attachments *out);

/* Finds the attachment of an interface by its current or its former name; NULL if there is none. */
struct attachment *attachments_find(const struct attachments *attachments, const char *name);

/* The number of attachments that are not gone. */
size_t attachments_running(const struct attachments *attachments);

/* Replaces the program of the link. The next packet is processed by the new program. */
int attachment_replace(const struct attachment *attachment, int program);

/* Detaches the program from the interface and removes the pin. */
int attachment_remove(struct pins *pins, struct attachment *attachment);

/* Freeing a zeroed struct attachments does nothing. */
void attachments_free(struct attachments *attachments);
