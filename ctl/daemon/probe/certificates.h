/* SPDX-License-Identifier: GPL-2.0 */
/* Certificate files named by `ca:` (PEM, RFC 7468): loads them for probes, and checks them before a
 * configuration is accepted. */
#pragma once

#include <openssl/x509.h>
#include "core/config/config.h"
#include "ctl/daemon/file.h"

/* Adds the certificates and revocation lists of a file to a store. 0, or -errno with the reason in `error`. */
int certificates_load(const char *path, X509_STORE *store, char error[FILE_ERROR_SIZE]);

/* Checks all certificate files of the probes, and adds an error for each unusable file. Returns the configuration.
 * After an error, frees the configuration and returns NULL. Accepts NULL. */
struct config *certificates_check(struct config *config, struct faults *faults);
