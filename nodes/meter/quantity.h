/* What is measured and in what unit: the names of EN 13757-3's tables.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The numbers of these lists may change from release to release and are never stored: names are for
 * people, a series is known by its key (series.h). Units carry no prefix; the power of ten is part
 * of the value.
 */
#ifndef METER_QUANTITY_H
#define METER_QUANTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METER_QUANTITY_LIST(X) \
	X(UNKNOWN, "unknown")                     /* a VIF the standard keeps back */ \
	X(MANUFACTURER, "manufacturer-specific")  /* VIF FFh/7Fh: only its maker knows */ \
	X(MANUFACTURER_DATA, "manufacturer-data") /* all bytes after DIF 0Fh or 1Fh */ \
	X(CUSTOM, "custom") /* plain text VIF, or a record made by a filter */ \
	X(ANY, "any")       /* wildcard of a request, VIF 7Eh */ \
	X(ENERGY, "energy") \
	X(VOLUME, "volume") \
	X(MASS, "mass") \
	X(ON_TIME, "on-time") \
	X(OPERATING_TIME, "operating-time") \
	X(POWER, "power") \
	X(VOLUME_FLOW, "volume-flow") \
	X(MASS_FLOW, "mass-flow") \
	X(FLOW_TEMPERATURE, "flow-temperature") \
	X(RETURN_TEMPERATURE, "return-temperature") \
	X(TEMPERATURE_DIFFERENCE, "temperature-difference") \
	X(EXTERNAL_TEMPERATURE, "external-temperature") \
	X(PRESSURE, "pressure") \
	X(DATE, "date") \
	X(DATE_TIME, "date-time") \
	X(TIME, "time") \
	X(HCA, "hca") /* units of a heat cost allocator */ \
	X(AVERAGING_DURATION, "averaging-duration") \
	X(ACTUALITY_DURATION, "actuality-duration") \
	X(FABRICATION_NUMBER, "fabrication-number") \
	X(IDENTIFICATION, "enhanced-identification") \
	X(BUS_ADDRESS, "bus-address") \
	X(CREDIT, "credit") \
	X(DEBIT, "debit") \
	X(ACCESS_NUMBER, "access-number") \
	X(MEDIUM, "medium") \
	X(MANUFACTURER_NAME, "manufacturer") \
	X(PARAMETER_SET, "parameter-set") \
	X(MODEL, "model-version") \
	X(HARDWARE_VERSION, "hardware-version") \
	X(FIRMWARE_VERSION, "firmware-version") \
	X(SOFTWARE_VERSION, "software-version") \
	X(CUSTOMER_LOCATION, "customer-location") \
	X(CUSTOMER, "customer") \
	X(ACCESS_CODE_USER, "access-code-user") \
	X(ACCESS_CODE_OPERATOR, "access-code-operator") \
	X(ACCESS_CODE_SYSTEM_OPERATOR, "access-code-system-operator") \
	X(ACCESS_CODE_DEVELOPER, "access-code-developer") \
	X(PASSWORD, "password") \
	X(ERROR_FLAGS, "error-flags") \
	X(ERROR_MASK, "error-mask") \
	X(SECURITY_KEY, "security-key") \
	X(DIGITAL_OUTPUT, "digital-output") \
	X(DIGITAL_INPUT, "digital-input") \
	X(BAUD_RATE, "baud-rate") \
	X(RESPONSE_DELAY, "response-delay") \
	X(RETRY, "retry") \
	X(REMOTE_CONTROL, "remote-control") \
	X(FIRST_STORAGE, "first-storage-number") \
	X(LAST_STORAGE, "last-storage-number") \
	X(STORAGE_BLOCK_SIZE, "storage-block-size") \
	X(DESCRIPTION, "descriptor") \
	X(STORAGE_INTERVAL, "storage-interval") \
	X(OPERATOR_DATA, "operator-specific-data") \
	X(TIME_POINT_SECOND, "time-point-second") \
	X(DURATION_SINCE_READOUT, "duration-since-last-readout") \
	X(TARIFF_START, "tariff-start") \
	X(TARIFF_DURATION, "tariff-duration") \
	X(TARIFF_PERIOD, "tariff-period") \
	X(NO_VIF, "dimensionless") \
	X(CONTAINER, "data-container") \
	X(TRANSMIT_INTERVAL, "transmission-interval") \
	X(VOLTAGE, "voltage") \
	X(CURRENT, "current") \
	X(RESET_COUNTER, "reset-counter") \
	X(CUMULATION_COUNTER, "cumulation-counter") \
	X(CONTROL_SIGNAL, "control-signal") \
	X(DAY_OF_WEEK, "day-of-week") \
	X(WEEK_NUMBER, "week-number") \
	X(DAY_CHANGE_TIME, "time-of-day-change") \
	X(PARAMETER_ACTIVATION, "parameter-activation-state") \
	X(SUPPLIER_INFORMATION, "supplier-information") \
	X(DURATION_SINCE_CUMULATION, "duration-since-last-cumulation") \
	X(BATTERY_OPERATING_TIME, "battery-operating-time") \
	X(BATTERY_CHANGE, "battery-change") \
	X(RF_LEVEL, "rf-level") \
	X(DAYLIGHT_SAVING, "daylight-saving") \
	X(LISTENING_WINDOW, "listening-window") \
	X(REMAINING_BATTERY_LIFE, "remaining-battery-life") \
	X(METER_STOPS, "meter-stop-count") \
	X(CONTAINER_MANUFACTURER, "manufacturer-container") \
	X(REACTIVE_ENERGY, "reactive-energy") \
	X(APPARENT_ENERGY, "apparent-energy") \
	X(REACTIVE_POWER, "reactive-power") \
	X(APPARENT_POWER, "apparent-power") \
	X(RELATIVE_HUMIDITY, "relative-humidity") \
	X(PHASE_VOLTAGE_ANGLE, "phase-angle-voltage") \
	X(PHASE_CURRENT_ANGLE, "phase-angle-current") \
	X(FREQUENCY, "frequency") \
	X(TEMPERATURE_LIMIT, "temperature-limit") \
	X(CUMULATIVE_POWER_MAXIMUM, "cumulative-maximum-power") \
	X(RATING_FACTOR, "hca-rating-factor") \
	X(THERMAL_RATING, "hca-thermal-output-rating") \
	X(THERMAL_COUPLING, "hca-thermal-coupling-factor") \
	X(LOW_TEMPERATURE_RATING, "hca-low-temperature-rating-factor") \
	X(DISPLAY_SCALING, "hca-display-output-scaling-factor") \
	X(ALARM, "alarm") /* an alarm telegram's bits */ \
	/* What a VIFE of 40h to 6Fh makes of a value; `of` then names the base. */ \
	X(LOWER_LIMIT, "lower-limit") \
	X(UPPER_LIMIT, "upper-limit") \
	X(LOWER_EXCEED_COUNT, "lower-limit-exceed-count") \
	X(UPPER_EXCEED_COUNT, "upper-limit-exceed-count") \
	X(LOWER_EXCEED_FIRST_BEGIN, "lower-limit-first-exceed-begin") \
	X(LOWER_EXCEED_FIRST_END, "lower-limit-first-exceed-end") \
	X(LOWER_EXCEED_LAST_BEGIN, "lower-limit-last-exceed-begin") \
	X(LOWER_EXCEED_LAST_END, "lower-limit-last-exceed-end") \
	X(UPPER_EXCEED_FIRST_BEGIN, "upper-limit-first-exceed-begin") \
	X(UPPER_EXCEED_FIRST_END, "upper-limit-first-exceed-end") \
	X(UPPER_EXCEED_LAST_BEGIN, "upper-limit-last-exceed-begin") \
	X(UPPER_EXCEED_LAST_END, "upper-limit-last-exceed-end") \
	X(LOWER_EXCEED_FIRST_DURATION, "lower-limit-first-exceed-duration") \
	X(LOWER_EXCEED_LAST_DURATION, "lower-limit-last-exceed-duration") \
	X(UPPER_EXCEED_FIRST_DURATION, "upper-limit-first-exceed-duration") \
	X(UPPER_EXCEED_LAST_DURATION, "upper-limit-last-exceed-duration") \
	X(FIRST_DURATION, "first-duration") \
	X(LAST_DURATION, "last-duration") \
	X(FIRST_BEGIN, "first-begin") \
	X(FIRST_END, "first-end") \
	X(LAST_BEGIN, "last-begin") \
	X(LAST_END, "last-end") \
	X(START_OF, "start")

enum meter_quantity {
#define X(name, text) METER_Q_##name,
	METER_QUANTITY_LIST(X)
#undef X
		METER_QUANTITIES,
};

#define METER_UNIT_LIST(X) \
	X(NONE, "") \
	X(CUSTOM, "") /* the text of a plain text VIF, or a filter's */ \
	X(WH, "Wh") \
	X(J, "J") \
	X(CAL, "cal") \
	X(M3, "m³") \
	X(KG, "kg") \
	X(W, "W") \
	X(J_PER_H, "J/h") \
	X(M3_PER_H, "m³/h") \
	X(M3_PER_MIN, "m³/min") \
	X(M3_PER_S, "m³/s") \
	X(KG_PER_H, "kg/h") \
	X(CELSIUS, "°C") \
	X(K, "K") \
	X(BAR, "bar") \
	X(S, "s") \
	X(MONTH, "month") \
	X(YEAR, "year") \
	X(BIT_TIME, "bit-time") \
	X(BAUD, "Bd") \
	X(CURRENCY, "currency") \
	X(V, "V") \
	X(A, "A") \
	X(HZ, "Hz") \
	X(VARH, "varh") \
	X(VAH, "VAh") \
	X(VAR, "var") \
	X(VA, "VA") \
	X(PERCENT, "%") \
	X(DEGREE, "°") \
	X(DBM, "dBm") \
	X(FT3, "ft³") \
	X(GALLON, "gal") \
	X(GALLON_PER_MIN, "gal/min") \
	X(GALLON_PER_H, "gal/h") \
	X(FAHRENHEIT, "°F") \
	X(HCA, "HCA")

enum meter_unit {
#define X(name, text) METER_U_##name,
	METER_UNIT_LIST(X)
#undef X
		METER_UNITS,
};

/* What a VIFE multiplies or divides the unit by. */
#define METER_PER_LIST(X) \
	X(NONE, "") \
	X(S, "/s") \
	X(MIN, "/min") \
	X(H, "/h") \
	X(DAY, "/d") \
	X(WEEK, "/week") \
	X(MONTH, "/month") \
	X(YEAR, "/year") \
	X(REVOLUTION, "/rev") \
	X(M3, "/m³") \
	X(KG, "/kg") \
	X(K, "/K") \
	X(WH, "/Wh") \
	X(J, "/J") \
	X(W, "/W") \
	X(K_M3, "/(K·m³)") \
	X(V, "/V") \
	X(A, "/A") \
	X(TIMES_S, "·s") \
	X(TIMES_S_PER_V, "·s/V") \
	X(TIMES_S_PER_A, "·s/A")

enum meter_per {
#define X(name, text) METER_PER_##name,
	METER_PER_LIST(X)
#undef X
		METER_PERS,
};

/* What a VIFE adds to the meaning without changing the quantity. A record holds a set of them. */
#define METER_MODIFIER_LIST(X) \
	X(AVERAGE, "average") \
	X(RELATIVE_DEVIATION, "relative-deviation") \
	X(COMPACT_PROFILE, "compact-profile") \
	X(INVERSE_PROFILE, "inverse-compact-profile") \
	X(REGISTER_PROFILE, "compact-profile-with-registers") \
	X(STANDARD_CONTENT, "standard-conform-content") \
	X(UNCORRECTED, "uncorrected") \
	X(FORWARD, "forward-flow") \
	X(BACKWARD, "backward-flow") \
	X(NON_METRIC, "non-metric") \
	X(BASE_CONDITIONS, "base-conditions") \
	X(OBIS, "obis-declaration") \
	X(DURING_LOWER_EXCEED, "during-lower-limit-exceed") \
	X(DURING_UPPER_EXCEED, "during-upper-limit-exceed") \
	X(LEAKAGE, "leakage") \
	X(OVERFLOW, "overflow") \
	X(OFFSET, "offset") /* the value holds an additive correction */ \
	X(FUTURE, "future") \
	X(MANUFACTURER, "manufacturer-vife") \
	X(RESERVED, "reserved-vife") \
	X(L1, "phase-l1") \
	X(L2, "phase-l2") \
	X(L3, "phase-l3") \
	X(N, "neutral") \
	X(L1_L2, "phases-l1-l2") \
	X(L2_L3, "phases-l2-l3") \
	X(L3_L1, "phases-l3-l1") \
	X(Q1, "quadrant-1") \
	X(Q2, "quadrant-2") \
	X(Q3, "quadrant-3") \
	X(Q4, "quadrant-4") \
	X(DELTA, "import-export-difference") \
	X(ABSOLUTE, "absolute-sum") \
	X(TYPE_C, "data-type-c") \
	X(TYPE_D, "data-type-d") \
	X(TO_METER, "towards-meter") \
	X(FROM_METER, "from-meter") \
	X(INPUT_PULSE_0, "per-input-pulse-0") \
	X(INPUT_PULSE_1, "per-input-pulse-1") \
	X(OUTPUT_PULSE_0, "per-output-pulse-0") \
	X(OUTPUT_PULSE_1, "per-output-pulse-1") \
	X(ACTION, "object-action") /* what a master asks for; the VIFE says which */ \
	/* Why the meter has no value. */ \
	X(BAD_REQUEST, "error-in-request") /* DIF or VIF it does not know; the VIFE says which */ \
	X(NO_DATA, "error-no-data") \
	X(DATA_OVERFLOW, "error-data-overflow") \
	X(DATA_UNDERFLOW, "error-data-underflow") \
	X(DATA_ERROR, "error-data") \
	X(PREMATURE_END, "error-premature-end")

enum meter_modifier {
#define X(name, text) METER_M_##name,
	METER_MODIFIER_LIST(X)
#undef X
		METER_MODIFIERS, /* at most 64 */
};

/* Names; never NULL. */
const char *meter_quantity_name(unsigned quantity);
const char *meter_unit_name(unsigned unit);
const char *meter_per_name(unsigned per);
const char *meter_modifier_name(unsigned modifier);

/* Finds a quantity by its name. false: there is none. */
bool meter_quantity_parse(const char *text, size_t length, unsigned *quantity);

#endif
