/* SPDX-License-Identifier: GPL-2.0 */
/* Reads whether the kernel forwards packets. */
#pragma once

#include <stdbool.h>

/* Does the kernel forward packets of this family that arrive on the interface? Also true if the kernel does not say. */
bool forwarding_is_on(const char *interface, bool ipv6);
