/* The head-end's reports as a page and as JSON.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "sim/head_end_private.h"

static void escape(struct ml_buffer *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			ml_buffer_append(out, "&amp;", 5);
			break;
		case '<':
			ml_buffer_append(out, "&lt;", 4);
			break;
		case '>':
			ml_buffer_append(out, "&gt;", 4);
			break;
		case '"':
			ml_buffer_append(out, "&quot;", 6);
			break;
		default:
			ml_buffer_append(out, text, 1);
		}
	}
}

static const char *answer_text(const struct head_end_report *report)
{
	if (report->status == HEAD_END_CLOSED)
		return "closed";
	if (report->status >= 300)
		return "refused";
	return report->repeated ? "again" : "accepted";
}

static void page_row(struct ml_buffer *out, const struct head_end_report *report)
{
	char time[ML_TIME_TEXT_MAX];
	ml_time_format(report->time, time);
	ml_buffer_appendf(out, "<tr class=\"%s\"><td>%llu<td>%s<td><a href=\"/reports/%llu\">",
		answer_text(report), (unsigned long long)report->number, time,
		(unsigned long long)report->number);
	escape(out, report->filename[0] ? report->filename : report->path);
	ml_buffer_appendf(out, "</a><td>");
	escape(out, report->type);
	ml_buffer_appendf(out, "<td class=\"n\">%zu<td>%s", report->length, answer_text(report));
	if (report->status != HEAD_END_CLOSED)
		ml_buffer_appendf(out, " (%u)", report->status);
	ml_buffer_appendf(out, "\n");
}

void head_end_page(struct head_end *h, struct ml_buffer *out)
{
	ml_buffer_appendf(out,
		"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
		"<meta http-equiv=\"refresh\" content=\"5\"><title>Head-end</title><style>"
		"body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#222}"
		"table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:left;"
		"border-bottom:1px solid #ddd}.n{text-align:right}.refused,.closed{color:#b00}"
		".again{color:#777}</style><h1>Head-end</h1><p>%llu reports came, %llu were "
		"accepted."
		"<table><tr><th>No.<th>Time<th>Report<th>Type<th class=\"n\">Bytes<th>Answer\n",
		(unsigned long long)h->count, (unsigned long long)h->accepted);
	for (size_t i = h->held; i-- > 0;)
		page_row(out, &h->reports[(h->first + i) % h->keep]);
	ml_buffer_appendf(out, "</table></html>\n");
}

void head_end_list(struct head_end *h, struct ml_buffer *out)
{
	struct ml_json_writer w;
	char time[ML_TIME_TEXT_MAX];
	ml_json_writer_init(&w, out);
	ml_json_begin_object(&w);
	ml_json_key(&w, "received");
	ml_json_unsigned(&w, h->count);
	ml_json_key(&w, "accepted");
	ml_json_unsigned(&w, h->accepted);
	ml_json_key(&w, "reports");
	ml_json_begin_array(&w);
	for (size_t i = h->held; i-- > 0;) {
		const struct head_end_report *report = &h->reports[(h->first + i) % h->keep];
		ml_time_format(report->time, time);
		ml_json_begin_object(&w);
		ml_json_key(&w, "number");
		ml_json_unsigned(&w, report->number);
		ml_json_key(&w, "time");
		ml_json_string(&w, time);
		ml_json_key(&w, "filename");
		ml_json_string(&w, report->filename);
		ml_json_key(&w, "type");
		ml_json_string(&w, report->type);
		ml_json_key(&w, "path");
		ml_json_string(&w, report->path);
		ml_json_key(&w, "key");
		ml_json_string(&w, report->key);
		ml_json_key(&w, "bytes");
		ml_json_unsigned(&w, report->length);
		ml_json_key(&w, "status");
		ml_json_unsigned(&w, report->status);
		ml_json_key(&w, "repeated");
		ml_json_bool(&w, report->repeated);
		ml_json_end_object(&w);
	}
	ml_json_end_array(&w);
	ml_json_end_object(&w);
}
