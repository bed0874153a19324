/* Taps: what moves along an edge, shown to whoever watches the feed "tap:KEY".
 * SPDX-License-Identifier: Apache-2.0
 *
 * An edge carries one flag; where nobody looks, that flag is read once a batch and nothing else is
 * done. What is tapped is known by the feeds' subscriptions, which name edges by key: so a tap
 * survives an apply, and one on an edge that does not exist yet begins with the edge.
 */
#ifndef ML_RUN_TAP_H
#define ML_RUN_TAP_H

#include "run/edge.h"

/* Producer's lane: shows the messages put from position `from` on, not yet published. */
void ml_tap_show(struct ml_edge *edge, uint64_t from);

/* Control lane: flags the edges that somebody watches. */
void ml_taps_look(struct ml_engine *engine);

/* Any thread: subscriptions to "tap:" topics have changed. */
void ml_taps_changed(struct ml_engine *engine);

#endif
