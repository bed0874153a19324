/* A gateway's life, told as it happens: what was acknowledged to the source, what a head-end got
 * and what is stored. Lived by a child process that may be killed at any moment; its parent keeps
 * the tale and checks it. SPDX-License-Identifier: Apache-2.0
 */
#ifndef TESTS_STORE_LIFE_H
#define TESTS_STORE_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/kit.h"

/* ---- The child's side ---- */

struct life {
	struct kit *kit;
	int tell_to;      /* a pipe */
	uint64_t random;  /* not 0 */
	uint64_t trace;   /* of the next reading */
	unsigned longest; /* s that pass at once; 0: an hour */
	bool faithful;    /* the head-end takes and acknowledges all */
};

uint64_t life_random(struct life *life, uint64_t below);

/* Source, store, query and a head-end that takes batches, or documents of a template. */
extern const char life_batches[], life_documents[];

/* The engine on `data`; its head-end tells what it gets. `run` counts the starts: the clock is ten
 * days on at each. false: it did not start, which is allowed where the disk fails. */
bool life_begin(struct life *life, const char *data, const struct ml_files *files, unsigned run,
	const char *graph);
/* So many random things happen. */
void life_live(struct life *life, unsigned steps);
void life_tell_number(struct life *life, uint64_t number);
/* All is delivered; then it is told what is stored, and how many of these are in chunks. */
void life_finish(struct life *life);
void life_end(struct life *life); /* as asked, the directory stays */

extern const struct ml_family life_family;

/* ---- The parent's side ---- */

struct tale {
	struct tale_reading *readings; /* by trace */
	size_t size;
	struct tale_report *reports;
	size_t report_count, report_capacity;
	uint64_t number; /* the last that was told */
	uint64_t newest; /* trace that the head-end has got */
	uint64_t acknowledged, delivered, repeated, stored;
	bool finished;
};

/* Reads what a child tells until its end; fails the test where a promise is broken. */
void tale_read(struct tale *tale, int from);
/* After life_finish(): everything is there, once, and with the head-end. */
void tale_check(const struct tale *tale);
void tale_free(struct tale *tale);

#endif
