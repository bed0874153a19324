/* The service "archive" of meter/archive.h.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef STORE_ARCHIVE_H
#define STORE_ARCHIVE_H

#include <meterloom/family.h>

int store_archive_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);

#endif
