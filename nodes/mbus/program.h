/* Which program writes a recording.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MBUS_PROGRAM_H
#define MBUS_PROGRAM_H

extern const char mbus_program[]; /* "Meterloom 0.1.0" */

#endif
