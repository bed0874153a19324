/* Is the wall clock right? Boards boot in 1970 or at a stale time; what is told here lets nothing
 * take a wrong time for a right one.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The wall time is *known* (to be right) from the moment that it is later than the program's
 * release and than the newest time that this data directory has seen, or that the kernel says that
 * a time server set it; with the setting gateway.clock_trust "synchronised" the latter alone
 * counts. Once known it stays so until the engine ends. The engine looks each second while it is
 * not known, then every 20 seconds; a clock that was set meanwhile (by half a minute or more) is
 * the event clock-jumped.
 */
#ifndef METERLOOM_WALL_H
#define METERLOOM_WALL_H

#include <stdbool.h>

#include <meterloom/clock.h>

struct ml_engine;
struct ml_lane;
struct ml_wall_watch;

/* No clock of a gateway that runs this program is right before this time: 2026-01-01. */
#define ML_WALL_RELEASE (INT64_C(1767225600) * ML_SEC)

/* Any thread. */
bool ml_wall_known(struct ml_engine *engine);

/* What a time that this engine's clock stamped since its start (a message's, a log line's) is worth
 * now. true: it is right, or was put right in *wall, since it was stamped before the clock was set.
 * false: the clock is still not known to be right; *wall is then the best guess (not before
 * anything that this data directory has seen), and *ret_monotonic the moment, for ml_wall_of()
 * later. Any thread; cheap. */
bool ml_wall_settle(struct ml_engine *engine, ml_time *wall, ml_time *ret_monotonic);

/* The wall time of a moment of this engine, by the clock as it goes now; while that is not known to
 * be right, the best guess. Any thread. */
ml_time ml_wall_of(struct ml_engine *engine, ml_time monotonic);

/* A database knows of a time that was right when it was written: no earlier one is plausible.
 * Before the first look at the clock, that is in the start of a service declared before "wall". */
void ml_wall_seen(struct ml_engine *engine, ml_time wall);

/* Calls known(user) on `lane` once, as soon as the clock is known to be right; where it is already,
 * at the lane's next turn. NULL: out of memory. Any thread. */
struct ml_wall_watch *ml_wall_watch(
	struct ml_engine *engine, struct ml_lane *lane, void (*known)(void *user), void *user);
/* On its lane: it will not be called any more. Accepts NULL. */
void ml_wall_unwatch(struct ml_wall_watch *watch);

#endif
