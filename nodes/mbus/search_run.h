/* A search of one bus as it runs, for the files of the node.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MBUS_SEARCH_RUN_H
#define MBUS_SEARCH_RUN_H

#include <meterloom/error.h>
#include <meterloom/json.h>
#include <meterloom/node.h>

#include "mbus/errand.h"
#include "mbus/search.h"
#include "mbus/search_params.h"
#include "mbus/search_probe.h"
#include "meter/sighting.h"

struct mbus_searches;
struct search_waiting;

enum { SEARCH_KINDS = METER_SIGHTING_DUPLICATE + 1 };

struct search_run {
	struct mbus_errand errand; /* the first member */
	struct mbus_source *source;
	struct ml_job *job;
	struct mbus_searches *searches;
	struct mbus_search search;
	struct mbus_search_probe what; /* is probed now */
	struct mbus_probe probe;
	struct ml_timer timer;
	bool probing; /* a probe is under way, unless the line was lost */
	bool asked;   /* something, since the line was lent */
	bool over;
	bool resumable;
	bool install;
	uint64_t number;     /* of the search, over all buses */
	uint32_t wanted;     /* over all buses */
	ml_time kept;        /* when its state was, last */
	struct ml_error err; /* why it ends before its end */
	/* rows */
	struct search_waiting *waiting; /* sightings on their way to the list */
	size_t waiting_count;
	struct meter_sighting *seen; /* where nothing is installed; owned */
	size_t seen_count, seen_capacity;
	uint32_t kinds[SEARCH_KINDS];
	uint32_t unclear;
};

/* source_search.c */
void mbus_search_action(
	struct mbus_source *source, struct ml_job *job, const struct mbus_search_params *params);
void mbus_search_stop(struct mbus_source *source);
/* Ends the job when nothing is waited for any more; the run may be gone afterwards. */
void mbus_search_end_if_done(struct search_run *run);

/* search_rows.c */
/* Tells a row of the job, now or when the list has taken it. */
void mbus_search_tell(struct search_run *run, const struct mbus_search_found *found);
void mbus_search_write_result(const struct search_run *run, struct ml_json_writer *w);
/* Waits for the list no longer. */
void mbus_search_rows_forget(struct search_run *run);
void mbus_search_rows_free(struct search_run *run);

#endif
