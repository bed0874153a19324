/* Errors: what went wrong, where, and what to do next.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A function that can fail returns 0 or a negative errno value and takes, last, a `struct ml_error
 * *` that may be NULL. The error is set once, by the function that found it: ml_error_set() on an
 * error that is already set changes nothing, so that the first cause is what a person reads.
 *
 * Library code reports errors as values and never logs; programs and the engine log them.
 * Thread-safety: an error belongs to its caller; nothing here is shared.
 */
#ifndef METERLOOM_ERROR_H
#define METERLOOM_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__GNUC__)
#define ML_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define ML_PRINTF(text, first)
#endif

enum {
	ML_ERROR_TEXT_MAX = 256, /* bytes, with the NUL; longer texts are cut at a UTF-8 border */
	ML_ERROR_POINTER_MAX = 192, /* bytes, with the NUL */
};

struct ml_error {
	int code;                           /* negative errno; 0: no error */
	int line, column;                   /* from 1; 0: not known */
	long long at;                       /* byte offset in the input; -1: not known */
	char pointer[ML_ERROR_POINTER_MAX]; /* JSON pointer (RFC 6901) to the place; "" is the root
					     */
	char text[ML_ERROR_TEXT_MAX];       /* what was found and what was expected, English */
};

#define ML_ERROR_NONE ((struct ml_error){.at = -1})

/* Sets *err, unless err is NULL or already set. Returns code, so that one can write
 * `return ml_error_set(err, -EINVAL, "baud %d: expected 300 to 38400", baud);` */
int ml_error_set(struct ml_error *err, int code, const char *format, ...) ML_PRINTF(3, 4);

/* The same with the byte offset where the input is wrong. */
int ml_error_set_at(struct ml_error *err, int code, long long at, const char *format, ...)
	ML_PRINTF(4, 5);

/* The same with the JSON pointer of the wrong value. */
int ml_error_set_pointer(struct ml_error *err, int code, const char *pointer, const char *format,
	...) ML_PRINTF(4, 5);

/* Puts `prefix: ` before the text of an error that is set. */
void ml_error_prefix(struct ml_error *err, const char *format, ...) ML_PRINTF(2, 3);

/* A list of errors, for checks that report all at once. Bounded: after `max` errors further ones
 * are only counted. */
struct ml_errors {
	struct ml_error *items; /* owned */
	size_t count;           /* in items */
	size_t more;            /* found beyond ML_ERRORS_MAX */
	size_t capacity;
};

enum { ML_ERRORS_MAX = 200 };

/* Appends a copy. Out of memory counts into `more`. */
void ml_errors_add(struct ml_errors *list, const struct ml_error *err);
void ml_errors_addf(struct ml_errors *list, int code, const char *pointer, const char *format, ...)
	ML_PRINTF(4, 5);
void ml_errors_free(struct ml_errors *list);

#endif
