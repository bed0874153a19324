-- All values, one row a reading: one header line for the whole report, a column for each value that
-- any of its meters has, an empty field where a reading has none.

template = {
  title = "All values, one row a reading",
  help = "CSV with one header line. Columns of values are named as in 3115: description, unit, "
    .. "function, tariff, subunit, storage.",
  options = {
    {name = "date", kind = "string", default = "YYYY-MM-DD hh:mm:ss", title = "Date",
      help = "Pattern of the times, which are in the gateway's time zone."},
    {name = "failed", kind = "bool", default = false, title = "Failed readouts",
      help = "Gives readouts that failed a row, too, with no values in it."},
  },
}

local functions = {
  instantaneous = "inst-value", maximum = "max-value", minimum = "min-value", error = "err-value",
}
local columns_max = 2000
local shapes_max = 500

-- What it is of and its modifiers are part of what is described: lower-limit-volume, energy-phase-l1.
local function column_name(record)
  local words = {record.quantity, record.of}
  for _, modifier in ipairs(record.modifiers) do
    words[#words + 1] = modifier
  end
  return table.concat(words, "-"):gsub(" ", "-") .. "," .. record.unit .. "," .. functions[record.func]
    .. "," .. record.tariff .. "," .. record.subunit .. "," .. record.storage
end

-- Two values of one reading may have the same name: the second one is told apart by its number.
local function name_of(record, used)
  local name = column_name(record)
  local count = (used[name] or 0) + 1
  used[name] = count
  return count == 1 and name or name .. "," .. count
end

-- What the readings of a batch have columns for. Those of one shape have the same.
local function new_columns()
  return {names = {}, places = {}, shapes = {}, shape_count = 0}
end

local function places_of(reading, columns)
  local shape = reading.shape
  local places = columns.shapes[shape]
  if places then
    return places
  end
  local used, names = {}, columns.names
  places = {}
  for i, record in ipairs(reading.records) do
    local name = name_of(record, used)
    local place = columns.places[name]
    if not place then
      if #names == columns_max then
        error("more than " .. columns_max .. " different values in one report", 0)
      end
      place = #names + 1
      names[place] = name
      columns.places[name] = place
    end
    places[i] = place
  end
  if columns.shape_count < shapes_max then
    columns.shapes[shape] = places
    columns.shape_count = columns.shape_count + 1
  end
  return places
end

function render(batch, out, options)
  local columns = new_columns()
  for reading in batch:readings() do
    places_of(reading, columns)
  end
  local names = columns.names
  local csv = out:document{name = out:name("valuereport", "csv"), type = "text/csv"}
  local header = {"serial-number", "device-identification", "manufacturer", "version", "device-type",
    "moid", "created", "status", "value-data-count"}
  local lead = #header
  for i, name in ipairs(names) do
    header[lead + i] = name
  end
  csv:row(header)
  for reading in batch:readings() do
    if options.failed or not reading.failed then
      local meter = reading.meter
      local row = {gateway.serial, meter and meter.id, meter and meter.manufacturer,
        meter and meter.version, meter and meter.medium_code, reading.moid,
        text.date(reading.unix, options.date), reading.status_code, #reading.records, n = lead}
      csv:row(row, reading, places_of(reading, columns), #names)
    end
  end
end
