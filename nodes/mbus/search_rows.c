/* mbus-source: what a search tells of each meter that it finds.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <meterloom/command.h>
#include <meterloom/engine.h>

#include "mbus/frame.h"
#include "mbus/search_run.h"
#include "mbus/source.h"

struct search_waiting {
	struct search_run *run;
	struct mbus_search_found found;
	struct meter_entry *entry;
	struct search_waiting *next;
};

/* ---- Rows ---- */

static void text(struct ml_json_writer *w, const char *key, const char *value)
{
	ml_json_key(w, key);
	ml_json_string(w, value);
}

static void number(struct ml_json_writer *w, const char *key, uint64_t value)
{
	ml_json_key(w, key);
	ml_json_unsigned(w, value);
}

/* What is not known is left out. */
static void write_identity(struct meter_identity identity, struct ml_json_writer *w)
{
	char secondary[METER_SECONDARY_TEXT_MAX], id[METER_ID_TEXT_MAX];
	char manufacturer[METER_MANUFACTURER_TEXT_MAX];
	(void)meter_secondary_format(identity, secondary);
	meter_id_format(identity.id, id);
	meter_manufacturer_format(identity.manufacturer, manufacturer);
	text(w, "secondary", secondary);
	text(w, "id", id);
	if (identity.manufacturer != METER_ANY_MANUFACTURER)
		text(w, "manufacturer", manufacturer);
	if (identity.version != METER_ANY_VERSION)
		number(w, "version", identity.version);
	if (identity.medium != METER_ANY_MEDIUM)
		text(w, "medium", meter_medium_name(identity.medium));
}

static bool has_identity(const struct mbus_search_found *found)
{
	return found->kind == MBUS_SEARCH_METER || found->kind == MBUS_SEARCH_FOREIGN ||
	       found->mode == MBUS_SEARCH_SECONDARY;
}

static bool has_primary(const struct mbus_search_found *found)
{
	const bool told = found->kind == MBUS_SEARCH_METER || found->kind == MBUS_SEARCH_FOREIGN;
	return (told || found->mode == MBUS_SEARCH_PRIMARY) && found->primary <= MBUS_ADDRESS_LAST;
}

static struct ml_json_writer *begin_row(
	struct search_run *run, const struct mbus_search_found *found)
{
	struct ml_json_writer *w = ml_job_row(run->job);
	ml_json_begin_object(w);
	text(w, "bus", run->source->bus);
	if (has_identity(found))
		write_identity(found->identity, w);
	text(w, "mode", found->mode == MBUS_SEARCH_PRIMARY ? "primary" : "secondary");
	if (has_primary(found))
		number(w, "primary", found->primary);
	number(w, "baud", found->baud);
	return w;
}

static void end_row(struct search_run *run, struct ml_json_writer *w)
{
	ml_json_end_object(w);
	ml_job_row_end(run->job);
}

static void tell_error(
	struct search_run *run, const struct mbus_search_found *found, const struct ml_error *err)
{
	struct ml_json_writer *w = begin_row(run, found);
	text(w, "result", "error");
	text(w, "text", err->text);
	run->unclear++;
	end_row(run, w);
}

static void tell_meter(struct search_run *run, const struct mbus_search_found *found,
	const struct meter_verdict *verdict)
{
	struct ml_json_writer *w = begin_row(run, found);
	meter_verdict_to_json(verdict, w);
	run->kinds[verdict->kind]++;
	end_row(run, w);
}

/* What is no meter that could be read so. */
static void tell_unclear(struct search_run *run, const struct mbus_search_found *found)
{
	const bool primary = found->mode == MBUS_SEARCH_PRIMARY;
	const char *result = "unnamed";
	const char *words =
		"something acknowledges this address, but sends no telegram that tells who it is";
	if (found->kind == MBUS_SEARCH_FOREIGN) {
		result = "foreign";
		words = "it answers selections of other meters, too, and disturbs them: read it by "
			"its primary address, and have it replaced";
	} else if (found->kind == MBUS_SEARCH_MANY && primary) {
		result = "several";
		words = "several meters have this primary address: search by secondary addresses, "
			"and give them other ones";
	} else if (found->kind == MBUS_SEARCH_MANY) {
		result = "several";
		words = "several meters answer to this secondary address, and cannot be told apart "
			"by it: read them by their primary addresses, or have one replaced";
	}
	struct ml_json_writer *w = begin_row(run, found);
	text(w, "result", result);
	text(w, "text", words);
	end_row(run, w);
	run->unclear++;
}

/* ---- The list ---- */

static void make_sighting(const struct search_run *run, const struct mbus_search_found *found,
	struct meter_sighting *sighting)
{
	const bool primary = found->mode == MBUS_SEARCH_PRIMARY;
	*sighting = (struct meter_sighting){
		.identity = found->identity,
		.whole = found->whole,
		.baud = found->baud,
		.bus_baud = (uint32_t)run->source->baud,
		.mode = primary ? METER_MODE_PRIMARY : METER_MODE_SECONDARY,
		.has_primary = has_primary(found),
		.primary = found->primary,
		.selection = found->identity,
		.search = run->number,
	};
	(void)snprintf(sighting->bus, sizeof sighting->bus, "%s", run->source->bus);
}

static void on_entered(void *user, const struct meter_verdict *verdict, const struct ml_error *err)
{
	struct search_waiting *waiting = user;
	struct search_run *run = waiting->run;
	struct search_waiting **at = &run->waiting;
	if (err)
		tell_error(run, &waiting->found, err);
	else
		tell_meter(run, &waiting->found, verdict);
	while (*at != waiting)
		at = &(*at)->next;
	*at = waiting->next;
	run->waiting_count--;
	free(waiting);
	mbus_search_end_if_done(run);
}

static bool install(struct search_run *run, const struct mbus_search_found *found,
	const struct meter_sighting *sighting)
{
	const struct mbus_source *s = run->source;
	struct search_waiting *waiting = calloc(1, sizeof *waiting);
	if (!waiting)
		return false;
	waiting->run = run;
	waiting->found = *found;
	waiting->entry = meter_sighting_send(
		ml_node_engine(s->node), ml_node_lane(s->node), sighting, on_entered, waiting);
	if (!waiting->entry) {
		free(waiting);
		return false;
	}
	waiting->next = run->waiting;
	run->waiting = waiting;
	run->waiting_count++;
	return true;
}

static void remember(struct search_run *run, const struct meter_sighting *sighting)
{
	if (run->seen_count == run->seen_capacity) {
		const size_t capacity = run->seen_capacity ? 2 * run->seen_capacity : 32;
		struct meter_sighting *seen = realloc(run->seen, capacity * sizeof *seen);
		if (!seen)
			return; /* a second sighting is not told as one */
		run->seen = seen;
		run->seen_capacity = capacity;
	}
	run->seen[run->seen_count++] = *sighting;
}

static void compare(struct search_run *run, const struct mbus_search_found *found,
	const struct meter_sighting *sighting)
{
	struct meter_verdict verdict;
	const struct meter_snapshot *snapshot = meter_list_snapshot(run->source->list);
	meter_sighting_compare(snapshot, sighting, run->seen, run->seen_count, &verdict);
	meter_snapshot_release(snapshot);
	remember(run, sighting);
	tell_meter(run, found, &verdict);
}

void mbus_search_tell(struct search_run *run, const struct mbus_search_found *found)
{
	struct meter_sighting sighting;
	if (found->kind != MBUS_SEARCH_METER) {
		tell_unclear(run, found);
		return;
	}
	make_sighting(run, found, &sighting);
	if (!run->install) {
		compare(run, found, &sighting);
	} else if (!install(run, found, &sighting)) {
		struct ml_error err = ML_ERROR_NONE;
		ml_error_set(&err, -ENOMEM, "out of memory: it was not entered");
		tell_error(run, found, &err);
	}
}

void mbus_search_rows_forget(struct search_run *run)
{
	for (struct search_waiting *next, *waiting = run->waiting; waiting; waiting = next) {
		next = waiting->next;
		meter_entry_forget(waiting->entry);
		free(waiting);
	}
	run->waiting = NULL;
	run->waiting_count = 0;
}

void mbus_search_rows_free(struct search_run *run)
{
	mbus_search_rows_forget(run);
	free(run->seen);
}

/* ---- The result ---- */

void mbus_search_write_result(const struct search_run *run, struct ml_json_writer *w)
{
	const struct mbus_search *search = &run->search;
	ml_json_begin_object(w);
	number(w, "found", search->meters);
	for (unsigned kind = 0; kind < SEARCH_KINDS; kind++)
		number(w, meter_sighting_kind_name((enum meter_sighting_kind)kind),
			run->kinds[kind]);
	number(w, "unclear", run->unclear);
	number(w, "probes", search->probes);
	number(w, "repeats", search->repeats);
	ml_json_key(w, "complete");
	ml_json_bool(w, search->end == MBUS_SEARCH_COMPLETE);
	ml_json_key(w, "resumable");
	ml_json_bool(w, run->resumable);
	ml_json_end_object(w);
}
