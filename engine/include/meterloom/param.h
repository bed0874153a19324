/* Parameter tables: declared once, used for validation with located errors, the JSON Schema, the
 * editor's form, the help and the documentation.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A table is an array of `struct ml_param`, ended by one whose name is NULL. Node classes,
 * commands, actions and settings have one. ml_params_parse() checks a JSON object against it and
 * fills a struct.
 */
#ifndef METERLOOM_PARAM_H
#define METERLOOM_PARAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/clock.h>
#include <meterloom/decimal.h>
#include <meterloom/error.h>
#include <meterloom/json.h>

enum ml_param_kind {
	/* kind                   JSON                      field in the struct         */
	ML_PARAM_BOOL,     /*     true, false               bool                        */
	ML_PARAM_INTEGER,  /*     5                         int64_t                     */
	ML_PARAM_DECIMAL,  /*     0.001                     struct ml_decimal           */
	ML_PARAM_DURATION, /*     500 (in `unit`)           ml_time                     */
	ML_PARAM_STRING,   /*     "text"                    char *                      */
	ML_PARAM_TEXT,     /*     "many\nlines"             char *; shown with room     */
	ML_PARAM_SCRIPT,   /*     "-- Lua"                  char *; in a code editor    */
	ML_PARAM_CHOICE,   /*     "even"                    int: the row's `value`      */
	ML_PARAM_SECRET,   /*     {"secret": "name"}        char *: the secret's name   */
	ML_PARAM_STRINGS,  /*     ["a", "b"]                struct ml_strings           */
	ML_PARAM_INTEGERS, /*     [300, 2400]               struct ml_integers          */
	ML_PARAM_TIME,     /*     "2026-01-31T14:15:00Z"    ml_time, wall               */
	ML_PARAM_JSON,     /*     anything                  json_t * (a reference)      */
};

struct ml_strings {
	char **items; /* owned */
	size_t count;
};

struct ml_integers {
	int64_t *items; /* owned */
	size_t count;
};

struct ml_choice {
	const char *name; /* NULL ends the table */
	int value;
	const char *help; /* may be NULL */
};

enum {
	ML_PARAM_REQUIRED = 1 << 0, /* no default: must be given */
	ML_PARAM_NULLABLE = 1 << 1, /* may be null, and without a default left out: see below */
	ML_PARAM_ADVANCED = 1 << 2, /* the editor shows it on demand */
	ML_PARAM_INHERIT = 1 << 3,  /* left out: the setting named by `setting` holds */
};

struct ml_param {
	const char *name; /* snake_case: "response_timeout" */
	enum ml_param_kind kind;
	size_t offset;       /* of the field in the struct */
	const char *title;   /* short, English */
	const char *help;    /* one or more sentences, English */
	const char *unit;    /* "ms", "Bd"; NULL: none. DURATION: ms, s (also NULL), min, h or d */
	const char *preset;  /* the default as JSON text: "2400", "\"even\""; NULL: none */
	const char *setting; /* with ML_PARAM_INHERIT */
	const struct ml_choice *choices; /* with ML_PARAM_CHOICE */
	/* Numbers: in `unit`; strings: bytes; lists: items. 0, 0: no bound but the engine's own
	 * (strings 4096, texts and scripts 256 KiB, lists 1000, durations 0 to a hundred years). A
	 * min above max: no upper bound but that. */
	int64_t min, max;
	unsigned flags;
	/* A check of its own after those above, e.g. of a schedule's grammar; sets err->at within a
	 * string where it can. NULL: none. Any thread. */
	int (*check)(const json_t *value, struct ml_error *err);
};

/* The setting a parameter inherits, as JSON (a borrowed reference), or NULL where there is none. */
typedef const json_t *(*ml_param_inherit_fn)(void *user, const char *setting);

struct ml_params_source {
	const char *pointer; /* JSON pointer of the object itself: "/nodes/3/params" */
	const char *text;    /* the document it came from, for the text of decimals; or NULL */
	size_t length;
	/* Where `text` is only a part of the document: the JSON pointer of that part. Looking up
	 * decimals then takes no walk through the whole. Errors get no line and column. NULL:
	 * `text` is all. */
	const char *base;
	ml_param_inherit_fn inherit; /* may be NULL */
	void *inherit_user;
};

/* Checks `object` (NULL counts as {}) and fills *target, whose fields the table names. What is left
 * out and has no default is 0 or empty; a time is ML_TIME_NONE, since 0 is one. All errors
 * are added to `errors`: unknown keys, wrong types, ranges, choices (with the nearest name as a
 * hint), each with its pointer, and with line and column where `source` has the text. `table` NULL:
 * there are no parameters. `source` NULL: pointers begin at the object, nothing is inherited.
 * Returns 0, or -EINVAL or -ENOMEM with *target empty (nothing to free). target NULL: only
 * checks. */
int ml_params_parse(const struct ml_param *table, const json_t *object,
	const struct ml_params_source *source, void *target, struct ml_errors *errors);

/* Checks one value as ml_params_parse() does; the pointer of `source` is the value's own. */
int ml_param_check(const struct ml_param *param, const json_t *value,
	const struct ml_params_source *source, struct ml_errors *errors);

/* "boolean", "integer", "duration" …: as the schema and the reference say it. */
const char *ml_param_kind_name(enum ml_param_kind kind);

/* What a value is, for errors: "an object", "a list", "a text", "an integer" … */
const char *ml_json_found(const json_t *value);

/* The JSON pointer of a member: `pointer`/`key` with '~' and '/' escaped, cut at `size`. */
void ml_json_pointer(char *out, size_t size, const char *pointer, const char *key);

/* Frees what ml_params_parse() put into *target and sets those fields to 0. */
void ml_params_free(const struct ml_param *table, void *target);

/* Writes the table as a JSON Schema (2020-12) object, with title, description, default, minimum …,
 * and "x-unit", "x-kind", "x-advanced" for the editor. */
void ml_params_schema(const struct ml_param *table, struct ml_json_writer *w);

#endif
