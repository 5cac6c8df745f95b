// SPDX-License-Identifier: GPL-2.0
/* TLS with OpenSSL on non-blocking sockets. Each profile has one context. The verified name is `sni:` or, if it is
 * not set, the address of the target. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/epoll.h>
#include "certificates.h"
#include "probe_private.h"

/* The first error in OpenSSL's queue is the cause; later errors are consequences of it. */
static const char *reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_error());

	return text ? text : "unknown error";
}

/* --- setup */

static bool trust(struct prober *prober, SSL_CTX *context)
{
	const struct config_probe *probe = &prober->profile->probe;
	char error[FILE_ERROR_SIZE];

	if (!probe->verify)
		return true;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (!probe->ca && SSL_CTX_set_default_verify_paths(context) == 1)
		return true;
	if (!probe->ca)
		probe_abort(prober, "cannot begin TLS with the system's certificates: %s", reason());
	else if (certificates_load(probe->ca, SSL_CTX_get_cert_store(context), error))
		probe_abort(prober, "cannot begin TLS with %s: %s", probe->ca, error);
	else
		return true;
	return false;
}

/* Returns NULL on failure: the probe has then ended. A server that closes the connection without close_notify has
 * nevertheless responded. */
static SSL_CTX *make_context(struct prober *prober)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context) {
		probe_abort(prober, "cannot begin TLS: %s", reason());
		return NULL;
	}
	SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY); /* one record in a turn of the loop, also of key updates */
	if (trust(prober, context))
		return context;
	SSL_CTX_free(context);
	return NULL;
}

static bool name_peer(SSL *tls, const struct prober *prober)
{
	const struct address *target = &prober->message.target;
	const char *sni = prober->profile->probe.sni;

	if (sni)
		return SSL_set_tlsext_host_name(tls, sni) == 1 && SSL_set1_host(tls, sni) == 1;
	return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(tls),
		       (const unsigned char *)(address_is_ipv4(target) ? &target->word[3] : target->word),
		       address_is_ipv4(target) ? 4 : 16) == 1;
}

SSL *probe_tls_new(struct prober *prober)
{
	struct profile *profile = prober->profile;
	SSL *tls;

	ERR_clear_error();
	if (!profile->tls)
		profile->tls = make_context(prober);
	if (!profile->tls)
		return NULL;
	tls = SSL_new(profile->tls);
	if (tls && name_peer(tls, prober) && SSL_set_fd(tls, prober->fd) == 1)
		return tls;
	SSL_free(tls);
	probe_abort(prober, "cannot begin TLS: %s", reason());
	return NULL;
}

/* --- use */

static ssize_t result_of(SSL *tls, int result, uint32_t *events)
{
	switch (SSL_get_error(tls, result)) {
	case SSL_ERROR_NONE:
		return result;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_READ:
		*events = EPOLLIN;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		*events = EPOLLOUT;
		return -EAGAIN;
	case SSL_ERROR_SYSCALL:
		return -errno; /* 0: the peer has closed the connection */
	default:
		return -EPROTO;
	}
}

/* SSL_get_error() reads errno and the error queue, so both must be empty before a call. */
static void clear_errors(void)
{
	ERR_clear_error();
	errno = 0;
}

ssize_t probe_tls_connect(SSL *tls, uint32_t *events)
{
	clear_errors();
	return result_of(tls, SSL_connect(tls), events);
}

ssize_t probe_tls_read(SSL *tls, char *buffer, size_t size, uint32_t *events)
{
	clear_errors();
	return result_of(tls, SSL_read(tls, buffer, size), events);
}

ssize_t probe_tls_write(SSL *tls, const char *buffer, size_t size, uint32_t *events)
{
	clear_errors();
	return result_of(tls, SSL_write(tls, buffer, size), events);
}

void probe_tls_fail(struct prober *prober, SSL *tls)
{
	long verdict = SSL_get_verify_result(tls);

	if (verdict != X509_V_OK && prober->profile->probe.verify)
		probe_fail(prober, "certificate: %s", X509_verify_cert_error_string(verdict));
	else
		probe_fail(prober, "TLS: %s", reason());
}

void probe_tls_free(SSL *tls)
{
	if (tls && SSL_is_init_finished(tls))
		SSL_shutdown(tls);
	SSL_free(tls);
}
