/* Settings of reports: how they are written unless a node says otherwise.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/family.h"

#include "report/http_transfer.h"
#include "report/retry_params.h"
#include "report/text.h"

const struct ml_choice report_charset_choices[] = {
	{"UTF-8", REPORT_UTF_8, "all characters"},
	{"ISO-8859-1", REPORT_ISO_8859_1, "western Europe"},
	{"Windows-1252", REPORT_WINDOWS_1252,
		"western Europe with the euro sign, as Windows has it"},
	{NULL, 0, NULL},
};

const struct ml_choice report_language_choices[] = {
	{"en", REPORT_ENGLISH, "English"},
	{"fr", REPORT_FRENCH, "French"},
	{NULL, 0, NULL},
};

const struct ml_choice report_separator_choices[] = {
	{"semicolon", ';', ";"},
	{"comma", ',', ","},
	{"tab", '\t', NULL},
	{NULL, 0, NULL},
};

const struct ml_choice report_sign_choices[] = {
	{"point", '.', "12.5"},
	{"comma", ',', "12,5"},
	{NULL, 0, NULL},
};

const struct ml_choice report_line_end_choices[] = {
	{"crlf", 1, "as RFC 4180 and Windows want it"},
	{"lf", 0, "as Unix has it"},
	{NULL, 0, NULL},
};

const struct ml_choice report_retry_choices[] = {
	{"adaptive", REPORT_RETRY_ADAPTIVE,
		"by how often the report comes: up to every 15 min one retry at once; up to every "
		"hour 2, 5 min apart; up to every 23 h 3, 500 s apart; else 6, an hour apart"},
	{"fixed", REPORT_RETRY_FIXED, "retry_count of them, retry_wait apart"},
	{"none", REPORT_RETRY_NONE, "its values go with the next report"},
	{NULL, 0, NULL},
};

struct report_retry_plan report_retry_plan(
	const struct report_retry_own *own, const struct meter_document *document)
{
	if (own->kind == REPORT_RETRY_NONE ||
		meter_delivery_purpose(document->delivery) != METER_DELIVERY_REPORT)
		return (struct report_retry_plan){0, 0};
	if (own->kind == REPORT_RETRY_ADAPTIVE && document->period > 0)
		return report_retry_adaptive(document->period);
	return (struct report_retry_plan){(unsigned)own->count, own->wait};
}

const struct ml_choice report_first_day_choices[] = {
	{"monday", 1, NULL},
	{"sunday", 0, NULL},
	{"saturday", 6, NULL},
	{NULL, 0, NULL},
};

int report_check_url(const json_t *value, struct ml_error *err)
{
	return json_is_null(value) ? 0 : http_url_check(json_string_value(value), err);
}

const struct ml_setting report_settings[] = {
	{{.name = "report.charset",
		 .kind = ML_PARAM_CHOICE,
		 .title = "Character set",
		 .help = "Of reports. What has no place in it is written as close as it goes, or "
			 "as ?.",
		 .preset = "\"UTF-8\"",
		 .choices = report_charset_choices},
		ML_SETTING_SHARED},
	{{.name = "report.decimal_sign",
		 .kind = ML_PARAM_CHOICE,
		 .title = "Decimal sign",
		 .help = "Between the whole part of a number and its decimals.",
		 .preset = "\"point\"",
		 .choices = report_sign_choices},
		ML_SETTING_SHARED},
	{{.name = "report.first_day_of_week",
		 .kind = ML_PARAM_CHOICE,
		 .title = "First day of the week",
		 .help = "In reports that count weeks.",
		 .preset = "\"monday\"",
		 .choices = report_first_day_choices},
		ML_SETTING_SHARED},
	{{.name = "report.http.password",
		 .kind = ML_PARAM_SECRET,
		 .title = "Password by HTTP",
		 .help = "The name of the secret that holds the password of report.http.user.",
		 .flags = ML_PARAM_NULLABLE},
		ML_SETTING_SHARED},
	{{.name = "report.http.url",
		 .kind = ML_PARAM_STRING,
		 .title = "Receiver by HTTP",
		 .help = "Where nodes http-sink without a `url` send reports to.",
		 .max = 2000,
		 .flags = ML_PARAM_NULLABLE,
		 .check = report_check_url},
		ML_SETTING_SHARED},
	{{.name = "report.http.user",
		 .kind = ML_PARAM_STRING,
		 .title = "User by HTTP",
		 .help = "The user's name for report.http.url (authentication basic). Left out: it "
			 "wants none.",
		 .max = 256,
		 .flags = ML_PARAM_NULLABLE},
		ML_SETTING_SHARED},
	{{.name = "report.language",
		 .kind = ML_PARAM_CHOICE,
		 .title = "Language",
		 .help = "Of the words in reports, such as the names of months.",
		 .preset = "\"en\"",
		 .choices = report_language_choices},
		ML_SETTING_SHARED},
	{{.name = "report.line_end",
		 .kind = ML_PARAM_CHOICE,
		 .title = "Line end",
		 .help = "What ends a line of a report.",
		 .preset = "\"crlf\"",
		 .choices = report_line_end_choices},
		ML_SETTING_SHARED},
	{{.name = "report.retries",
		 .kind = ML_PARAM_INTEGER,
		 .title = "Number of retries",
		 .help = "Of reports that could not be delivered, where a sink's retries are "
			 "fixed, "
			 "or its report has no schedule by which they could be laid out.",
		 .preset = "3",
		 .min = 0,
		 .max = 100},
		ML_SETTING_SHARED},
	{{.name = "report.retry_wait",
		 .kind = ML_PARAM_DURATION,
		 .title = "Wait between retries",
		 .help = "From the end of one try of a report to the start of the next.",
		 .unit = "s",
		 .preset = "60",
		 .min = 0,
		 .max = 86400},
		ML_SETTING_SHARED},
	{{.name = "report.separator",
		 .kind = ML_PARAM_CHOICE,
		 .title = "Separator",
		 .help = "Between the fields of a CSV report.",
		 .preset = "\"semicolon\"",
		 .choices = report_separator_choices},
		ML_SETTING_SHARED},
	{{.name = NULL}, ML_SETTING_SHARED},
};
