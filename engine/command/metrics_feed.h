/* The feed "metrics": what is measured, once a second while somebody watches.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ML_COMMAND_METRICS_FEED_H
#define ML_COMMAND_METRICS_FEED_H

#include <meterloom/family.h>

/* The service "metrics-feed". */
int ml_metrics_feed_start(struct ml_engine *engine, void **ret_service, struct ml_error *err);
void ml_metrics_feed_stop(void *service);

/* Any thread: subscriptions have changed. */
void ml_metrics_feed_changed(struct ml_engine *engine);

#endif
