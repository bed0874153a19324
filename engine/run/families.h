/* Families: gathered into one table, and checked before anything of them is used.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_RUN_FAMILIES_H
#define ML_RUN_FAMILIES_H

#include <meterloom/error.h>
#include <meterloom/family.h>

/* A new table: the engine's own family, those given, NULL. It is handed over also on failure (NULL:
 * -ENOMEM), to be freed with free(). -EINVAL, -EEXIST: a family is wrong. */
int ml_families_gather(const struct ml_family *const *families, const struct ml_family ***ret_table,
	struct ml_error *err);

#endif
