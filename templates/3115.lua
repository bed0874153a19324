-- A header line before each meter's rows, which names the values that follow in them.

template = {
  title = "Values meter by meter, with a header line each",
  help = "CSV with a header line, begun by #, before the rows of each meter, and again where a meter "
    .. "answers with other values than before.",
  options = {
    {name = "date", kind = "string", default = "YYYY-MM-DD hh:mm:ss", title = "Date",
      help = "Pattern of the times, which are in the gateway's time zone."},
    {name = "failed", kind = "bool", default = false, title = "Failed readouts",
      help = "Gives readouts that failed a row, too, with no values in it."},
    {name = "one_file_per_meter", kind = "bool", default = false, title = "One file a meter",
      help = "Writes a document for each meter, with its number in the name."},
  },
}

local lead = {"#serial-number", "device-position", "primary-address", "device-identification",
  "created", "value-data-count", "manufacturer", "version", "device-type", "access-number", "status",
  "signature"}

local functions = {
  instantaneous = "inst-value", maximum = "max-value", minimum = "min-value", error = "err-value",
}

-- What the look calls otherwise than we do.
local descriptions = {["fabrication-number"] = "fabrication-no"}

-- What it is of and its modifiers are part of what is described: lower-limit-volume, energy-phase-l1.
local function column_name(record)
  local words = {descriptions[record.quantity] or record.quantity, record.of}
  for _, modifier in ipairs(record.modifiers) do
    words[#words + 1] = modifier
  end
  return table.concat(words, "-"):gsub(" ", "-") .. "," .. record.unit .. "," .. functions[record.func]
    .. "," .. record.tariff .. "," .. record.subunit .. "," .. record.storage
end

-- Readings of one shape have the same header.
local shapes_max = 500

local function header_of(reading, headers)
  local shape = reading.shape
  local header = headers[shape]
  if header then
    return header
  end
  header = table.move(lead, 1, #lead, 1, {})
  for _, record in ipairs(reading.records) do
    header[#header + 1] = column_name(record)
  end
  header.line = table.concat(header, "\n")
  if headers.count < shapes_max then
    headers[shape] = header
    headers.count = headers.count + 1
  end
  return header
end

local function row_of(reading, options)
  local meter = reading.meter
  local row = {gateway.serial, reading.position, reading.address, meter and meter.id,
    text.date(reading.unix, options.date), #reading.records, meter and meter.manufacturer,
    meter and meter.version, meter and meter.medium_code, reading.access, reading.status_code,
    reading.configuration, n = #lead}
  for _, record in ipairs(reading.records) do
    row.n = row.n + 1
    row[row.n] = record
  end
  return row
end

-- What tells one meter from the next.
local function meter_of(reading)
  local meter = reading.meter
  local identity = meter and table.concat({meter.id, meter.manufacturer or "", meter.version or "",
    meter.medium_code}, ".")
  return (reading.point or "") .. "/" .. (identity or "")
end

function render(batch, out, options)
  local csv, last_meter, last_header
  local headers = {count = 0}
  if not options.one_file_per_meter then
    csv = out:document{name = out:name("valuereport", "csv"), type = "text/csv"}
  end
  for reading in batch:readings("meter") do
    if options.failed or not reading.failed then
      local meter = meter_of(reading)
      if meter ~= last_meter and options.one_file_per_meter then
        if csv then
          csv:close()
        end
        local name = reading.meter and reading.meter.id or "point-" .. (reading.point or 0)
        csv = out:document{name = out:name("valuereport", "csv", name), type = "text/csv"}
      end
      local header = header_of(reading, headers)
      local line = header.line
      if meter ~= last_meter or line ~= last_header then
        csv:row(header)
      end
      csv:row(row_of(reading, options))
      last_meter, last_header = meter, line
    end
  end
end
