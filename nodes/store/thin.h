/* Thinning: readouts of one series, as many as there are, into at most so many points.
 * SPDX-License-Identifier: Apache-2.0
 *
 * While there are no more readouts than points each stays as it is. Beyond, those of equal spans of
 * time become one bucket: how many, the smallest, the largest, the first and the last. A readout
 * without a value is counted as such and never made up for.
 *
 * Pure, but for its memory, which the number of points bounds.
 */
#ifndef STORE_THIN_H
#define STORE_THIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/decimal.h>
#include <meterloom/error.h>

enum { STORE_THIN_TEXT_MAX = 544 }; /* with the NUL; longer ones are cut */

enum store_thin_kind {
	STORE_THIN_NUMBER,
	STORE_THIN_TEXT,   /* a date, a text, bytes: as a person reads it */
	STORE_THIN_NONE,   /* the meter said it had no value */
	STORE_THIN_FAILED, /* the readout failed */
};

struct store_thin_readout {
	ml_time time;
	enum store_thin_kind kind;
	struct ml_decimal number;
	const char *text; /* NUL-terminated */
	uint32_t source;  /* which device it came from: a bucket is of one */
};

/* One readout, or a bucket of several. */
struct store_thin_point {
	ml_time from, to;                         /* of its first readout and its last */
	uint64_t numbers, texts, nones, failures; /* how many readouts of each kind */
	struct ml_decimal min, max, first, last;  /* of the numbers */
	char *text;                               /* of a single one; NULL: it is none */
	uint32_t source;
};

struct store_thin;

/* Readouts of the times `from` to `to` come to at most `points` points, and one more for each
 * change of the source. NULL: out of memory. */
struct store_thin *store_thin_new(ml_time from, ml_time to, size_t points);
void store_thin_free(struct store_thin *thin); /* accepts NULL */

/* As if it had taken nothing. */
void store_thin_clear(struct store_thin *thin);

/* Takes the next readout, in the order of time. -ENOMEM. */
int store_thin_add(struct store_thin *thin, const struct store_thin_readout *readout);

/* Whether a text would still be looked at: beyond as many readouts as points it is only counted. */
bool store_thin_wants_text(const struct store_thin *thin);

/* All of them; valid until the next call. `thinned`: they are buckets. */
const struct store_thin_point *store_thin_points(
	const struct store_thin *thin, size_t *ret_count, bool *thinned);

#endif
