// SPDX-License-Identifier: GPL-2.0
/* See observe.h. A connection waits, suspended, while the worker renders its page. All requests for a page that arrive
 * in the meantime, and shortly afterwards, receive the same text: with any number of clients, the daemon renders each
 * page at most a few times a second, and slow readers share the memory of the text. */
#include <string.h>
#include <sys/queue.h>
#include "core/base/memory.h"
#include "ctl/maps/clock.h"
#include "ctl/daemon/http/http_server.h"
#include "ctl/daemon/http/listening.h"
#include "observe_private.h"

#define REQUEST_TIME 10000 /* ms from the connection to the end of the response */
#define MEMORY_MAX                                                                                                     \
	((size_t)192 << 20) /* bytes of all texts that clients are reading; then only pages rendered at once, which    \
			       are small, are served */
#define POLICY_NOTHING "default-src 'none'" /* pages of text or JSON load no other resources */

struct waiting {
	TAILQ_ENTRY(waiting) entry;
	struct MHD_Connection *connection;
	bool refused; /* the listener is being closed */
};

/* The latest rendering of a path in one format. */
struct page {
	struct observe *observe;
	const struct observe_path *path;
	enum observe_format format;
	struct observe_page rendered;
	struct MHD_Response *response; /* NULL: none yet, or too old */
	unsigned int status;
	uint64_t finished; /* ms */
	bool queued;       /* the worker renders it */
	TAILQ_HEAD(, waiting) waiting;
};

struct observe {
	struct daemon *daemon;
	struct listening listening;
	struct http_server *server; /* NULL: not listening */
	bool closing;               /* no further request may be suspended */
	size_t bytes;               /* of all texts that the library still holds */
	struct page *pages;
	size_t page_count;
	struct observe_history *history;
};

/* A text that the library holds. */
struct text {
	struct observe *observe;
	size_t length;
	char *bytes;
};

/* --- responses */

static void on_text_free(void *data)
{
	struct text *text = data;

	text->observe->bytes -= text->length;
	free(text->bytes);
	free(text);
}

/* Takes ownership of the text of the page. */
static struct MHD_Response *make_response(struct observe *observe, const struct observe_page *page)
{
	struct text *text = allocate(1, sizeof(*text));
	struct MHD_Response *response;

	*text = (struct text){observe, page->length, page->text};
	observe->bytes += page->length;
	response = MHD_create_response_from_buffer_with_free_callback_cls(page->length, page->text, on_text_free, text);
	if (!response) {
		on_text_free(text);
		return NULL;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page->type);
	MHD_add_response_header(response, "Content-Security-Policy", page->policy ? page->policy : POLICY_NOTHING);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	return response;
}

static enum MHD_Result refuse(
	struct observe *observe, struct MHD_Connection *connection, unsigned int status, const char *text)
{
	struct observe_page page = {0};
	struct MHD_Response *response;
	enum MHD_Result result;

	observe_put_text(&page, status, "%s\n", text);
	response = make_response(observe, &page);
	if (!response)
		return MHD_NO;
	if (status == 405)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result send_page(struct page *page, struct MHD_Connection *connection)
{
	return page->response ? MHD_queue_response(connection, page->status, page->response) : MHD_NO;
}

/* --- rendering */

static void drop_response(struct page *page)
{
	if (page->response)
		MHD_destroy_response(page->response);
	page->response = NULL;
}

static void render(void *data)
{
	struct page *page = data;

	page->rendered = (struct observe_page){.status = 200};
	page->path->render(page->observe->daemon, page->format, &page->rendered);
}

/* Answers every connection that waits for the page. */
static void resume_waiting(struct page *page, bool refused)
{
	struct waiting *waiting;

	while ((waiting = TAILQ_FIRST(&page->waiting))) {
		TAILQ_REMOVE(&page->waiting, waiting, entry);
		waiting->refused = refused;
		http_server_resume(page->observe->server, waiting->connection);
	}
}

static void finish(void *data)
{
	struct page *page = data;

	drop_response(page);
	if (page->rendered.text)
		page->response = make_response(page->observe, &page->rendered);
	page->status = page->rendered.status;
	page->rendered.text = NULL;
	page->finished = clock_msec();
	page->queued = false;
	resume_waiting(page, false);
}

static bool is_fresh(const struct page *page)
{
	return page->response && clock_msec() - page->finished < OBSERVE_FRESH;
}

/* --- requests */

static struct page *find_page(struct observe *observe, const char *path, enum observe_format format)
{
	for (size_t i = 0; i < observe->page_count; i++)
		if (observe->pages[i].format == format && !strcmp(observe->pages[i].path->path, path))
			return &observe->pages[i];
	return NULL;
}

static enum observe_format format_of(struct MHD_Connection *connection)
{
	const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);

	return accept && strstr(accept, "application/openmetrics-text") ? OBSERVE_OPENMETRICS : OBSERVE_USUAL;
}

/* Sends the page, or suspends the connection until the worker has rendered it. */
static enum MHD_Result answer(struct page *page, struct MHD_Connection *connection, void **state)
{
	struct observe *observe = page->observe;
	struct waiting *waiting;

	if (observe->closing)
		return MHD_NO;
	if (is_fresh(page))
		return send_page(page, connection);
	if (page->path->at_once) {
		render(page);
		finish(page);
		return send_page(page, connection);
	}
	if (observe->bytes > MEMORY_MAX)
		return refuse(observe, connection, 503, "too many clients read slowly: try again");
	waiting = allocate(1, sizeof(*waiting));
	waiting->connection = connection;
	*state = waiting;
	TAILQ_INSERT_TAIL(&page->waiting, waiting, entry);
	MHD_suspend_connection(connection);
	if (!page->queued)
		worker_add(observe->daemon->worker, render, finish, page);
	page->queued = true;
	return MHD_YES;
}

/* Called once the headers are complete, and again when the connection resumes. A body is not read. */
static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *path, const char *method,
	const char *version, const char *piece, size_t *piece_length, void **state)
{
	struct observe *observe = data;
	struct waiting *waiting = *state;
	struct page *page = find_page(observe, http_server_path(path), format_of(connection));

	(void)version, (void)piece, (void)piece_length;
	if (waiting)
		return waiting->refused || !page ? MHD_NO : send_page(page, connection);
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return refuse(observe, connection, 405, "only GET and HEAD are accepted");
	if (!page)
		return refuse(
			observe, connection, 404, "not found: see /, /metrics, /healthz, /readyz and /api/v1/status");
	return answer(page, connection, state);
}

static void on_completed(
	void *data, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
	(void)data, (void)connection, (void)code;
	free(*state);
	*state = NULL;
}

/* --- listening */

static const struct http_service service = {
	.request_time = REQUEST_TIME,
	.on_request = on_request,
	.on_completed = on_completed,
};

static int begin_listening(void *data, struct endpoint where)
{
	struct observe *observe = data;

	return http_server_new(&observe->server, observe->daemon->event, where, &service, observe);
}

/* To resume a connection, libmicrohttpd also reads requests of other connections. It ends the process if one of
 * those is suspended when it stops. */
static void end_listening(void *data)
{
	struct observe *observe = data;

	observe->closing = true;
	for (size_t i = 0; observe->server && i < observe->page_count; i++)
		resume_waiting(&observe->pages[i], true);
	http_server_free(observe->server);
	observe->server = NULL;
	observe->closing = false;
}

void observe_update(struct observe *observe)
{
	for (size_t i = 0; i < observe->page_count; i++)
		if (!is_fresh(&observe->pages[i]))
			drop_response(&observe->pages[i]);
	listening_update(&observe->listening, observe->daemon->farm->config->metrics.listen);
}

const char *observe_fault(const struct observe *observe)
{
	return listening_fault(&observe->listening);
}

/* --- history */

void observe_sample(struct observe *observe)
{
	observe_history_update(observe->history, observe->daemon);
}

struct observe_history *observe_history_of(const struct observe *observe)
{
	return observe->history;
}

/* --- setup and cleanup */

struct observe *observe_new(struct daemon *daemon)
{
	struct observe *observe = allocate(1, sizeof(*observe));

	*observe = (struct observe){.daemon = daemon, .history = observe_history_new()};
	observe->listening =
		(struct listening){.key = "metrics", .open = begin_listening, .close = end_listening, .data = observe};
	for (const struct observe_path *path = observe_paths; path->path; path++)
		for (enum observe_format format = 0; format < OBSERVE_FORMATS; format++) {
			struct page *page;

			observe->pages = array_grow(observe->pages, observe->page_count, sizeof(*observe->pages));
			page = &observe->pages[observe->page_count++];
			*page = (struct page){.observe = observe, .path = path, .format = format};
		}
	for (size_t i = 0; i < observe->page_count; i++)
		TAILQ_INIT(&observe->pages[i].waiting);
	return observe;
}

void observe_free(struct observe *observe)
{
	if (!observe)
		return;
	listening_end(&observe->listening);
	for (size_t i = 0; i < observe->page_count; i++) {
		drop_response(&observe->pages[i]);
		free(observe->pages[i].rendered.text); /* of a job that the worker has discarded */
	}
	free(observe->pages);
	observe_history_free(observe->history);
	free(observe);
}
