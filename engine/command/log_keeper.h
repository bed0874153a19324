/* The keeper of the log: takes lines and events, and writes them to log.db in groups.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The service "log" on a lane of its own. It takes from a bounded queue what any thread hands in,
 * so that nobody waits for the disk; what does not fit, or comes faster than a card should be
 * written, is counted and told. A database that cannot be written is tried again; one that is
 * damaged is moved aside. Nothing that befalls the log stops the gateway.
 */
#ifndef ML_COMMAND_LOG_KEEPER_H
#define ML_COMMAND_LOG_KEEPER_H

#include <meterloom/engine.h>
#include <meterloom/event.h>

#include "command/log_database.h"

#define ML_LOG_LANE "log"

struct ml_log_keeper;

#define ML_LOG_RETRY (10 * ML_SEC)

int ml_log_keeper_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void ml_log_keeper_stop(void *service);
/* After the lanes have ended: what was posted to them may name it. Accepts an engine without one.
 */
void ml_log_keeper_free(struct ml_engine *engine);

/* The number of the newest entry; 0 for NULL. */
uint64_t ml_log_newest(struct ml_log *log);

/* Any thread. `json` is copied. Does nothing where there is no keeper yet. */
void ml_log_keeper_event(struct ml_engine *engine, uint64_t id, ml_time time,
	enum ml_log_level severity, const char *code, const char *json, size_t length);

/* The settings were changed, or the clock is known: it looks at both soon. Any thread. */
void ml_log_keeper_refresh(struct ml_engine *engine);

/* On the lane "log". Writes what waits, then tells what is kept; a row's time is as good as it can
 * be. What cannot be read is told as nothing: the log never fails. */
void ml_log_keeper_scan(struct ml_engine *engine, enum ml_log_kind kind, uint64_t below,
	bool (*tell)(const struct ml_log_row *row, void *user), void *user);

/* On the lane "log": deletes all lines and events that are kept, as a factory reset does. What is
 * in memory stays until the end. */
int ml_log_keeper_wipe(struct ml_engine *engine, struct ml_error *err);

#endif
