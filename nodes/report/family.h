/* The family "report": from batches of readings to documents, and from documents to their
 * receivers. SPDX-License-Identifier: Apache-2.0
 */
#ifndef REPORT_FAMILY_H
#define REPORT_FAMILY_H

#include <meterloom/family.h>

extern const struct ml_family report_family;

extern const struct ml_node_class report_http_sink_class;
extern const struct ml_node_class report_file_sink_class;

#endif
