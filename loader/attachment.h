/* SPDX-License-Identifier: GPL-2.0 */
/* What is attached, as the pins tell. */
#pragma once

#include "interface.h"
#include "pins.h"

enum attachment_state {
	ATTACHMENT_LIVE,
	ATTACHMENT_GONE,      /* the interface went away, or somebody else detached us */
	ATTACHMENT_ELSEWHERE, /* on an interface of another network namespace */
};

struct attachment {
	char pin[IFNAMSIZ];  /* the interface's name when it was attached */
	char name[IFNAMSIZ]; /* ... and now, where it is live */
	enum attachment_state state;
	bool dispatched;     /* called by libxdp's dispatcher: `fd` is the program */
	int fd;              /* else the link */
	int ifindex;         /* 0 when gone */
	uint32_t program_id; /* what is on the interface because of us */
	uint32_t link_id;    /* 0 when dispatched */
	enum mode mode;      /* of a live one */
};

struct attachments {
	struct attachment *list;
	size_t count;
};

int attachments_read(const struct pins *pins, struct attachments *out);

/* The one of this interface, by its name now or then; NULL if there is none. */
struct attachment *attachments_find(const struct attachments *attachments, const char *name);

/* How many are not gone. */
size_t attachments_running(const struct attachments *attachments);

/* Has its link call another program from the next packet on. */
int attachment_replace(const struct attachment *attachment, int program);

/* Takes the program off the interface and removes the pin. */
int attachment_remove(struct pins *pins, struct attachment *attachment);

/* Freeing a zeroed struct attachments does nothing. */
void attachments_free(struct attachments *attachments);
