/* The folder of documents that belong to no batch of a store.
 * SPDX-License-Identifier: Apache-2.0
 *
 * DATA/documents, or a folder in the system's place for temporary files where an engine has no data
 * directory. Emptied at the start. What is rendered of a store's batch lies in the outbox instead.
 */
#ifndef REPORT_SPOOL_H
#define REPORT_SPOOL_H

#include <meterloom/family.h>

extern const struct ml_service_class report_services[]; /* "report-spool" */

/* The folder's path; NULL where the engine has no such service. Any thread. */
const char *report_spool_folder(struct ml_engine *engine);

#endif
