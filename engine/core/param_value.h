/* One parameter's value: checked and put into its field.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_CORE_PARAM_VALUE_H
#define ML_CORE_PARAM_VALUE_H

#include <meterloom/param.h>

enum { PARAM_STRING_MAX = 4096, PARAM_SECRET_NAME_MAX = 64, PARAM_SHOWN_MAX = 52 };

struct param_value {
	const struct ml_param *param;
	const json_t *value;
	const char *pointer; /* of the value, for errors */
	const char *place;   /* said before the text of errors: "setting 'x': "; "" for none */
	/* The text that holds the value at `pointer` below `base`, for decimals; NULL: none. */
	const char *text;
	size_t length;
	const char *base;
	struct ml_errors *errors;
};

/* Checks the value and fills *field; field NULL: only checks. 0, -EINVAL, -ENOMEM. */
int param_value_read(const struct param_value *in, void *field);

/* Frees what the field holds and sets it to 0. */
void param_value_free(const struct ml_param *param, void *field);

/* A text as errors show it: no control characters, cut at a UTF-8 border. Returns out. */
const char *param_shown(const char *text, char out[PARAM_SHOWN_MAX]);

/* Required, without a default, and no setting it can be taken from. */
bool param_must_be_given(const struct ml_param *param);

size_t param_field_size(enum ml_param_kind kind);

/* Microseconds of "ms", "s", "min", "h", "d"; NULL: of a second. */
int64_t param_unit_time(const char *unit);

/* The bounds that hold, the engine's own where the table has none. Returns whether there are any.
 */
bool param_bounds(const struct ml_param *param, int64_t *min, int64_t *max);

#endif
