/* The family "report": from batches of readings to documents, and from documents to their
 * receivers. SPDX-License-Identifier: Apache-2.0
 */
#ifndef REPORT_FAMILY_H
#define REPORT_FAMILY_H

#include <meterloom/family.h>
#include <meterloom/script.h>

extern const struct ml_family report_family;

extern const struct ml_node_class report_render_class;
extern const struct ml_node_class report_http_sink_class;
extern const struct ml_node_class report_file_sink_class;

extern const struct ml_setting report_settings[];
extern const struct ml_script report_shipped_templates[]; /* of templates/, made by the build */

/* An address for reports by HTTP, for a parameter. */
int report_check_url(const json_t *value, struct ml_error *err);

/* Choices that settings and nodes share. */
extern const struct ml_choice report_charset_choices[], report_language_choices[],
	report_separator_choices[], report_sign_choices[], report_line_end_choices[],
	report_first_day_choices[];

#endif
