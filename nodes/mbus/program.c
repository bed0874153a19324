/* Which program writes a recording: alone in its library, so that a new version compiles nothing
 * else anew. SPDX-License-Identifier: Apache-2.0
 */
#include "mbus/program.h"

const char mbus_program[] = "Meterloom " METERLOOM_VERSION;
