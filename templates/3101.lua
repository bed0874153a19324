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

local function find_columns(batch, options)
  local names, places = {}, {}
  for reading in batch:readings() do
    local used = {}
    for _, record in ipairs(reading.records) do
      local name = name_of(record, used)
      if not places[name] then
        if #names == columns_max then
          error("more than " .. columns_max .. " different values in one report", 0)
        end
        names[#names + 1] = name
        places[name] = #names
      end
    end
  end
  return names, places
end

function render(batch, out, options)
  local names, places = find_columns(batch, options)
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
        text.date(reading.unix, options.date), reading.status_code, #reading.records,
        n = lead + #names}
      local used = {}
      for _, record in ipairs(reading.records) do
        row[lead + places[name_of(record, used)]] = record
      end
      csv:row(row)
    end
  end
end
