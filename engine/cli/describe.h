/* Declarations in words: for the terminal and for the reference.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_CLI_DESCRIBE_H
#define ML_CLI_DESCRIBE_H

#include <meterloom/family.h>

enum { DESCRIBE_MAX = 512 };

/* "integer, 300 to 38400 Bd", "one of: none, even". Returns out. */
const char *describe_kind(const struct ml_param *param, char out[DESCRIBE_MAX]);

/* "2400", "required", "setting `smtp.server`", "none". Returns out. */
const char *describe_default(const struct ml_param *param, char out[DESCRIBE_MAX]);

/* Calls `each` for all classes of a category in the order of their types; NULL: of all that are in
 * none of the known ones. */
void describe_classes(const struct ml_family *const *families, const char *category,
	void (*each)(void *user, const struct ml_node_class *class), void *user);

/* In the order of the way through a graph; ended by {NULL}. */
struct describe_category {
	const char *name, *title;
};
extern const struct describe_category describe_categories[];

/* The reference of all that is declared, as Markdown. */
void reference_write(const struct ml_family *const *families, struct ml_buffer *out);

#endif
