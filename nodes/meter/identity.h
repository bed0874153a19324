/* Who a meter is: number, manufacturer, version and medium (EN 13757-3 and -7).
 * SPDX-License-Identifier: Apache-2.0
 *
 * All functions are pure and thread-safe.
 */
#ifndef METER_IDENTITY_H
#define METER_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <meterloom/json.h>

struct meter_identity {
	uint32_t id;           /* eight digits, four bits each: 12345678 is 0x12345678 */
	uint16_t manufacturer; /* FLAG code: three letters of five bits; bit 15: soft address */
	uint8_t version;       /* also called generation */
	uint8_t medium;        /* device type code */
};

enum {
	METER_ID_TEXT_MAX = 9,
	METER_MANUFACTURER_TEXT_MAX = 5,
};

static inline bool meter_identity_equal(struct meter_identity a, struct meter_identity b)
{
	return a.id == b.id && a.manufacturer == b.manufacturer && a.version == b.version &&
	       a.medium == b.medium;
}

/* The eight digits and a NUL. Digits A to F appear where a meter sends them. */
void meter_id_format(uint32_t id, char out[METER_ID_TEXT_MAX]);

/* Reads one to eight digits (0-9, A-F in either case); fewer are filled with zeros in front. false:
 * it is none. */
bool meter_id_parse(const char *text, size_t length, uint32_t *id);

/* The three letters ("KAM"), or four hex digits where the code holds no three letters, and a NUL.
 */
void meter_manufacturer_format(uint16_t code, char out[METER_MANUFACTURER_TEXT_MAX]);

/* Reads three letters in either case, or four hex digits. false: it is neither. */
bool meter_manufacturer_parse(const char *text, size_t length, uint16_t *code);

/* "heat", "cold-water", "electricity" ...; "reserved" for codes the standard keeps back. Never
 * NULL. */
const char *meter_medium_name(uint8_t code);

/* Finds a medium by its name, or by its code as two hex digits. false: there is none. */
bool meter_medium_parse(const char *text, size_t length, uint8_t *code);

/* The eight bytes as they stand in a long header or a secondary address: id, manufacturer, version,
 * medium; each low byte first. */
void meter_identity_read(const uint8_t bytes[8], struct meter_identity *identity);
void meter_identity_write(struct meter_identity identity, uint8_t bytes[8]);

/* Writes "id", "manufacturer", "version", "medium" and "medium_code" into an object that was begun.
 */
void meter_identity_to_json(struct meter_identity identity, struct ml_json_writer *w);

#endif
