/* The VIF and VIFE tables of EN 13757-3 as data.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MBUS_VIF_H
#define MBUS_VIF_H

#include <stdint.h>

enum mbus_coding {
	MBUS_SIGNED,        /* data type B where the data field is an integer */
	MBUS_UNSIGNED,      /* data type C or D there */
	MBUS_POINT_IN_TIME, /* data type F, G, I or J, by its length */
	MBUS_RAW,           /* bytes that have no number in them */
};

/* A value is mantissa * mbus_factors[factor] * 10^exponent of the unit without prefix. */
enum mbus_factor {
	MBUS_FACTOR_NONE,
	MBUS_FACTOR_MINUTE,
	MBUS_FACTOR_HOUR,
	MBUS_FACTOR_DAY,
	MBUS_FACTOR_4096TH, /* 2^-12 = 244140625 * 10^-12 */
	MBUS_FACTORS,
};

struct mbus_scale {
	int32_t mantissa;
	int8_t exponent;
};

extern const struct mbus_scale mbus_factors[MBUS_FACTORS];

struct mbus_vif {
	uint8_t quantity;   /* enum meter_quantity */
	uint8_t unit;       /* enum meter_unit */
	uint8_t coding;     /* enum mbus_coding */
	uint8_t scale_mask; /* bits of the code that only scale */
	int8_t exponent;
	uint8_t factor; /* enum mbus_factor */
};

/* By the code without its extension bit. What a table keeps back is METER_Q_UNKNOWN. */
extern const struct mbus_vif mbus_vif_primary[128];
extern const struct mbus_vif mbus_vif_fb[128];    /* first extension: FBh */
extern const struct mbus_vif mbus_vif_fd[128];    /* second extension: FDh */
extern const struct mbus_vif mbus_vif_fd_fd[128]; /* its second level: FDh FDh */

enum mbus_vife_what {
	MBUS_VIFE_NOTHING,      /* changes nothing (00h: no error) */
	MBUS_VIFE_MODIFIER,     /* value: enum meter_modifier */
	MBUS_VIFE_ERROR,        /* the same, and there is no value */
	MBUS_VIFE_PER,          /* value: enum meter_per; exponent */
	MBUS_VIFE_SCALE,        /* exponent */
	MBUS_VIFE_OFFSET,       /* adds 10^exponent of the unit */
	MBUS_VIFE_LIMIT,        /* value: enum meter_quantity; same unit */
	MBUS_VIFE_COUNT,        /* value: enum meter_quantity; a number */
	MBUS_VIFE_TIME,         /* value: enum meter_quantity; a point in time */
	MBUS_VIFE_DURATION,     /* value: enum meter_quantity; factor */
	MBUS_VIFE_EXTENSION,    /* 7Ch: the next one is of the second table */
	MBUS_VIFE_MANUFACTURER, /* 7Fh: this and all that follow are the maker's */
};

struct mbus_vife {
	uint8_t what; /* enum mbus_vife_what */
	uint8_t value;
	int8_t exponent;
	uint8_t factor; /* enum mbus_factor */
};

extern const struct mbus_vife mbus_vife_table[128];
extern const struct mbus_vife mbus_vife_fc[128]; /* after FCh */

#endif
