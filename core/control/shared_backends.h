/* SPDX-License-Identifier: GPL-2.0 */
/* How the backends of a farm differ from its file: changes by operators, and servers that have joined. The members of a
 * group have the same differences (docs/design/group.md). Writes and reads them as JSON. No I/O. Input is untrusted. */
#pragma once

#include <jansson.h>
#include "core/base/messages.h"
#include "core/farm/farm.h"

/* A list with an object for each backend that differs from the file. */
json_t *shared_backends_write(const struct farm *farm);

/* Makes the differences equal to those in the list. A server that is not in the list stays if it sends its requests to
 * this balancer (joined_here): it has reached no other one. Appends to `errors` why a backend could not be changed: the
 * files differ. Returns true if the farm has changed. */
bool shared_backends_take(struct farm *farm, const struct image *running, const json_t *list, struct messages *errors);
