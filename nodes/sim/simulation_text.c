/* The result of a simulation, for people and for programs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sim/simulation_text.h"

#include <stdio.h>

typedef unsigned long long number;

static void write_failures(const struct sim_result *r, struct ml_buffer *out)
{
	for (size_t i = 0; i < r->failure_count; i++)
		ml_buffer_appendf(out, "%s%s %llu", i ? ", " : ": ", r->failures[i].name,
			(number)r->failures[i].count);
}

static void write_faults(const struct sim_result *r, struct ml_buffer *out)
{
	bool any = false;
	ml_buffer_appendf(out, "Faults     ");
	for (int i = 0; i < SIM_FAULTS; i++) {
		if (r->faults[i] == 0)
			continue;
		ml_buffer_appendf(out, "%s %s %llu", any ? "," : "",
			sim_fault_name((enum sim_fault)i), (number)r->faults[i]);
		any = true;
	}
	ml_buffer_appendf(out, "%s\n", any ? "" : " none");
}

static void write_head_end(const struct sim_result *r, unsigned i, struct ml_buffer *out)
{
	const struct sim_delivery *d = &r->head_end[i].delivery;
	ml_buffer_appendf(out,
		"Reported    %s: %llu reports with %llu readings; %llu reports came again, %llu of "
		"%llu uploads failed\n",
		r->head_end[i].url, (number)d->documents, (number)d->rows,
		(number)d->repeated_documents, (number)r->head_end[i].failed,
		(number)r->head_end[i].uploads);
	if (!r->head_end[i].checked)
		ml_buffer_appendf(out,
			"            not compared: not every reading is due there, or "
			"its template is not 3101 or 3115\n");
	else
		ml_buffer_appendf(out,
			"            %llu lost, %llu never stored, %llu out of order, %llu came "
			"again with other bytes\n",
			(number)d->lost, (number)d->invented, (number)d->out_of_order,
			(number)d->changed);
}

void sim_result_text(const struct sim_simulation_options *options, const struct sim_result *r,
	ml_time took, const char *graph, struct ml_buffer *out)
{
	const ml_time real = took > 0 ? took : 1;
	ml_buffer_appendf(out, "Simulated   %s: %lld days, %zu meters on %u %s, seed %llu\n", graph,
		(long long)(options->length / ML_DAY), r->meters, r->buses,
		r->buses == 1 ? "bus" : "buses", (number)options->seed);
	write_faults(r, out);
	ml_buffer_appendf(out, "Read        %llu readouts in %llu rounds; %llu failed",
		(number)r->read + (number)r->failed, (number)r->rounds, (number)r->failed);
	write_failures(r, out);
	ml_buffer_appendf(out, "\nStored      %llu readings of %llu telegrams that meters gave",
		(number)r->account.stored, (number)r->account.given);
	if (r->store_checked)
		ml_buffer_appendf(out, ": %llu lost, %llu never given\n", (number)r->account.lost,
			(number)r->account.invented);
	else
		ml_buffer_appendf(out,
			"; not compared, since filters change them or a recording gave them\n");
	for (unsigned i = 0; i < r->head_ends; i++)
		write_head_end(r, i, out);
	ml_buffer_appendf(
		out, "Documents   SHA-256 %s\nReadings    SHA-256 %s\n", r->documents, r->readings);
	ml_buffer_appendf(out, "Took        %lld.%lld s, %lld times as fast as real\n",
		(long long)(real / ML_SEC), (long long)(real / (100 * ML_MSEC) % 10),
		(long long)(r->simulated / real));
	ml_buffer_appendf(
		out, "%s%s\n", r->examples, r->lost ? "Something was lost." : "Nothing was lost.");
}

/* ---- JSON ---- */

static void member(struct ml_json_writer *w, const char *key, uint64_t value)
{
	ml_json_key(w, key);
	ml_json_unsigned(w, value);
}

static void json_counts(const struct sim_result *r, struct ml_json_writer *w)
{
	ml_json_key(w, "faults");
	ml_json_begin_object(w);
	for (int i = 0; i < SIM_FAULTS; i++) {
		if (r->faults[i] > 0)
			member(w, sim_fault_name((enum sim_fault)i), r->faults[i]);
	}
	ml_json_end_object(w);
	member(w, "rebuilt_reports", r->rebuilt);
	member(w, "rounds", r->rounds);
	member(w, "read", r->read);
	member(w, "failed", r->failed);
	ml_json_key(w, "failures");
	ml_json_begin_object(w);
	for (size_t i = 0; i < r->failure_count; i++)
		member(w, r->failures[i].name, r->failures[i].count);
	ml_json_end_object(w);
}

static void json_store(const struct sim_result *r, struct ml_json_writer *w)
{
	ml_json_key(w, "store");
	ml_json_begin_object(w);
	ml_json_key(w, "checked");
	ml_json_bool(w, r->store_checked);
	member(w, "given", r->account.given);
	member(w, "stored", r->account.stored);
	member(w, "lost", r->account.lost);
	member(w, "invented", r->account.invented);
	member(w, "bytes", r->store_bytes);
	ml_json_end_object(w);
}

static void json_head_ends(const struct sim_result *r, struct ml_json_writer *w)
{
	ml_json_key(w, "head_ends");
	ml_json_begin_array(w);
	for (unsigned i = 0; i < r->head_ends; i++) {
		const struct sim_delivery *d = &r->head_end[i].delivery;
		ml_json_begin_object(w);
		ml_json_key(w, "url");
		ml_json_string(w, r->head_end[i].url);
		ml_json_key(w, "checked");
		ml_json_bool(w, r->head_end[i].checked);
		member(w, "uploads", r->head_end[i].uploads);
		member(w, "failed_uploads", r->head_end[i].failed);
		member(w, "reports", d->documents);
		member(w, "readings", d->rows);
		member(w, "repeated_reports", d->repeated_documents);
		member(w, "repeated_readings", d->repeated_rows);
		member(w, "lost", d->lost);
		member(w, "invented", d->invented);
		member(w, "out_of_order", d->out_of_order);
		member(w, "changed", d->changed);
		ml_json_end_object(w);
	}
	ml_json_end_array(w);
}

void sim_result_json(const struct sim_simulation_options *options, const struct sim_result *r,
	ml_time took, struct ml_buffer *out)
{
	struct ml_json_writer w;
	ml_json_writer_init(&w, out);
	w.pretty = true;
	ml_json_begin_object(&w);
	member(&w, "days", (uint64_t)(options->length / ML_DAY));
	member(&w, "seed", options->seed);
	member(&w, "buses", r->buses);
	member(&w, "meters", r->meters);
	json_counts(r, &w);
	json_store(r, &w);
	json_head_ends(r, &w);
	ml_json_key(&w, "sha256");
	ml_json_begin_object(&w);
	ml_json_key(&w, "documents");
	ml_json_string(&w, r->documents);
	ml_json_key(&w, "readings");
	ml_json_string(&w, r->readings);
	ml_json_end_object(&w);
	member(&w, "simulated_seconds", (uint64_t)(r->simulated / ML_SEC));
	ml_json_key(&w, "seconds");
	ml_json_decimal(&w, (struct ml_decimal){.mantissa = took / ML_MSEC, .exponent = -3});
	ml_json_key(&w, "lost");
	ml_json_bool(&w, r->lost);
	ml_json_end_object(&w);
	ml_buffer_append(out, "\n", 1);
}
