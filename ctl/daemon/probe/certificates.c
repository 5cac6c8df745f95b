// SPDX-License-Identifier: GPL-2.0
/* See certificates.h. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include "certificates.h"

#define CERTIFICATES_MAX (16 << 20) /* size limit of a file */

static int refuse(char error[FILE_ERROR_SIZE], const char *text)
{
	snprintf(error, FILE_ERROR_SIZE, "%s", text);
	ERR_clear_error();
	return -EINVAL;
}

static int add(const STACK_OF(X509_INFO) * list, X509_STORE *store, char error[FILE_ERROR_SIZE])
{
	size_t count = 0;

	for (int i = 0; i < sk_X509_INFO_num(list); i++) {
		const X509_INFO *info = sk_X509_INFO_value(list, i);

		count += info->x509 != NULL;
		if (info->x509 && !X509_STORE_add_cert(store, info->x509))
			return refuse(error, "it contains an unusable certificate");
		if (info->crl && !X509_STORE_add_crl(store, info->crl))
			return refuse(error, "it contains an unusable revocation list");
	}
	return count ? 0 : refuse(error, "it contains no certificate (PEM)");
}

int certificates_load(const char *path, X509_STORE *store, char error[FILE_ERROR_SIZE])
{
	STACK_OF(X509_INFO) *list = NULL;
	char *text;
	size_t length;
	BIO *bio;
	int result = file_read(path, FILE_REGULAR, CERTIFICATES_MAX, &text, &length, error);

	if (result)
		return result;
	bio = BIO_new_mem_buf(text, length);
	if (bio)
		list = PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL);
	result = list ? add(list, store, error) : refuse(error, "cannot read its certificates (damaged PEM)");
	sk_X509_INFO_pop_free(list, X509_INFO_free);
	BIO_free(bio);
	free(text);
	return result;
}

/* The certificate file for the probe of a pool; NULL: the probe has none. */
static const char *file_of(const struct config_pool *pool)
{
	return pool->probe.verify ? pool->probe.ca : NULL;
}

/* Does an earlier pool use the same file? Each file is reported only once. */
static bool is_known(const struct config *config, size_t pool)
{
	const char *path = file_of(&config->pools[pool]), *other;

	for (size_t i = 0; i < pool; i++) {
		other = file_of(&config->pools[i]);
		if (other && !strcmp(other, path))
			return true;
	}
	return false;
}

static bool check(const struct config_pool *pool, struct faults *faults)
{
	X509_STORE *store = X509_STORE_new();
	char error[FILE_ERROR_SIZE];
	int result = store ? certificates_load(file_of(pool), store, error) : refuse(error, "out of memory");

	X509_STORE_free(store);
	if (result)
		faults_add(faults, pool->probe.ca_position, "'ca' of the probe of pool %s: %s: %s", pool->name,
			file_of(pool), error);
	return !result;
}

struct config *certificates_check(struct config *config, struct faults *faults)
{
	bool right = true;

	for (size_t i = 0; config && i < config->pool_count; i++)
		if (file_of(&config->pools[i]) && !is_known(config, i))
			right &= check(&config->pools[i], faults);
	if (right)
		return config;
	faults_sort(faults);
	config_free(config);
	return NULL;
}
