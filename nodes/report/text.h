/* Text of reports: quoting, numbers and dates by locale, character sets, file names.
 * SPDX-License-Identifier: Apache-2.0
 *
 * All functions are pure: UTF-8 in, UTF-8 out (but report_encode()), appended to a buffer. Bytes
 * that are no UTF-8 become U+FFFD.
 */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/json.h>
#include <meterloom/zone.h>

/* ---- Character sets ---- */

enum report_charset { REPORT_UTF_8, REPORT_ISO_8859_1, REPORT_WINDOWS_1252 };

/* "UTF-8", "ISO-8859-1", "Windows-1252"; never NULL. */
const char *report_charset_name(enum report_charset charset);

/* Finds a character set by its name, in any case. false: it is none of these. */
bool report_charset_parse(const char *name, enum report_charset *charset);

/* Appends UTF-8 text in a character set. What has no place in it is written as close as it goes
 * ("€" as EUR, dashes and quotation marks as their plain ones, letters without their marks), or
 * else as '?'. Returns how many characters were replaced so. */
size_t report_encode(
	struct ml_buffer *out, enum report_charset charset, const char *text, size_t length);

/* ---- Quoting ---- */

/* A field by RFC 4180: in quotation marks where it holds the separator, a quotation mark, a line
 * end, or a space at one of its ends. */
void report_csv_field(struct ml_buffer *out, char separator, const char *text, size_t length);

/* Text within an element or an attribute of XML 1.0. Characters that XML has not become U+FFFD. */
void report_xml_text(struct ml_buffer *out, const char *text, size_t length);

/* ---- Numbers and dates ---- */

/* A JSON number's text with `sign` for its point. */
void report_number(struct ml_buffer *out, char sign, const char *text, size_t length);

enum report_language { REPORT_ENGLISH, REPORT_FRENCH };

/* A date by a pattern: YYYY YY, MMMM (january, janvier) MMM (jan, janv.) MM M, DD D, dddd (monday,
 * lundi) ddd (mon, lun.), hh h, mm m, ss s, SSS (milliseconds), Z (+01:00 or Z), WW W (week) and e
 * (day of the week, 1 to 7); all else stands for itself, and what is in '...' does so too. Weeks
 * are those of ISO 8601 where they begin on Monday (first_day 1), else week 1 is the one that holds
 * the first of January. `offset`: seconds east of UTC, for Z. */
void report_date(struct ml_buffer *out, const struct ml_civil *date, int32_t offset,
	enum report_language language, int first_day, const char *pattern, size_t length);

/* ---- File names ---- */

/* A part of a file name: letters, digits, '.', '-' and '_'; all else becomes '-', and no dot or
 * dash comes first. */
void report_file_name(struct ml_buffer *out, const char *text, size_t length);

#endif
