/* SPDX-License-Identifier: GPL-2.0 */
/* Files of certificates that `ca:` names (PEM, RFC 7468): reads them for probes, and checks them
 * before a configuration is taken. */
#pragma once

#include <openssl/x509.h>
#include "core/config/config.h"
#include "ctl/daemon/file.h"

/* Adds the certificates and revocation lists of a file to a store. 0 or -errno, with a sentence
 * that says what is wrong. */
int certificates_load(const char *path, X509_STORE *store, char error[FILE_ERROR_SIZE]);

/* Adds a fault for each file that probes of the configuration would need and cannot use. Returns
 * the configuration; NULL, and it is freed, if there is such a fault. Takes NULL. */
struct config *certificates_check(struct config *config, struct faults *faults);
